"""Columns are found by name, and never guessed."""

from __future__ import annotations

import pytest

from textlora.data.tables import Columns, ReadOptions, find_columns
from textlora.errors import DataError


@pytest.mark.parametrize("text", ["text", "Sentence", "REVIEW", "content"])
@pytest.mark.parametrize("label", ["label", "Labels", "TARGET", "sentiment"])
def test_usual_names_are_found_in_any_case(text: str, label: str) -> None:
    assert find_columns(["id", text, label], ReadOptions(), "f") == Columns(text, label)


def test_named_columns_win() -> None:
    options = ReadOptions(text_column="content", label_column="stars")
    assert find_columns(["text", "content", "stars"], options, "f") == Columns("content", "stars")


def test_a_named_label_column_is_no_candidate_for_the_text() -> None:
    options = ReadOptions(label_column="content")
    assert find_columns(["text", "content"], options, "f") == Columns("text", "content")


def test_labels_are_not_looked_for_when_unlabelled() -> None:
    columns = find_columns(["text", "label", "target"], ReadOptions(labelled=False), "f")
    assert columns == Columns("text", None)


def test_ambiguous_lists_the_columns_and_the_flag() -> None:
    with pytest.raises(DataError, match=r"'label', 'target'.*all columns: .*--label-column"):
        find_columns(["text", "label", "target"], ReadOptions(), "f")


def test_missing_lists_the_columns_and_the_flag() -> None:
    with pytest.raises(DataError, match=r"f: no column.*'a', 'b'.*--text-column"):
        find_columns(["a", "b"], ReadOptions(), "f")


def test_wrong_name_suggests_the_nearest() -> None:
    with pytest.raises(DataError, match="Did you mean --text-column Review"):
        find_columns(["Review", "stars"], ReadOptions(text_column="reviews"), "f")


def test_one_column_for_both_is_refused() -> None:
    options = ReadOptions(text_column="text", label_column="text")
    with pytest.raises(DataError, match="for the texts and for the labels"):
        find_columns(["text"], options, "f")


def test_duplicate_names_are_refused_but_not_empty_ones() -> None:
    with pytest.raises(DataError, match="'label' more than once"):
        find_columns(["text", "label", "label"], ReadOptions(), "f")
    assert find_columns(["", "", "text", "label"], ReadOptions(), "f").text == "text"


def test_a_header_that_is_a_long_text_is_clipped() -> None:
    with pytest.raises(DataError) as caught:
        find_columns(["x" * 5_000, *map(str, range(99))], ReadOptions(), "f")
    assert len(str(caught.value)) < 500
    assert "and 80 more" in str(caught.value)
