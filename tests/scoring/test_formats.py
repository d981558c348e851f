"""Every row comes out, in its place, with what it came in with."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.examples import examples
from textlora.data.formats.records import take_apart
from textlora.data.tables import ReadOptions
from textlora.errors import DataError

from .conftest import ADDED, read_csv, read_jsonl, run

_MANY = examples(50)
_CELL = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8) | (
    st.sampled_from(["null", "NA", '"', '""', "a\nb", "a,b", "x\r\ny", "\ufeff", "ü", "\u2028"])
)


@_MANY
@given(
    rows=st.lists(st.tuples(_CELL, _CELL), min_size=1, max_size=9),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    end=st.sampled_from(["\n", "\r\n"]),
    mark=st.sampled_from([b"", b"\xef\xbb\xbf"]),
    chunk=st.integers(1, 4),
)
def test_a_csv_keeps_its_bytes(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[str, str]],
    quoting: Any,
    end: str,
    mark: bytes,
    chunk: int,
) -> None:
    folder = tmp_path_factory.mktemp("csv")
    buffer = io.StringIO(newline="")
    if any("\r" in cell for row in rows for cell in row):
        quoting = csv.QUOTE_ALL  # Python's own writer forgets these quotes
    writer = csv.writer(buffer, lineterminator=end, quoting=quoting)
    writer.writerows([("text", "other"), *rows])
    (folder / "in.csv").write_bytes(mark + buffer.getvalue().encode())
    run(folder / "in.csv", folder / "out.csv", chunk)
    content = (folder / "out.csv").read_bytes()
    assert content.startswith(mark)
    read = read_csv(content)
    assert list(read[0]) == ["text", "other", *ADDED]
    assert [(row["text"], row["other"]) for row in read] == rows
    assert all((row["label"] == "") == (row["error"] != "") for row in read)
    assert [row["error"] == "" for row in read] == [bool(text.strip()) for text, _ in rows]
    # Without the new cells it is the input, to the byte.
    records = take_apart(io.StringIO(content.decode("utf-8-sig"), newline="\n"), ",")
    width = [len(",".join(_written(cell) for cell in record.cells[2:])) for record in records]
    records = take_apart(io.StringIO(content.decode("utf-8-sig"), newline="\n"), ",")
    kept = "".join(
        record.raw.removesuffix(end)[: -extra - 1] + end
        for record, extra in zip(records, width, strict=True)
    )
    assert kept == buffer.getvalue()


def _written(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"' if set(cell) & set(',"\r\n') else cell


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | _CELL,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_CELL, inner, max_size=3),
    max_leaves=6,
)


@_MANY
@given(rows=st.lists(st.tuples(_CELL, _JSON), min_size=1, max_size=9), chunk=st.integers(1, 4))
def test_json_lines_keep_their_bytes(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, Any]], chunk: int
) -> None:
    folder = tmp_path_factory.mktemp("jsonl")
    lines = [json.dumps({"text": text, "other": other}) for text, other in rows]
    (folder / "in.jsonl").write_text("\n".join(lines))
    run(folder / "in.jsonl", folder / "out.jsonl", chunk)
    written = (folder / "out.jsonl").read_text().splitlines()
    assert [line.split(', "label": ')[0] + "}" for line in written] == lines
    read = read_jsonl(folder / "out.jsonl")
    assert [list(row) for row in read] == [["text", "other", *ADDED]] * len(rows)
    assert [(row["text"], row["other"]) for row in read] == rows


@_MANY
@given(rows=st.lists(st.tuples(_CELL, _JSON), min_size=1, max_size=9), chunk=st.integers(1, 4))
def test_any_json_fits_into_the_other_formats(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, Any]], chunk: int
) -> None:
    folder = tmp_path_factory.mktemp("json")
    lines = [json.dumps({"text": text, "other": other}) for text, other in rows]
    (folder / "in.jsonl").write_text("\n".join(lines))
    for suffix in ("csv", "parquet"):
        run(folder / "in.jsonl", folder / f"out.{suffix}", chunk)
    texts = [text for text, _ in rows]
    assert pq.read_table(folder / "out.parquet").column("text").to_pylist() == texts
    assert [row["text"] for row in read_csv((folder / "out.csv").read_bytes())] == texts


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('{ "text" : "a" , "n":1.50e3 }  ', '{ "text" : "a" , "n":1.50e3, "label": "even"'),
        ('{"text":"\\ud83d\\ude00"}', '{"text":"\\ud83d\\ude00", "label": "even"'),
        ("{}", '{"label": null'),
        ('{"text": "a"', '{"text": "{\\"text\\": \\"a\\"", "label": null'),
        ("[1]", '{"text": "[1]", "label": null'),
    ],
)
def test_lines_as_they_stand(line: str, expected: str, tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text(f'{{"text": "first"}}\n\n{line}\r\n')
    run(tmp_path / "in.jsonl", tmp_path / "out.jsonl")
    _, second = (tmp_path / "out.jsonl").read_text().splitlines()
    assert second.startswith(expected)


def test_bad_rows_stay_in_their_place(tmp_path: Path) -> None:
    lines = [b"id,text", b"1,good", b"2,", b"3", b'4,"open', b"5,\xff", b"6,a,b", b"7,last"]
    (tmp_path / "in.csv").write_bytes(b"\r\n".join(lines))
    summary = run(tmp_path / "in.csv", tmp_path / "out.csv", 2)
    assert (summary.rows, summary.errors) == (7, 5)
    content = (tmp_path / "out.csv").read_bytes()
    rows = read_csv(content)
    assert [bool(row["error"]) for row in rows] == [False, True, True, True, True, True, False]
    assert [row["error"].split(" (")[0] for row in rows[1:6]] == [
        "the text is missing",
        "the row has 1 field and the header has 2",
        "a quote opens in this row and is never closed",
        "the text has bytes in it that the encoding does not have",
        "the row has 3 fields and the header has 2",
    ]
    assert rows[2]["text"] == "3"  # the whole line
    assert rows[3]["text"] == '4,"open'
    assert b"\r\n5,\xff," in content
    assert rows[5]["text"] == "6,a,b"


def test_a_quote_that_stays_open_does_not_take_the_file_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("textlora.scoring.job.LONGEST", 200)
    rows = ['"open', *(f"row {number}" for number in range(100))]
    (tmp_path / "in.csv").write_text("text,x\n" + "".join(f"{row},\n" for row in rows))
    summary = run(tmp_path / "in.csv", tmp_path / "out.csv", 10)
    assert (summary.rows, summary.errors) == (101, 1)


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16"])
def test_another_encoding_becomes_utf_8(encoding: str, tmp_path: Path) -> None:
    from textlora.data import ReadOptions

    (tmp_path / "in.csv").write_bytes("text;ü\nschön;€\n".encode(encoding))
    options = ReadOptions(encoding=encoding, delimiter=";", labelled=False)
    run(tmp_path / "in.csv", tmp_path / "out.csv", options=options)
    start = "text;ü;label;probability_even;probability_odd;error\nschön;€;unsure;"
    assert (tmp_path / "out.csv").read_text("utf-8").startswith(start)


def nested() -> pa.Table:
    """A table of all that Parquet is used for."""
    return pa.table(
        {
            "text": pa.array(["a", "null", None, " ", "b" * 70]).dictionary_encode(),
            "nested": [{"a": [1]}, None, {"a": []}, {"a": [2, None]}, {"a": None}],
            "number": pa.array([1, 2, None, 4, 5], pa.int8()),
            "time": pa.array([0, 1, 2, 3, None], pa.timestamp("us", "UTC")),
            "money": pa.array(["1.10", "2", "3", "4", None]).cast(pa.decimal128(9, 2)),
            "bytes": pa.array([b"\xff", b"", None, b"1", b"2"]),
            "map": pa.array([[("k", 1)], [], None, [], []], pa.map_(pa.string(), pa.int32())),
        }
    ).replace_schema_metadata({"kept": "yes"})


def test_parquet_keeps_types_and_values(tmp_path: Path) -> None:
    pq.write_table(nested(), tmp_path / "in.parquet", row_group_size=2)
    before = pq.read_table(tmp_path / "in.parquet")
    summary = run(tmp_path / "in.parquet", tmp_path / "out.parquet", 2)
    after = pq.read_table(tmp_path / "out.parquet")
    assert after.select(before.column_names).schema.equals(before.schema, check_metadata=False)
    assert after.select(before.column_names).to_pylist() == before.to_pylist()
    assert after.schema.metadata[b"kept"] == b"yes"
    assert after.column_names[-4:] == ADDED
    assert [bool(error) for error in after.column("error").to_pylist()] == [0, 0, 1, 1, 0]
    assert (summary.rows, summary.errors, summary.truncated) == (5, 2, 1)


def test_pandas_categories_stay_categories(tmp_path: Path) -> None:
    import pandas as pd

    frame = pd.DataFrame({"text": ["a", "b", "c"], "kind": pd.Categorical(["x", "y", "x"])})
    frame.to_parquet(tmp_path / "in.parquet")
    run(tmp_path / "in.parquet", tmp_path / "out.parquet", 2)
    after = pd.read_parquet(tmp_path / "out.parquet")
    pd.testing.assert_frame_equal(after[["text", "kind"]], frame)


def test_datasets_reads_its_own_files_again(tmp_path: Path) -> None:
    import datasets

    datasets.Dataset.from_dict({"text": ["a", "b"], "kind": [0, 1]}).cast_column(
        "kind", datasets.ClassLabel(names=["no", "yes"])
    ).to_parquet(tmp_path / "in.parquet")
    run(tmp_path / "in.parquet", tmp_path / "out.parquet")
    again = datasets.Dataset.from_parquet(
        str(tmp_path / "out.parquet"), cache_dir=str(tmp_path / "cache")
    )
    assert again.features["kind"].names == ["no", "yes"]
    assert again["label"][0] is not None


def test_parquet_to_the_other_formats(tmp_path: Path) -> None:
    pq.write_table(nested(), tmp_path / "in.parquet")
    run(tmp_path / "in.parquet", tmp_path / "out.jsonl")
    run(tmp_path / "in.parquet", tmp_path / "out.tsv")
    first = read_jsonl(tmp_path / "out.jsonl")[0]
    assert first["nested"] == {"a": [1]}
    assert first["time"] == "1970-01-01T00:00:00+00:00"
    assert (first["money"], first["bytes"], first["map"]) == ("1.10", "/w==", [["k", 1]])
    rows = read_csv((tmp_path / "out.tsv").read_bytes(), "\t")
    assert (rows[0]["nested"], rows[1]["text"], rows[1]["nested"]) == ('{"a": [1]}', "null", "")


def test_values_that_json_or_parquet_cannot_hold(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": ["a"], "n": [math.nan]}), tmp_path / "in.parquet")
    run(tmp_path / "in.parquet", tmp_path / "out.jsonl")
    assert read_jsonl(tmp_path / "out.jsonl")[0]["n"] is None
    lines = ['{"text": "a", "n": 1, "o": {}}', '{"text": "\\ud800", "n": "x"}', '{"text": 5}']
    (tmp_path / "in.jsonl").write_text("\n".join([*lines, f'{{"text": "b", "n": {2**70}}}']))
    run(tmp_path / "in.jsonl", tmp_path / "out.parquet", 1)
    rows = pq.read_table(tmp_path / "out.parquet").to_pylist()
    assert [row["text"] for row in rows] == ["a", "\\ud800", "5", "b"]
    assert [row["n"] for row in rows] == ["1", "x", None, str(2**70)]
    assert [bool(row["error"]) for row in rows] == [False, True, True, False]


def test_parquet_with_bytes_that_are_no_text(tmp_path: Path) -> None:
    cells = pa.array([b"ok", b"\xff", None]).view(pa.string())
    pq.write_table(pa.table({"text": cells}), tmp_path / "in.parquet")
    run(tmp_path / "in.parquet", tmp_path / "out.parquet")
    errors = pq.read_table(tmp_path / "out.parquet").column("error").to_pylist()
    assert errors[0] is None
    assert "bytes" in errors[1]
    assert errors[2] == "the text is missing"


@pytest.mark.parametrize("source", ["in.csv", "in.jsonl", "in.parquet"])
@pytest.mark.parametrize("out", ["out.csv", "out.tsv", "out.jsonl", "out.parquet"])
def test_the_size_of_a_chunk_changes_nothing(
    source: str, out: str, table: Callable[..., Path], tmp_path: Path
) -> None:
    path = table(source)
    run(path, tmp_path / out, 3)
    run(path, tmp_path / f"whole-{out}", 1_000)
    one, other = (tmp_path / out).read_bytes(), (tmp_path / f"whole-{out}").read_bytes()
    assert one == other


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_a_file_without_a_header_gets_one(mark: bytes, end: str, tmp_path: Path) -> None:
    rows = ["1,fine", '2,"so, so"', "3,", "4,a,b", "5,last"]
    (tmp_path / "in.csv").write_bytes(mark + end.join(rows).encode())
    options = ReadOptions(header=False, text_column="column_2", labelled=False)
    done = run(tmp_path / "in.csv", tmp_path / "out.csv", 2, options=options)
    assert done.rows == 5
    content = (tmp_path / "out.csv").read_bytes()
    assert content.startswith(mark + f"column_1,column_2,{','.join(ADDED)}{end}".encode())
    assert all(f"{row},".encode() in content for row in rows[:3])
    assert content.count(end.encode()) == content.count(b"\n") == 6
    read = read_csv(content)
    assert [row["column_2"] for row in read] == ["fine", "so, so", "", "4,a,b", "last"]
    assert [row["error"] == "" for row in read] == [True, True, False, False, True]
    run(tmp_path / "in.csv", tmp_path / "out.jsonl", 2, options=options)
    assert read_jsonl(tmp_path / "out.jsonl")[-1]["column_1"] == "5"
    with pytest.raises(DataError, match=r"'column_1', 'column_2'.*--text-column"):
        run(tmp_path / "in.csv", tmp_path / "x.csv", options=ReadOptions(header=False))
