"""Several labels in one cell: found where it is likely, and only there."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import pytest

from textlora.config import DataConfig
from textlora.data.classes import likely_separator, rules_for_rare
from textlora.data.labels import LabelSet
from textlora.data.tables import Label, TextTable
from textlora.errors import DataError

TOPICS = ("acq", "earn", "grain", "ship", "trade", "wheat")


def table(labels: list[str]) -> TextTable:
    count = len(labels)
    lines = list(range(2, count + 2))
    return TextTable("n.csv", ["text"] * count, list[Label](labels), lines, [], None, "label")


@pytest.mark.parametrize("separator", ["|", ";", ", "])
def test_joined_labels_are_no_wrong_column(separator: str) -> None:
    """The error that proposes another column led nowhere."""
    labels = [separator.join(pair) for pair in combinations(TOPICS, 2)]
    with pytest.raises(DataError) as caught:
        LabelSet.from_table(table(labels))
    assert "15 of 15 different labels" in caught.value.problem
    assert "taken apart they are 6 labels" in caught.value.problem
    assert f"--label-separator '{separator.strip()}'" in caught.value.remedy


def test_joined_labels_of_which_some_have_one_row() -> None:
    labels = [*TOPICS * 5, *("|".join(pair) for pair in combinations(TOPICS, 2))]
    with pytest.raises(DataError, match=r"15 of 21 different labels have '\|' in them"):
        LabelSet.from_table(table(labels))


def test_joined_labels_that_can_be_classes_stay_classes() -> None:
    labels = ["|".join(pair) for pair in combinations(TOPICS, 2)] * 2
    assert LabelSet.from_table(table(labels)).num_labels == 15


def test_a_least_number_of_rows_says_that_they_are_classes() -> None:
    joined = ["|".join(pair) for pair in combinations(TOPICS, 2)]
    rules = rules_for_rare(table([*joined * 3, "acq"]), DataConfig(min_rows_per_class=3))
    assert list(rules.gone) == ["acq"]


@pytest.mark.parametrize(
    "labels",
    [
        [f"{city}, France" for city in ("Lyon", "Nice", "Lille", "Brest", "Metz")] * 3,
        [f"City {number}, Land {number % 3}" for number in range(30)],
        ["a", "b", "a|b"],
        [f"class {number}" for number in range(40)],
        list(range(40)),
    ],
)
def test_names_with_a_comma_in_them_are_left_alone(labels: list[Label]) -> None:
    assert likely_separator(Counter(labels)) is None
