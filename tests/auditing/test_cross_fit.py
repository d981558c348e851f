"""Folds, and that every row is answered once, by a model that did not see it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from textlora.auditing.audit import cross_fit, make_folds
from textlora.auditing.suspects import word_count_probabilities
from textlora.errors import ConfigError, DataError

NAMES = ("a", "b", "c")


def folds_of(texts: list[str], targets: Any, count: int, seed: int = 0) -> Any:
    return make_folds(texts, np.array(targets), count, seed, names=NAMES, source="rows.csv")


@given(
    sizes=st.lists(st.integers(5, 20), min_size=2, max_size=3),
    count=st.integers(2, 5),
    seed=st.integers(0, 99),
)
def test_folds_are_stratified_and_seeded(sizes: list[int], count: int, seed: int) -> None:
    targets = np.repeat(np.arange(len(sizes)), sizes)
    texts = [f"text {row}" for row in range(len(targets))]
    folds = folds_of(texts, targets, count, seed)
    assert set(folds) == set(range(count))
    for number in range(len(sizes)):
        members = np.bincount(folds[targets == number], minlength=count)
        assert members.max() - members.min() <= 1
    again = folds_of(texts, targets, count, seed)
    np.testing.assert_array_equal(folds, again)


def test_another_seed_deals_otherwise() -> None:
    texts, targets = [f"text {row}" for row in range(60)], [row % 2 for row in range(60)]
    first, second = (folds_of(texts, targets, 5, seed) for seed in (1, 2))
    assert (first != second).any()


@given(
    of_text=st.lists(st.integers(0, 14), min_size=60, max_size=60),
    multi_label=st.booleans(),
    seed=st.integers(0, 9),
)
def test_rows_with_one_text_stay_together(of_text: list[int], multi_label: bool, seed: int) -> None:
    numbers = [*range(15), *of_text]  # every text occurs
    texts = [f"text {number}" for number in numbers]
    targets = np.array([number % 2 for number in numbers])
    if multi_label:
        targets = np.stack([targets, 1 - targets], axis=1)
    folds = folds_of(texts, targets, 4, seed)
    for fold in range(4):
        seen = {texts[row] for row in np.flatnonzero(folds != fold)}
        held_out = {texts[row] for row in np.flatnonzero(folds == fold)}
        assert held_out
        assert not seen & held_out


@given(
    of_row=st.lists(st.integers(0, 2), min_size=3, max_size=40).map(lambda rest: [0, 1, 2, *rest])
)
def test_every_row_is_answered_once_by_a_model_that_did_not_see_it(of_row: list[int]) -> None:
    folds = np.array(of_row)
    asked: list[int] = []

    def fit_predict(train: Any, held_out: Any) -> Any:
        assert not set(train) & set(held_out)
        assert sorted([*train, *held_out]) == list(range(len(of_row)))
        asked.extend(held_out.tolist())
        return np.stack([held_out, -held_out], axis=1)

    answers = cross_fit(fit_predict, folds, 2)
    assert sorted(asked) == list(range(len(of_row)))
    np.testing.assert_array_equal(answers[:, 0], np.arange(len(of_row)))


def test_a_class_with_fewer_texts_than_folds_is_named() -> None:
    texts = [f"text {row}" for row in range(12)]
    with pytest.raises(DataError, match="the class 'b' has 3 different texts, fewer than the 5"):
        folds_of(texts, [0] * 9 + [1] * 3, 5)
    with pytest.raises(DataError, match="the class 'b' has 1 different texts"):
        folds_of([*texts[:9], "x", "x", "x"], [0] * 9 + [1] * 3, 2)
    with pytest.raises(DataError, match="there are 2 different texts"):
        folds_of(["x", "y", "y", "x"], [[1, 0]] * 4, 3)
    with pytest.raises(ConfigError, match="at least two"):
        folds_of(texts, [0, 1] * 6, 1)


def test_word_counts_answer_rows_that_they_did_not_see() -> None:
    texts = ["a good film", "a bad film"] * 10
    targets = np.array([1, 0] * 10)
    train, held_out = np.arange(12), np.arange(12, 20)
    answers = word_count_probabilities(texts, targets, train, held_out, 3)
    np.testing.assert_array_equal(answers.argmax(axis=1), targets[held_out])
    np.testing.assert_array_equal(answers[:, 2], 0)
    turned = np.where(np.arange(20) < 12, targets, 1 - targets)
    again = word_count_probabilities(texts, turned, train, held_out, 3)
    np.testing.assert_array_equal(answers, again)
    several = np.stack([targets, 1 - targets, np.ones(20, int)], axis=1)
    answers = word_count_probabilities(texts, several, train, held_out, 3)
    np.testing.assert_array_equal(answers >= 0.5, several[held_out] > 0)
