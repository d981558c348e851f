"""Cleaned copies: what goes, what stays, and that the originals are not touched."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import datasets
import pyarrow
import pyarrow.parquet
import pytest

from inspection.support import sentences
from textlora.config import DataConfig
from textlora.errors import RunError
from textlora.inspection.files import FileInspection, Tokens, inspect_files
from textlora.inspection.fixing import Fix, plan_fix, relabelled, write_fix

TEXTS = sentences(60)
CLEAN = [(text, ("neg", "pos")[row % 2]) for row, text in enumerate(TEXTS)]
TEST = CLEAN[40:]
TRAIN = [
    *CLEAN[:40],
    CLEAN[0],  # a copy
    ("so so so so", "pos"),  # contradicting
    ("So so so so!", "neg"),
    (TEXTS[45], "neg"),  # in test, with another label
    (TEXTS[46] + " Indeed.", "neg"),  # nearly in test
    (f'A comma, a "quote" and\na line break: {TEXTS[2]}'[:90], "POS."),
    ("<br />", "pos"),
    ("last of all the rows", "neg"),
]
GONE = [40, 41, 42, 43, 44, 46]


def inspected(data: DataConfig) -> FileInspection:
    def no_tokens() -> Tokens:
        from textlora.errors import ModelError

        raise ModelError("No model.", "")

    return inspect_files(data, load_tokens=no_tokens)


def fixed(data: DataConfig, out: Path) -> tuple[Fix, dict[str, Path]]:
    found = inspected(data)
    fix = plan_fix(found.facts)
    return fix, write_fix(fix, found.files, data, out)


def kept(rows: list[tuple[str, str]]) -> list[tuple[str, str]]:
    stay = [row for number, row in enumerate(rows) if number not in GONE]
    return [(text, "pos" if label == "POS." else label) for text, label in stay]


def write_csv(path: Path, rows: list[tuple[str, str]], delimiter: str = ",") -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerow(["id", "text", "label"])
        writer.writerows([f"{number:03}", *row] for number, row in enumerate(rows))
    return path


def read_csv(path: Path, delimiter: str = ",") -> list[tuple[str, ...]]:
    with path.open(encoding="utf-8", newline="") as file:
        return [tuple(row) for row in csv.reader(file, delimiter=delimiter)]


@pytest.mark.parametrize(("name", "delimiter"), [("a.csv", ","), ("a.tsv", "\t"), ("b.csv", ";")])
def test_csv(tmp_path: Path, name: str, delimiter: str) -> None:
    train = write_csv(tmp_path / name, TRAIN, delimiter)
    with train.open("a", encoding="utf-8", newline="") as file:
        file.write(f"bad{delimiter}row\r\n\r\n")
    test = write_csv(tmp_path / "test.csv", TEST, delimiter)
    before = train.read_bytes(), test.read_bytes()
    data = DataConfig(train=str(train), test=str(test), delimiter=delimiter)
    fix, written = fixed(data, tmp_path / "out")

    assert written == {"train": tmp_path / "out" / name, "test": tmp_path / "out" / "test.csv"}
    assert (train.read_bytes(), test.read_bytes()) == before
    assert written["test"].read_bytes() == before[1]
    rows = read_csv(written["train"], delimiter)
    assert rows[0] == ("id", "text", "label")
    assert [row[1:] for row in rows[1:]] == kept(TRAIN)
    assert rows[-1][0] == "047"
    # What is rewritten keeps its line break, and blank lines stay.
    content = written["train"].read_bytes()
    assert content.count(b"\n") - content.count(b"\r\n") == 1  # the one in a text
    assert fix.respelled_rows == 1

    dropped = read_csv(tmp_path / "out" / "dropped.csv")
    assert dropped[0] == ("part", "file", "line", "reason", "text")
    assert len(dropped) == 1 + len(GONE) + 1
    reasons = {row[2]: row[3] for row in dropped[1:]}
    assert reasons["42"] == "line 2 has the same text"
    assert "another label" in reasons["43"]
    assert "is in test, too" in reasons["45"]
    assert reasons["46"].startswith("nearly the same text is in test")

    again = inspected(
        DataConfig(train=str(written["train"]), test=str(written["test"]), delimiter=delimiter)
    )
    assert {one.kind for one in again.inspection.findings} <= {"html", "short"}


def test_json_lines(tmp_path: Path) -> None:
    def write(path: Path, rows: list[tuple[str, str]]) -> Path:
        lines = [
            json.dumps({"id": number, "text": text, "label": label, "more": {"é": [1.0, None]}})
            for number, (text, label) in enumerate(rows)
        ]
        path.write_text("\n".join(lines))
        return path

    train = write(tmp_path / "train.jsonl", TRAIN)
    test = write(tmp_path / "test.jsonl", TEST)
    _, written = fixed(DataConfig(train=str(train), test=str(test)), tmp_path / "out")
    values = [json.loads(line) for line in written["train"].read_text().splitlines()]
    assert [(value["text"], value["label"]) for value in values] == kept(TRAIN)
    assert all(value["more"] == {"é": [1.0, None]} for value in values)
    assert set(written["train"].read_text().splitlines()) >= set(train.read_text().split("\n")[:40])


def arrow(rows: list[tuple[str, str]]) -> Any:
    columns = {"text": [row[0] for row in rows], "label": [row[1] for row in rows]}
    return pyarrow.table({"id": list(range(len(rows))), **columns})


def test_parquet(tmp_path: Path) -> None:
    pyarrow.parquet.write_table(arrow(TRAIN), tmp_path / "train.parquet")
    pyarrow.parquet.write_table(arrow(TEST), tmp_path / "test.parquet")
    data = DataConfig(train=str(tmp_path / "train.parquet"), test=str(tmp_path / "test.parquet"))
    _, written = fixed(data, tmp_path / "out")
    table = pyarrow.parquet.read_table(written["train"])
    assert table.schema.equals(arrow(TRAIN).schema)
    values = table.to_pylist()
    assert [(value["text"], value["label"]) for value in values] == kept(TRAIN)


def test_saved_dataset(tmp_path: Path) -> None:
    splits = {"train": datasets.Dataset(arrow(TRAIN)), "test": datasets.Dataset(arrow(TEST))}
    datasets.DatasetDict(splits).save_to_disk(str(tmp_path / "saved"))
    _, written = fixed(DataConfig(train=str(tmp_path / "saved")), tmp_path / "out")
    assert {part: path.name for part, path in written.items()} == {
        "train": "saved-train.parquet",
        "test": "saved-test.parquet",
    }
    values = pyarrow.parquet.read_table(written["train"]).to_pylist()
    assert [(value["text"], value["label"]) for value in values] == kept(TRAIN)


def test_files_of_one_name(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
    train = write_csv(tmp_path / "a" / "data.csv", TRAIN)
    test = write_csv(tmp_path / "b" / "data.csv", TEST)
    _, written = fixed(DataConfig(train=str(train), test=str(test)), tmp_path / "out")
    assert [path.name for path in written.values()] == ["data.csv", "test-data.csv"]


def test_validation_gives_way_to_test(tmp_path: Path) -> None:
    parts = {
        "train": write_csv(tmp_path / "train.csv", CLEAN[:20]),
        "validation": write_csv(tmp_path / "validation.csv", CLEAN[15:30]),
        "test": write_csv(tmp_path / "test.csv", [*CLEAN[28:40], CLEAN[28]]),
    }
    fix, _ = fixed(
        DataConfig(**{part: str(path) for part, path in parts.items()}), tmp_path / "out"
    )
    assert fix.rows == {"train": 15, "validation": 13, "test": 12}


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_nothing_is_overwritten(tmp_path: Path, kind: str) -> None:
    train = write_csv(tmp_path / "train.csv", TRAIN)
    out = tmp_path / "out"
    if kind == "file":
        out.write_text("mine")
    else:
        out.mkdir()
        (out / "mine").write_text("mine")
    with pytest.raises(RunError, match="nothing is overwritten"):
        fixed(DataConfig(train=str(train)), out)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "train.csv"]


def test_a_failure_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train = write_csv(tmp_path / "train.csv", TRAIN)

    def broken(*_: object) -> str:
        raise RuntimeError("the power went")

    monkeypatch.setattr("textlora.inspection.fixing._dropped_csv", broken)
    with pytest.raises(RuntimeError):
        fixed(DataConfig(train=str(train)), tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["train.csv"]


@pytest.mark.parametrize(
    ("cell", "separator", "new"),
    [
        ("POS.", None, "pos"),
        ("pos", None, "pos"),
        ("POS.|x", "|", "pos|x"),
        (["x", "POS."], None, ["x", "pos"]),
        (1, None, 1),
        (None, None, None),
    ],
)
def test_relabelled(cell: object, separator: str | None, new: object) -> None:
    assert relabelled(cell, {"POS.": "pos"}, separator) == new
