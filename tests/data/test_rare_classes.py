"""Classes with few rows and classes that training lacks: left out, merged, said."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest

from textlora.config import DataConfig
from textlora.data import load_labelled, load_parts
from textlora.data.loading import Parts
from textlora.errors import ConfigError, DataError
from textlora.recipes import load_recipe


def write(path: Path, labels: list[str]) -> str:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        writer.writerows([f"text {row} of {label}", label] for row, label in enumerate(labels))
    return str(path)


Load = Callable[..., Parts]
TRAIN = ["a"] * 6 + ["b"] * 6 + ["x", "y", "y"]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Return a function that loads training and test labels with settings."""

    def _load(train: list[str], test: list[str], **settings: object) -> Parts:
        files = {
            "train": write(tmp_path / "train.csv", train),
            "test": write(tmp_path / "test.csv", test),
        }
        return load_parts(DataConfig.model_validate({**files, "validation_size": 3, **settings}))

    return _load


def test_rare_classes_are_left_out_everywhere(load: Load) -> None:
    parts = load(TRAIN, ["a", "b", "y", "a"], min_rows_per_class=3)
    assert parts.labels.values == ("a", "b")
    assert len(parts.train) + len(parts.validation) == 12
    assert len(parts.test) == 3
    assert [row.line for row in parts.set_aside] == [14, 15, 16, 4]
    assert parts.set_aside[0].reason == (
        "the class 'x' has 1 row in training, fewer than 3 (data.min_rows_per_class)"
    )
    assert parts.notes[0] == "2 classes with fewer than 3 rows left out: 'x' (1), 'y' (2)"
    assert parts.notes[1] == f"test: 1 row set aside: {parts.set_aside[-1].reason} (1 row)"


def test_rare_classes_become_one_class(load: Load) -> None:
    parts = load(TRAIN, ["a", "y", "x"], min_rows_per_class=3, rare_classes="other")
    assert parts.labels.names == ("a", "b", "other")
    assert parts.labels.merged == ("x", "y")
    assert parts.test.targets.tolist() == [0, 2, 2]
    assert parts.set_aside == []
    assert parts.notes == [
        "2 classes with fewer than 3 rows merged into 'other' (3 rows): 'x' (1), 'y' (2)"
    ]


def test_an_other_that_would_be_rare_itself_is_left_out(load: Load) -> None:
    parts = load(TRAIN, ["a", "y"], min_rows_per_class=4, rare_classes="other")
    assert parts.labels.names == ("a", "b")
    assert len(parts.set_aside) == 4


def test_numbers_with_names_keep_them(load: Load) -> None:
    train = ["0"] * 6 + ["1"] * 6 + ["2", "3", "3"]
    names = ["zero", "one", "two", "three"]
    settings = {"min_rows_per_class": 3, "label_names": names}
    assert load(train, ["0"], **settings).labels.names == ("zero", "one")
    merged = load(train, ["1", "3"], **settings, rare_classes="other")
    assert merged.labels.names == ("zero", "one", "other")
    assert merged.labels.values == (0, 1, "other")
    assert merged.test.targets.tolist() == [1, 2]


def test_of_several_labels_only_the_rare_ones_go(load: Load) -> None:
    train = ["a|b", "a", "b"] * 4 + ["a|x", "x"]
    parts = load(train, ["a|x", "b"], min_rows_per_class=3, label_separator="|")
    assert parts.labels.values == ("a", "b")
    assert parts.test.targets.tolist() == [[1, 0], [0, 1]]
    assert [row.text for row in parts.set_aside] == ["text 13 of x"]


def test_rows_of_unknown_classes_stop_or_are_set_aside(load: Load) -> None:
    test = ["a", "z", "z", "b"]
    with pytest.raises(DataError, match=r"'z'.*--on-unknown-classes skip"):
        load(TRAIN[:12], test)
    parts = load(TRAIN[:12], test, on_unknown_classes="skip")
    assert parts.test.targets.tolist() == [0, 1]
    assert parts.notes == [
        "test: 2 rows set aside: the class 'z' is not in the training rows (2 rows)"
    ]


def test_an_odd_label_among_numbers_takes_only_its_row_along(load: Load) -> None:
    """It makes a file's whole column strings."""
    parts = load(["0", "1"] * 6, ["0", "odd", "1"], on_unknown_classes="skip")
    assert parts.test.targets.tolist() == [0, 1]


def test_labels_that_are_no_classes_are_said_to_be_none(load: Load) -> None:
    with pytest.raises(DataError, match="wrong column"):
        load([f"title {row}" for row in range(30)], ["a"], min_rows_per_class=3)


def test_new_rows_are_labelled_as_the_training_rows_were(load: Load, tmp_path: Path) -> None:
    labels = load(TRAIN, ["a"], min_rows_per_class=3, rare_classes="other").labels
    new = write(tmp_path / "new.csv", ["x", "a", "z"])
    with pytest.raises(DataError, match="the label 'z'"):
        load_labelled(new, DataConfig(), labels)
    part = load_labelled(new, DataConfig(on_unknown_classes="skip"), labels)
    assert part.targets.tolist() == [2, 0]
    assert [row.line for row in part.table.rejected] == [4]


def test_other_needs_a_number() -> None:
    with pytest.raises(ConfigError, match="min-rows-per-class"):
        load_recipe(None).config(data={"rare_classes": "other"})
