"""Files that training would refuse are read as far as they go."""

from __future__ import annotations

from pathlib import Path

import pytest

from inspection.support import sentences
from textlora.config import DataConfig
from textlora.errors import DataError
from textlora.inspection.corpus import Files, read_files
from textlora.inspection.inspecting import describe, inspect_tables


def read(path: Path, **data: object) -> Files:
    return read_files(DataConfig(train=str(path), **data))


def kinds(files: Files) -> dict[str, int]:
    inspection = describe(inspect_tables(files.tables), more=files.findings())
    return {finding.kind: finding.count for finding in inspection.findings}


def written(path: Path, lines: list[str]) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def rows(count: int) -> list[str]:
    return [f"{text},{row % 2}" for row, text in enumerate(sentences(count))]


def test_bad_rows_are_counted(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", ["text,label", *rows(40), "a,b,c", "no label,", ",1"])
    assert kinds(read(path)) == {"bad_rows": 2, "empty": 1}


def test_a_file_cut_off_in_a_text(tmp_path: Path) -> None:
    lines = ["text,label", *(f'"{text}",1' for text in sentences(20)), '"It was the']
    found = kinds(read(written(tmp_path / "a.csv", lines)))
    assert found["cut_off"] == 1


def test_a_json_lines_file_cut_off(tmp_path: Path) -> None:
    lines = [f'{{"text": "{text}", "label": {n % 2}}}' for n, text in enumerate(sentences(30))]
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(lines)[:-20])
    assert kinds(read(path)) == {"bad_rows": 1, "cut_off": 1}


def test_labels_of_two_kinds(tmp_path: Path) -> None:
    texts = sentences(40)
    lines = [f'{{"text": "{text}", "label": {n % 2}}}' for n, text in enumerate(texts)]
    lines[4] = lines[4].replace('"label": 0', '"label": "zero"')
    found = kinds(read(written(tmp_path / "a.jsonl", lines)))
    assert found["labels"] == 40
    assert found["small_class"] == 1


def test_no_labels(tmp_path: Path) -> None:
    files = read(written(tmp_path / "a.csv", ["text,other", *rows(40)]))
    assert kinds(files) == {"labels": 40}
    assert "the columns are" in files.findings()[0].message


def test_blank_labels(tmp_path: Path) -> None:
    lines = ["text,label", *(f"{text}," for text in sentences(5))]
    assert kinds(read(written(tmp_path / "a.csv", lines))) == {"labels": 5}


def test_only_bad_rows(tmp_path: Path) -> None:
    files = read(written(tmp_path / "a.csv", ["text,label", ",1", ",2"]))
    assert kinds(files)["empty"] == 2


def test_bytes_of_another_encoding(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    lines = ["text,label", *rows(40), "caf\xe9 so so,1"]
    path.write_bytes("\n".join(lines).encode("latin-1"))
    assert kinds(read(path)) == {"bad_rows": 1}


@pytest.mark.parametrize(
    ("lines", "words"),
    [(["title,label", "a,1"], "no column"), (["text;label", "a;1"], "--delimiter")],
)
def test_without_texts_it_says_why(tmp_path: Path, lines: list[str], words: str) -> None:
    with pytest.raises(DataError, match=words):
        read(written(tmp_path / "a.csv", lines))


def test_a_label_column_that_was_named_must_be_there(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", ["text,label", "a,1"])
    with pytest.raises(DataError, match="lebel"):
        read(path, label_column="lebel")


def test_numbers_and_names_in_two_files(tmp_path: Path) -> None:
    train = written(tmp_path / "a.csv", ["text,label", *rows(40)])
    test = written(tmp_path / "b.csv", ["text,label", "one two three,1", "four five six,x"])
    files = read(train, test=str(test))
    assert files.tables["train"].labels == ["0", "1"] * 20
    assert kinds(files) == {"unknown_class": 1, "missing_class": 1}


def test_further_files_are_parts_of_their_own(tmp_path: Path) -> None:
    train = written(tmp_path / "a.csv", ["text,label", *rows(10)])
    files = read_files(DataConfig(train=str(train)), [str(train), str(train)])
    assert list(files.tables) == ["train", "a", "a-2"]
    assert files.will_be_split
    assert not read(train, validation=str(written(tmp_path / "v.csv", ["text,label", "a,1"]))
                    ).will_be_split  # fmt: skip
