"""What a text may be, what a label may be, what becomes of bad rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from textlora.data.rows import MAX_TEXT_BYTES, BadCellError, read_label_cell, read_text_cell
from textlora.data.sources import table_from_python
from textlora.errors import DataError


@pytest.mark.parametrize("text", ["null", "NA", "None", "nan", "N/A", "0", " kept as it is\n"])
def test_words_that_pandas_takes_for_missing_are_texts(text: str) -> None:
    assert read_text_cell(text) == text


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "missing"),
        ("", "missing"),
        (float("nan"), "missing"),
        (pd.NA, "missing"),
        (" \n\t", "blank"),
        (3, "not a string but a number"),
        (True, "not a string but a truth value"),
        ({"a": 1}, "not a string but an object"),
        (["a"], "not a string but a list"),
        (b"bytes", "of the type bytes"),
        ("a\0b", "NUL byte"),
        ("\ud83d", "lone surrogate"),
        ("caf\udce9", "bytes in it that the encoding does not have"),
        ("x" * (MAX_TEXT_BYTES + 1), "1,000,001 bytes long, more than 1,000,000"),
        ("é" * (MAX_TEXT_BYTES // 2 + 1), "1,000,002 bytes long"),
    ],
)
def test_bad_texts(value: object, reason: str) -> None:
    with pytest.raises(BadCellError, match=reason):
        read_text_cell(value)


def test_longest_text_is_accepted() -> None:
    assert len(read_text_cell("x" * MAX_TEXT_BYTES)) == MAX_TEXT_BYTES


def test_blank_after_html_is_stripped() -> None:
    assert read_text_cell("<br />") == "<br />"
    with pytest.raises(BadCellError, match="blank without its HTML"):
        read_text_cell("<br />", without_html=True)


@pytest.mark.parametrize(
    ("value", "separator", "untyped", "label"),
    [
        (1, None, False, 1),
        (-1, None, False, -1),
        (2.0, None, False, 2),
        (True, None, False, "true"),
        (False, None, False, "false"),
        (" pos ", None, False, " pos "),
        (" pos ", None, True, "pos"),
        (["b", "a", "b"], None, False, ("a", "b")),
        ([1, 0], None, False, ("0", "1")),
        ([], None, False, ()),
        ("b; a;;b", ";", True, ("a", "b")),
        (3, ";", False, ("3",)),
    ],
)
def test_labels(value: object, separator: str | None, untyped: bool, label: Any) -> None:
    found = read_label_cell(value, separator, untyped)
    assert found == label
    assert type(found) is type(label)


@pytest.mark.parametrize(
    ("value", "separator", "reason"),
    [
        (None, None, "missing"),
        ("", None, "missing"),
        ("  ", None, "missing"),
        (float("nan"), None, "missing"),
        (" ; ", ";", "missing"),
        (0.5, None, r"a number \(0.5\)"),
        ({"a": 1}, None, "an object"),
        ([["a"]], None, "a list"),
        ([None], None, "missing"),
        ("a\0", None, "NUL"),
        (["\ud800"], None, "surrogate"),
    ],
)
def test_bad_labels(value: object, separator: str | None, reason: str) -> None:
    with pytest.raises(BadCellError, match=reason):
        read_label_cell(value, separator, untyped=False)


# --- lists, Series and arrays ------------------------------------------------


@pytest.mark.parametrize("kind", [list, tuple, pd.Series, np.array, iter])
def test_python_values_of_any_kind(kind: Any) -> None:
    table = table_from_python(kind(["null", "b", "c"]), kind([0, 1, 0]))
    assert table.texts == ["null", "b", "c"]
    assert table.labels == [0, 1, 0]
    assert all(type(label) is int for label in table.labels or [])
    assert all(type(text) is str for text in table.texts)
    assert (table.source, table.lines) == ("texts", [0, 1, 2])


def test_numpy_scalars_in_a_list() -> None:
    table = table_from_python([np.str_("a"), "b"], [np.int64(1), np.int64(0)])
    assert [type(value) for value in (*table.texts, *(table.labels or []))] == [str, str, int, int]


def test_python_strings_stay_strings() -> None:
    assert table_from_python(["a", "b"], ["0", "1"]).labels == ["0", "1"]


def test_python_lists_are_multi_label() -> None:
    table = table_from_python(["a", "b", "c"], [["x", "y"], [], "x"])
    assert table.labels == [("x", "y"), (), ("x",)]


def test_python_bad_row_names_the_index() -> None:
    with pytest.raises(DataError, match=r"texts, line 1: the text is missing\. .*index") as caught:
        table_from_python(["a", None], [0, 1])
    assert (caught.value.source, caught.value.line) == ("texts", 1)


def test_python_bad_rows_are_set_aside() -> None:
    table = table_from_python(["a", " ", "c"], [0, 1, None], on_bad_rows="skip")
    assert (table.texts, table.labels, table.lines) == (["a"], [0], [0])
    assert [(row.line, row.reason) for row in table.rejected] == [
        (1, "the text is blank"),
        (2, "the label is missing"),
    ]


@pytest.mark.parametrize(
    ("texts", "labels", "problem"),
    [
        (["a"], [0, 1], "1 texts and 2 labels"),
        ("a text", [0], "one str, not a list"),
        (pd.DataFrame({"text": ["a"]}), [0], "not one-dimensional"),
        (["a", "b"], np.eye(2), "labels are not one-dimensional"),
        ([], [], "no rows"),
        (["a", "b"], [0, "x"], "a number and a string"),
        (["a", "b"], [None, None], "no row has a label"),
    ],
)
def test_python_input_of_the_wrong_shape(texts: Any, labels: Any, problem: str) -> None:
    with pytest.raises(DataError, match=problem):
        table_from_python(texts, labels)
