"""CSV and TSV: exact texts, exact lines, and every way in which a row can be broken."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from textlora.data import ReadOptions, TextTable, read_table
from textlora.errors import DataError

Write = Callable[..., Path]
SKIP = ReadOptions(on_bad_rows="skip")

_ANY_TEXT = st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=12
) | st.sampled_from(["null", "NA", "None", "nan", '"', '""', "a\nb", "\ufeff.", "a,b", "x\r\ny"])
_TEXTS = st.lists(_ANY_TEXT.filter(lambda text: text.strip()), min_size=1, max_size=8)


@given(texts=_TEXTS, delimiter=st.sampled_from(",\t;|"), end=st.sampled_from(["\n", "\r\n"]))
def test_what_was_written_is_read_back_with_its_lines(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], delimiter: str, end: str
) -> None:
    buffer = io.StringIO(newline="")
    writer = csv.writer(
        buffer, delimiter=delimiter, lineterminator=end, quoting=csv.QUOTE_NONNUMERIC
    )
    writer.writerow(["text", "label"])
    lines = []
    for index, text in enumerate(texts):
        lines.append(buffer.getvalue().count("\n") + 1)
        writer.writerow([text, index])
    path = tmp_path_factory.mktemp("csv") / "rows.csv"
    path.write_bytes(buffer.getvalue().encode("utf-8"))
    table = read_table(path, ReadOptions(delimiter=delimiter))
    assert table.texts == texts
    assert table.lines == lines
    assert table.labels == list(range(len(texts)))


def told(table: TextTable) -> list[tuple[int, str]]:
    return [(row.line, row.reason.split(" (")[0]) for row in table.rejected]


def test_words_that_mean_nothing_to_pandas_are_texts(write: Write) -> None:
    path = write("r.csv", "text,label\nnull,NA\nNA,None\nNone,null\nnan,nan\n")
    table = read_table(path, ReadOptions())
    assert table.texts == ["null", "NA", "None", "nan"]
    assert table.labels == ["NA", "None", "null", "nan"]


@pytest.mark.parametrize(
    ("cells", "labels"),
    [
        (["0", " 1 ", "-7"], [0, 1, -7]),
        (["0", "1", "x"], ["0", "1", "x"]),
        (["01", "1", "2"], ["01", "1", "2"]),
        (["1.0", "0.0", "1.0"], ["1.0", "0.0", "1.0"]),
        ([" a ", "b", "a"], ["a", "b", "a"]),
        (["True", "true", "1"], ["True", "true", "1"]),
    ],
)
def test_labels_become_integers_only_if_all_are(
    write: Write, cells: list[str], labels: list[object]
) -> None:
    rows = "".join(f"t,{cell}\n" for cell in cells)
    assert read_table(write("r.csv", "text,label\n" + rows), ReadOptions()).labels == labels


def test_label_separator_makes_multi_label(write: Write) -> None:
    path = write("r.csv", "text,labels\na,x;y\nb,y\nc,y; x ;y\n")
    labels = read_table(path, ReadOptions(label_separator=";")).labels
    assert labels == [("x", "y"), ("y",), ("x", "y")]


def test_byte_order_mark_blank_lines_and_other_columns(write: Write) -> None:
    path = write("r.csv", "\ufeffid, Label ,TEXT\r\n\r\n1,pos,good\r\n\r\n2,neg,bad")
    table = read_table(path, ReadOptions())
    assert (table.texts, table.labels, table.lines) == (["good", "bad"], ["pos", "neg"], [3, 5])
    assert table.label_column == "Label"


_NO_HEADER = "7,it was a good film,pos\n8,a bad film it was,neg\n9,so good,pos\n"


def test_a_missing_header_is_named_with_the_columns_that_it_would_have(write: Write) -> None:
    with pytest.raises(DataError) as caught:
        read_table(write("r.csv", _NO_HEADER), ReadOptions())
    assert caught.value.line == 1
    assert "looks like data" in caught.value.problem
    assert "column 2 is the text and column 3 the label" in caught.value.problem
    assert caught.value.remedy == (
        "Add a line above it that names them: column_1,text,label; or read the file without: "
        "--no-header --text-column column_2 --label-column column_3"
    )
    with pytest.raises(DataError, match=r"column 2 is the text\.") as caught:
        read_table(write("r.csv", _NO_HEADER), ReadOptions(labelled=False))
    assert "--label-column" not in caught.value.remedy


def test_what_the_message_proposes_works(write: Write) -> None:
    proposed = {"text_column": "column_2", "label_column": "column_3"}
    table = read_table(write("r.csv", _NO_HEADER), ReadOptions(header=False, **proposed))
    assert table.texts == ["it was a good film", "a bad film it was", "so good"]
    assert (table.labels, table.lines) == (["pos", "neg", "pos"], [1, 2, 3])
    named = "column_1,text,label\n" + _NO_HEADER
    assert read_table(write("r.csv", named), ReadOptions()).texts == table.texts


@pytest.mark.parametrize(
    "header", ["comment,stars", "What did you like about it?,How many stars is it?", "0,1"]
)
def test_a_header_with_other_names_is_one(write: Write, header: str) -> None:
    path = write("r.csv", f"{header}\nit was good,5\nso bad,2\nvery good,5\n")
    with pytest.raises(DataError, match="no column has one of the usual names for texts"):
        read_table(path, ReadOptions())


def test_tsv_and_named_delimiters(write: Write) -> None:
    assert read_table(write("r.tsv", "text\tlabel\na, b\t1\n"), ReadOptions()).texts == ["a, b"]
    for name in ("tab", "\\t", "\t"):
        path = write("r.csv", "text\tlabel\na, b\t1\n")
        assert read_table(path, ReadOptions(delimiter=name)).texts == ["a, b"]


def test_old_mac_lines(write: Write) -> None:
    table = read_table(write("r.csv", "text,label\ra,1\rb,0\r"), ReadOptions())
    assert (table.texts, table.lines) == (["a", "b"], [2, 3])


def test_unlabelled_needs_no_label_column(write: Write) -> None:
    table = read_table(write("r.csv", "text\na\nb\n"), ReadOptions(labelled=False))
    assert (table.texts, table.labels) == (["a", "b"], None)


def test_a_column_with_a_delimiter_in_its_name_can_be_asked_for(write: Write) -> None:
    options = ReadOptions(text_column="text; in full", labelled=False)
    assert read_table(write("r.csv", "text; in full\na\n"), options).texts == ["a"]


@pytest.mark.parametrize(
    ("name", "header", "flag"),
    [
        ("r.csv", "text;label", "--delimiter ';'"),
        ("r.csv", "text\tlabel", "--delimiter tab"),
        ("r.csv", "text|label", "--delimiter '|'"),
        ("r.tsv", "text,label", "--delimiter ','"),
    ],
)
def test_wrong_delimiter_proposes_the_right_one(
    write: Write, name: str, header: str, flag: str
) -> None:
    with pytest.raises(DataError) as caught:
        read_table(write(name, header + "\n"), ReadOptions())
    assert f"{name}, line 1: " in str(caught.value)
    assert flag in caught.value.remedy


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("a, b,1", "the row has 3 fields and the header has 2"),
        ("a", "the row has 1 field and the header has 2"),
        (",1", "the text is missing"),
        ("  ,1", "the text is blank"),
        ("a,", "the label is missing"),
        ("a\0b,1", "the row has a NUL byte in it"),
        ('"a "b" c",1', "the quotes of this row do not match"),
        ("a\rb,1", "a stray carriage return is in this row"),
        ("x" * 2_000_000 + ",1", "the text is 2,000,000 bytes long, more than 1,000,000"),
        (b"caf\xe9,1", "the text has bytes in it that the encoding does not have"),
        (b"cafe,\xe9", "the label has bytes in it that the encoding does not have"),
    ],
)
def test_a_bad_row_stops_or_is_set_aside(write: Write, row: str | bytes, reason: str) -> None:
    raw = row.encode() if isinstance(row, str) else row
    path = write("r.csv", b'text,label\n"two\nlines",pos\n' + raw + b"\nlast,neg\n")
    with pytest.raises(DataError) as caught:
        read_table(path, ReadOptions())
    assert str(caught.value).startswith(f"{path}, line 4")
    assert "--on-bad-rows skip" in caught.value.remedy
    table = read_table(path, SKIP)
    assert told(table) == [(4, reason)]
    assert (table.texts, table.lines) == (["two\nlines", "last"], [2, 5])


def test_the_first_bad_row_is_reported(write: Write) -> None:
    path = write("r.csv", "text,label\na,1\n ,0\nb,c,d\n")
    with pytest.raises(DataError, match="line 3, column 'text': the text is blank"):
        read_table(path, ReadOptions())
    assert [line for line, _ in told(read_table(path, SKIP))] == [3, 4]


def test_a_quote_never_closed_costs_one_row(write: Write) -> None:
    path = write("r.csv", 'text,label\na,1\n"b,0\nc,1\nd,0\n')
    with pytest.raises(DataError, match=r"line 3: a quote opens in this row and is never closed"):
        read_table(path, ReadOptions())
    table = read_table(path, SKIP)
    assert table.texts == ["a", "c", "d"]
    assert told(table) == [(3, "a quote opens in this row and is never closed")]


def test_the_rest_of_a_badly_quoted_text_is_no_row_of_its_own(write: Write) -> None:
    path = write("r.csv", 'text,label\n"a "b"\nrest",1\n"good",0\n')
    table = read_table(path, SKIP)
    assert table.texts == ["good"]
    assert told(table) == [(line, "the quotes of this row do not match") for line in (2, 3)]


def test_nothing_but_bad_rows(write: Write) -> None:
    with pytest.raises(DataError, match=r"r\.csv, line 2.*: all 2 rows are bad, the first because"):
        read_table(write("r.csv", "text,label\n,1\n,0\n"), SKIP)


@pytest.mark.parametrize("header", ['"text,label\n', "\n\n"])
def test_header_that_cannot_be_read(write: Write, header: str) -> None:
    with pytest.raises(DataError, match=r"the header cannot be read|the file is empty"):
        read_table(write("r.csv", header), ReadOptions())


def test_the_field_limit_is_put_back(write: Write) -> None:
    before = csv.field_size_limit()
    read_table(write("r.csv", "text,label\n" + "x" * 500_000 + ",1\n"), ReadOptions())
    assert csv.field_size_limit() == before
