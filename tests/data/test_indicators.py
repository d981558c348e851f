"""A matrix of 0 and 1 is told from lists of labels, and says which labels a text has."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import coo_matrix, csr_array

from textlora.data.python import indicators_of, truth_of
from textlora.errors import DataError

MATRIX = np.array([[1, 0, 0], [0, 1, 1], [0, 0, 0], [1, 1, 1]])


@pytest.mark.parametrize(
    "given",
    [
        MATRIX,
        MATRIX.astype(bool),
        MATRIX.astype(np.float32),
        MATRIX.astype(object),
        MATRIX.tolist(),
        [tuple(row) for row in MATRIX.astype(bool).tolist()],
        csr_array(MATRIX),
        coo_matrix(MATRIX),
        pd.DataFrame(MATRIX),
    ],
)
def test_every_kind_of_matrix(given: Any) -> None:
    found = indicators_of(given)
    assert found is not None
    assert found.values.dtype == np.int64
    assert found.values.tolist() == MATRIX.tolist()
    assert found.label_lists() == [["0"], ["1", "2"], [], ["0", "1", "2"]]


@pytest.mark.parametrize(
    "given",
    [
        [0, 1, 1],
        np.array(["a", "b"]),
        pd.Series([0, 1]),
        [["a"], ["b", "c"], []],
        [["a", "b"], ["b", "c"]],
        [["0", "1"], ["1", "0"]],
        [[0], [1], [1]],
        [[0, 2], [1, 0]],
        [],
    ],
)
def test_what_is_no_matrix(given: Any) -> None:
    assert indicators_of(given) is None


def test_a_frame_names_its_columns_and_they_are_put_in_order() -> None:
    found = indicators_of(pd.DataFrame(MATRIX, columns=["sad", "glad", "mad"]))
    assert found is not None
    assert found.label_lists()[1] == ["glad", "mad"]
    turned = found.aligned(["mad", "glad", "sad"])
    assert turned.values.tolist() == MATRIX[:, ::-1].tolist()
    assert turned.label_lists()[1] == ["mad", "glad"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (np.array([[0, 1], [2, 1]]), "line 1, column '0': .*2.* is neither 0 nor 1"),
        (pd.DataFrame({"a": [0, 1], "b": [1, 0.5]}), "line 1, column 'b': .*0.5"),
        (np.array([["x", "y"], ["y", "x"]]), "neither 0 nor 1"),
        (np.array([[0, 1], [np.nan, 1]]), "neither 0 nor 1"),
        (np.zeros((3, 2)), "no text has a label"),
        (pd.DataFrame([[0, 1]], columns=["a", "a"]), "same name"),
    ],
)
def test_what_cannot_be_used(given: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        indicators_of(given)


def test_truth_of_a_matrix_and_of_lists() -> None:
    names = ["sad", "glad", "mad"]
    lists = [["sad"], ("glad", "mad"), [], {"sad", "glad", "mad"}]
    for given in (MATRIX, lists, pd.DataFrame(MATRIX[:, ::-1], columns=names[::-1])):
        assert truth_of(given, names).tolist() == MATRIX.tolist()
    assert truth_of(["sad", ["glad", "bored"], "mad"], names).tolist() == [
        [1, 0, 0],
        [-1, -1, -1],
        [0, 0, 1],
    ]
    assert truth_of([0, [1, 2]], ["0", "1", "2"]).tolist() == [[1, 0, 0], [0, 1, 1]]


@pytest.mark.parametrize(
    "given", [MATRIX[:, :2], pd.DataFrame(MATRIX, columns=["sad", "glad", "bored"])]
)
def test_other_columns_than_the_labels(given: Any) -> None:
    with pytest.raises(DataError, match="the labels are sad, glad, mad"):
        truth_of(given, ["sad", "glad", "mad"])
