"""Tables select rows; rejected rows are written for the user to mend."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from textlora.data.tables import RejectedRow, TextTable, csv_text, shown, write_rejected
from textlora.errors import StorageError


def test_select_keeps_the_given_order() -> None:
    table = TextTable("f", ["a", "b", "c"], [0, 1, 0], [2, 3, 5], [], ["no", "yes"], "label")
    chosen = table.select([2, 0])
    assert (chosen.texts, chosen.labels, chosen.lines) == (["c", "a"], [0, 0], [5, 2])
    assert (chosen.source, chosen.label_names) == ("f", ["no", "yes"])
    assert len(chosen) == 2


def test_select_of_unlabelled() -> None:
    assert TextTable("f", ["a"], None, [2], [], None).select([0]).labels is None


def test_rejected_rows_read_back(tmp_path: Path) -> None:
    rows = [
        RejectedRow("f.csv", 3, "text", 'a "b",\nc\r\n', "the text is blank"),
        RejectedRow("f.csv", 9, None, "", "the row has 3 fields"),
    ]
    path = tmp_path / "run" / "rejected.csv"
    write_rejected(rows, path)
    with path.open(encoding="utf-8", newline="") as file:
        header, first, second = csv.reader(file)
    assert header == ["source", "line", "column", "reason", "text"]
    assert first == ["f.csv", "3", "text", "the text is blank", 'a "b",\nc\r\n']
    assert second == ["f.csv", "9", "", "the row has 3 fields", ""]


def test_no_space_leaves_nothing_behind(tmp_path: Path) -> None:
    with (
        mock.patch("os.replace", side_effect=OSError(28, "No space left on device")),
        pytest.raises(StorageError, match="No space left"),
    ):
        write_rejected([], tmp_path / "rejected.csv")
    assert list(tmp_path.iterdir()) == []


def test_shown_is_encodable_and_short() -> None:
    assert shown("a\udce9").encode("utf-8") == b"a\\udce9"
    assert len(shown("x" * 2_000_000)) == 1_001
    assert shown(None) == ""


@given(st.lists(st.lists(st.text("a\"',;\r\n é", max_size=6), min_size=2, max_size=3), max_size=4))
def test_every_text_comes_back_from_our_csv(rows: list[list[str]]) -> None:
    written = io.StringIO(csv_text(rows), newline="")
    assert list(csv.reader(written, strict=True)) == rows
