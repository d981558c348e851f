"""Labels in different spellings."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from textlora.inspection.facts import corrections, find_spellings, spelling_form


def test_the_most_common_spelling_is_proposed() -> None:
    labels = ["pos"] * 5 + ["Pos "] * 2 + ["POS."] + ["neg"] * 4
    (found,) = find_spellings(labels)
    assert found.usual == "pos"
    assert found.rows == {"pos": 5, "Pos ": 2, "POS.": 1}
    assert corrections([found]) == {"Pos ": "pos", "POS.": "pos"}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("very good", "Very-Good"),
        ("very good", "very_good"),
        ("1", "1.0"),
        ('"spam"', "spam"),
        ("ＰＯＳ", "pos"),
        ("sport", "sport,"),
    ],
)
def test_the_same_label(one: str, other: str) -> None:
    assert spelling_form(one) == spelling_form(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("A+", "A"), ("-1", "1"), ("C#", "C"), ("C++", "C"), ("+", "-"), ("1.5", "15"), ("?", "!")],
)
def test_different_labels(one: str, other: str) -> None:
    assert spelling_form(one) != spelling_form(other)


def test_members_of_several_labels_count() -> None:
    (found,) = find_spellings([("a", "b"), ("A",), ("a",), None])
    assert found.rows == {"a": 2, "A": 1}


@given(st.lists(st.integers(-9, 9) | st.sampled_from(["x", "y", "X"]), max_size=20))
def test_every_row_is_counted_once(labels: list[int | str]) -> None:
    for found in find_spellings(labels):
        assert len(found.rows) > 1
        assert all(labels.count(label) == rows for label, rows in found.rows.items())
        assert found.rows[found.usual] == max(found.rows.values())
