"""Classes: their order and names, and labels as numbers and back."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from textlora.data.labels import LabelSet
from textlora.data.tables import Label, TextTable
from textlora.errors import DataError


def table(
    labels: Sequence[Label] | None, names: list[str] | None = None, rows: int = 1
) -> TextTable:
    """Return a table with these labels; line 2 is the first."""
    count = len(labels) if labels is not None else rows
    return TextTable(
        "train.csv",
        [f"text {i}" for i in range(count)],
        None if labels is None else list(labels),
        list(range(2, count + 2)),
        [],
        names,
        "label",
    )


def test_integers_are_in_numerical_order() -> None:
    labels = LabelSet.from_table(table([10, 2, 10, 2, -1, -1]))
    assert labels.values == (-1, 2, 10)
    assert labels.names == ("-1", "2", "10")
    assert labels.id2label == {0: "-1", 1: "2", 2: "10"}
    assert labels.label2id == {"-1": 0, "2": 1, "10": 2}
    assert labels.num_labels == 3


def test_strings_are_in_alphabetical_order() -> None:
    labels = LabelSet.from_table(table(["pos", "neg", "pos", "neg"]))
    assert labels.names == labels.values == ("neg", "pos")
    assert labels.encode(table(["pos", "neg"])).tolist() == [1, 0]


def test_names_for_integers_given_or_known_by_the_table() -> None:
    rows = [1, 0, 1, 0]
    assert LabelSet.from_table(table(rows), ["neg", "pos"]).names == ("neg", "pos")
    assert LabelSet.from_table(table(rows, ["bad", "good"])).names == ("bad", "good")
    assert LabelSet.from_table(table(rows, ["bad", "good"]), ["n", "p"]).names == ("n", "p")


def test_a_named_class_without_rows_is_kept() -> None:
    labels = LabelSet.from_table(table([0, 2, 0, 2]), ["a", "b", "c"])
    assert labels.values == (0, 1, 2)
    assert labels.encode(table([2])).tolist() == [2]


def test_multi_label_is_an_indicator_matrix() -> None:
    labels = LabelSet.from_table(table([("a", "b"), ("b",), (), ("a",)]))
    assert labels.multi_label
    targets = labels.encode(table([("a", "b"), (), ("b",)]))
    assert targets.dtype == np.float32
    assert targets.tolist() == [[1, 1], [0, 0], [0, 1]]


def test_multi_label_class_numbers_with_names() -> None:
    labels = LabelSet.from_table(table([("0", "1"), ("0", "1")], ["joy", "fear"]))
    assert (labels.names, labels.values) == (("joy", "fear"), ("0", "1"))


def test_integers_of_a_text_file_match_classes_read_as_strings() -> None:
    labels = LabelSet.from_table(table(["1", "2", "x"] * 2))
    assert labels.encode(table([1, 2])).tolist() == [0, 1]


@pytest.mark.parametrize(
    ("train", "new", "told"),
    [
        (["pos", "neg"] * 2, ["pos", "Pos"], "line 3, column 'label': the label 'Pos'"),
        ([0, 1] * 2, ["pos", 0], "line 2, column 'label': the label 'pos'"),
        ([0, 1] * 2, ["0", "1", "x"], "line 4, column 'label': the label 'x'"),
        ([0, 1] * 2, ["0", "0"], r"line 2, column 'label': the label '0' \(2 rows\)"),
        ([("a",), ("b",)] * 2, [("a", "c")], "line 2, column 'label': the label 'c'"),
        (["a", "b"] * 2, [("a", "b")], r"line 2, column 'label': the label \('a', 'b'\)"),
    ],
)
def test_unknown_label_is_named_with_its_line(
    train: list[Label], new: list[Label], told: str
) -> None:
    labels = LabelSet.from_table(table(train))
    with pytest.raises(DataError, match=rf"train\.csv, {told} is not one of the training labels"):
        labels.encode(table(new))


def test_all_unknown_labels_are_named_at_once_with_rows_and_lines() -> None:
    labels = LabelSet.from_table(table(["pos", "neg"] * 2))
    with pytest.raises(DataError) as caught:
        labels.encode(table(["pos", "good", "bad", "neg", "good"]))
    assert "2 labels are not among the training labels ('neg', 'pos')" in caught.value.problem
    assert "'good' (2 rows, from line 3), 'bad' (line 4)." in caught.value.problem
    with pytest.raises(DataError, match=r"30 labels .*'u19' \(line 21\) and 10 more\."):
        labels.encode(table([f"u{number}" for number in range(30)]))


def test_all_classes_with_one_row_are_named_at_once() -> None:
    with pytest.raises(DataError) as caught:
        LabelSet.from_table(table(["a", "b", "a", "c", "d", "d"]))
    assert "2 classes have one row only: 'b' (line 3), 'c' (line 5)." in caught.value.problem
    assert "--min-rows-per-class 3" in caught.value.remedy
    with pytest.raises(DataError, match=r"32 classes .*'u19' \(line 23\) and 12 more\."):
        LabelSet.from_table(table(["a", "a", *(f"u{number}" for number in range(32))]))


def test_names_of_numbers_do_not_get_in_the_way_of_labels_with_names() -> None:
    """Recipes bring names; a table may have its own."""
    labels = LabelSet.from_table(table(["b", "a"] * 2), ["no", "yes"])
    assert labels.names == labels.values == ("a", "b")
    assert LabelSet.from_table(table([("0", "1"), ("1", "0")]), ["no", "yes"]).names == (
        "no",
        "yes",
    )


def test_names_are_no_labels() -> None:
    labels = LabelSet.from_table(table([0, 1] * 2), ["neg", "pos"])
    with pytest.raises(DataError, match=r"'pos' is not one of the training labels \(0, 1\)"):
        labels.encode(table(["pos"]))


@pytest.mark.parametrize(
    ("labels", "names", "told"),
    [
        ([1, 1, 1], None, r"train\.csv, column 'label': there is one class only \(1\)\. .*two"),
        ([()], None, r"one class only \(none\)"),
        ([("a",), ("a",)], None, "one class only"),
        (["a", "b", "a"], None, r"train\.csv, line 3, .*the class 'b' has one row only\. Give"),
        (list(range(11)), None, "11 different labels in 11 rows.*wrong column.*--label-column"),
        ([i // 2 for i in range(2_002)], None, "1001 different labels.*wrong column"),
        ([0, 1, 0, 1, 2, 2], ["a", "b"], "line 6, .*label 2 has no name; .* from 0 to 1"),
        ([("0", "9"), ("0", "9")], ["a", "b"], "label '9' has no name"),
        ([0, 1] * 2, ["a", "a"], "two classes have the same name"),
        (None, None, "no labels"),
    ],
)
def test_training_labels_that_cannot_be_used(
    labels: list[Label] | None, names: list[str] | None, told: str
) -> None:
    with pytest.raises(DataError, match=told):
        LabelSet.from_table(table(labels), names)


_NAMES = st.lists(st.text(min_size=1, max_size=5), min_size=2, max_size=6, unique=True)
_NUMBERS = st.lists(st.integers(-99, 99), min_size=2, max_size=6, unique=True)


@given(classes=_NAMES | _NUMBERS, order=st.randoms(use_true_random=False))
def test_decode_undoes_encode(classes: list[Label], order: random.Random) -> None:
    rows = classes * 3
    order.shuffle(rows)
    labels = LabelSet.from_table(table(rows))
    assert labels.decode(labels.encode(table(rows))) == rows
    assert list(labels.values) == sorted(classes)


@given(st.lists(st.sets(st.sampled_from("abcd")), min_size=1, max_size=9))
def test_decode_undoes_encode_for_many_labels(sets: list[set[str]]) -> None:
    rows: list[Label] = [tuple(sorted(one)) for one in sets]
    labels = LabelSet(("a", "b", "c", "d"), True, ("a", "b", "c", "d"))
    assert labels.decode(labels.encode(table(rows))) == rows
