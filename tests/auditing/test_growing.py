"""Nested, stratified, seeded subsets."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from textlora.auditing.curve import SHARES, check_smallest, nested_order, sizes_of
from textlora.errors import ConfigError, DataError


@given(targets=st.lists(st.integers(0, 3), min_size=2, max_size=80), seed=st.integers(0, 9))
def test_every_beginning_is_stratified(targets: list[int], seed: int) -> None:
    classes = np.array(targets)
    order = nested_order(classes, seed)
    assert sorted(order) == list(range(len(classes)))
    np.testing.assert_array_equal(order, nested_order(classes, seed))
    for size in range(1, len(order) + 1):
        beginning = classes[order[:size]]
        for number in set(targets):
            expected = (classes == number).mean() * size
            # At most half a row off for each class that may stand before, and a tie.
            assert abs((beginning == number).sum() - expected) <= len(set(targets)) / 2 + 0.5


def test_within_a_class_the_order_is_random() -> None:
    classes = np.arange(100) % 2
    first, second = nested_order(classes, 1), nested_order(classes, 2)
    assert (first != second).any()
    several = nested_order(np.ones((50, 3), np.float32), 1)
    assert sorted(several) == list(range(50))
    assert several.tolist() != list(range(50))


def test_shares_become_sizes() -> None:
    assert sizes_of(SHARES, 1000) == [100, 200, 400, 700, 1000]
    assert sizes_of([1, 0.5, 0.5], 10) == [5, 10]
    for wrong in ([0, 1], [0.5, 1.5], [0.5, float("nan")]):
        with pytest.raises(ConfigError, match="no share of the rows"):
            sizes_of(wrong, 100)
    with pytest.raises(ConfigError, match="1 different sizes"):
        sizes_of([0.001, 0.002], 10)


def test_a_class_that_the_smallest_subset_lacks_is_named() -> None:
    classes = np.array([0] * 97 + [1] * 3)
    order = nested_order(classes, 0)
    with pytest.raises(DataError, match="of 10 rows, has none of the class 'rare'"):
        check_smallest(classes, order, 10, ("common", "rare"), "rows.csv")
    check_smallest(classes, order, 50, ("common", "rare"), "rows.csv")
