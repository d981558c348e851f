"""Splits are partitions, seeded and stratified."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from textlora.data.splitting import random_subset, stratified_split
from textlora.errors import DataError


@given(
    sizes=st.lists(st.integers(10, 40), min_size=2, max_size=4),
    share=st.floats(0.2, 0.8),
    seed=st.integers(0, 100),
)
def test_split_is_a_seeded_stratified_partition(sizes: list[int], share: float, seed: int) -> None:
    targets = np.concatenate([np.full(size, index) for index, size in enumerate(sizes)])
    split = stratified_split(targets, share, seed)
    assert sorted([*split.keep, *split.held_out]) == list(range(len(targets)))
    again = stratified_split(targets, share, seed)
    assert np.array_equal(split.held_out, again.held_out)
    actual = len(split.held_out) / len(targets)
    for index, size in enumerate(sizes):
        assert abs((targets[split.held_out] == index).sum() - actual * size) <= 1


def test_other_seed_other_split_and_rows_keep_their_order() -> None:
    targets = np.arange(100) % 2
    first, second = stratified_split(targets, 20, 1), stratified_split(targets, 20, 2)
    assert len(first.held_out) == 20
    assert not np.array_equal(first.held_out, second.held_out)
    assert np.array_equal(first.keep, np.sort(first.keep))


def test_multi_label_rows_are_split_at_random() -> None:
    targets = np.zeros((10, 3), np.float32)
    split = stratified_split(targets, 0.3, 0)
    assert (len(split.keep), len(split.held_out)) == (7, 3)


@given(
    copies=st.lists(st.tuples(st.integers(1, 6), st.integers(0, 2)), min_size=20, max_size=60),
    seed=st.integers(0, 100),
)
def test_groups_stay_together(copies: list[tuple[int, int]], seed: int) -> None:
    copies += [(2, one) for one in range(3)]  # no class has a single row
    groups = np.repeat(np.arange(len(copies)), [rows for rows, _ in copies])
    targets = np.array([copies[group][1] for group in groups])
    order = np.random.default_rng(seed).permutation(len(groups))
    groups, targets = groups[order], targets[order]
    split = stratified_split(targets, 0.4, seed, groups=groups)
    assert sorted([*split.keep, *split.held_out]) == list(range(len(targets)))
    assert not set(groups[split.keep]) & set(groups[split.held_out])
    assert len(split.held_out) <= np.ceil(0.4 * len(targets))
    assert np.array_equal(split.held_out, np.sort(split.held_out))
    for one in range(3):
        assert (targets[split.held_out] == one).sum() <= np.ceil(0.4 * (targets == one).sum())


def test_whole_groups_fill_the_split() -> None:
    groups = np.repeat(np.arange(200), 2)
    targets = groups % 4
    split = stratified_split(targets, 0.2, 0, groups=groups)
    assert np.bincount(targets[split.held_out]).tolist() == [20] * 4


def test_groups_of_one_change_nothing() -> None:
    targets = np.arange(100) % 3
    plain = stratified_split(targets, 20, 1)
    grouped = stratified_split(targets, 20, 1, groups=np.arange(100)[::-1])
    assert np.array_equal(plain.held_out, grouped.held_out)


def test_a_large_group_stays_and_a_single_one_is_torn() -> None:
    groups = np.array([0] * 60 + list(range(1, 41)))
    split = stratified_split(np.arange(100) % 2, 10, 0, groups=groups)
    assert len(split.held_out) == 10
    assert 0 not in groups[split.held_out]
    torn = stratified_split(np.arange(100) % 2, 10, 0, groups=np.zeros(100, np.int64))
    assert len(torn.held_out) == 10


@pytest.mark.parametrize("size", [10, 11, 500])
def test_too_many_rows(size: int) -> None:
    with pytest.raises(DataError, match=r"reviews\.csv: .*rows cannot be split off.*size"):
        stratified_split(np.arange(10) % 2, size, 0, source="reviews.csv")


def test_a_class_too_small_is_named() -> None:
    with pytest.raises(DataError, match=r"class 'rare' has one row left.*--valid"):
        stratified_split(np.array([0] * 9 + [1]), 2, 0, names=["usual", "rare"])


def test_a_part_too_small_for_all_classes() -> None:
    with pytest.raises(DataError, match=r"28 and 2 rows is too small .* 3 classes"):
        stratified_split(np.arange(30) % 3, 2, 0)


@given(st.integers(0, 50), st.integers(1, 60), st.integers(0, 9))
def test_subset_is_seeded_sorted_and_without_repeats(total: int, count: int, seed: int) -> None:
    subset = random_subset(total, count, seed)
    assert len(subset) == min(total, count)
    assert np.array_equal(subset, np.unique(subset))
    assert np.array_equal(subset, random_subset(total, count, seed))
    assert all(0 <= index < total for index in subset)
