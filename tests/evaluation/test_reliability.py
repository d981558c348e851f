"""Calibration error and Brier score: by hand, by scikit-learn, and where the answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as reference

from support.examples import examples
from textlora.evaluation.reliability import (
    brier_score,
    expected_calibration_error,
    reliability_bins,
)

FEW = examples(30)


def exactly(value: float) -> object:
    return pytest.approx(value, abs=1e-9)


@st.composite
def single_label(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Class numbers `[n]`, and probabilities `[n, k]`."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    rows, classes = draw(st.integers(1, 60)), draw(st.integers(2, 5))
    probable = random.dirichlet(np.full(classes, draw(st.sampled_from([0.1, 1.0, 5.0]))), rows)
    return random.integers(0, classes, rows), probable


@st.composite
def several_labels(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """0 or 1 `[n, k]`, and probabilities `[n, k]`."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = draw(st.integers(1, 40)), draw(st.integers(1, 4))
    return random.integers(0, 2, shape), random.random(shape)


def error_by_hand(right: np.ndarray, confidence: np.ndarray) -> float:
    """The definition of Guo et al., row by row."""
    total = 0.0
    for low in range(15):
        inside = [i for i, c in enumerate(confidence) if low / 15 < c <= (low + 1) / 15]
        if inside:
            gap = abs(np.mean(right[inside]) - np.mean(confidence[inside]))
            total += len(inside) / len(right) * gap
    return total


@FEW
@given(single_label())
def test_single_label_figures(case: tuple[np.ndarray, np.ndarray]) -> None:
    truth, probable = case
    labels = range(probable.shape[1])
    expected = reference.brier_score_loss(truth, probable, labels=labels, scale_by_half=False)
    assert brier_score(truth, probable) == exactly(expected)
    right = probable.argmax(axis=1) == truth
    expected = error_by_hand(right, probable.max(axis=1))
    assert expected_calibration_error(truth, probable) == exactly(expected)


@FEW
@given(several_labels())
def test_each_label_of_each_text_is_a_choice(case: tuple[np.ndarray, np.ndarray]) -> None:
    truth, probable = case
    each = reference.brier_score_loss(
        truth.ravel(), probable.ravel(), labels=[0, 1], scale_by_half=False
    )
    assert brier_score(truth, probable) == exactly(each)
    by_label = [error_by_hand(*label) for label in zip(truth.T, probable.T, strict=True)]
    assert expected_calibration_error(truth, probable) == exactly(np.mean(by_label))


def test_what_one_label_gets_wrong_is_not_made_up_for_by_another() -> None:
    """One label said too often, one too seldom: over both together nothing seems amiss."""
    rows = np.arange(100)
    truth = np.stack([rows < 60, rows < 80], axis=1).astype(int)
    probable = np.full((100, 2), 0.7)
    pooled = reliability_bins(truth, probable)
    assert sum(abs(each.accuracy - each.confidence) for each in pooled) < 1e-9
    assert expected_calibration_error(truth, probable) == exactly(0.1)


@FEW
@given(single_label())
def test_bins_hold_every_row_once(case: tuple[np.ndarray, np.ndarray]) -> None:
    truth, probable = case
    bins = reliability_bins(truth, probable)
    assert sum(entry.rows for entry in bins) == len(truth)
    assert all(entry.low < entry.confidence <= entry.high + 1e-12 for entry in bins)
    right = sum(entry.rows * entry.accuracy for entry in bins)
    assert right == exactly((probable.argmax(axis=1) == truth).sum())


@pytest.mark.parametrize("classes", [2, 5])
def test_what_is_drawn_from_its_probabilities_is_calibrated(classes: int) -> None:
    random = np.random.default_rng(1)
    probable = random.dirichlet(np.ones(classes), 100_000)
    drawn = (random.random((len(probable), 1)) > probable.cumsum(axis=1)).sum(axis=1)
    assert expected_calibration_error(drawn, probable) < 0.01
    surer = probable**3 / (probable**3).sum(axis=1, keepdims=True)
    assert expected_calibration_error(drawn, surer) > 0.1


def test_labels_drawn_from_their_probabilities_are_calibrated() -> None:
    random = np.random.default_rng(2)
    probable = random.random((50_000, 3))
    drawn = (random.random(probable.shape) < probable).astype(int)
    assert expected_calibration_error(drawn, probable) < 0.01


def test_sure_and_wrong_is_the_worst() -> None:
    assert brier_score([0, 1], [[0.0, 1.0], [1.0, 0.0]]) == 2
    assert expected_calibration_error([0, 1], [[0.0, 1.0], [1.0, 0.0]]) == 1


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="do not fit together"):
        brier_score([0, 1], [[0.5, 0.5]])
    with pytest.raises(ValueError, match="do not fit together"):
        expected_calibration_error([], np.empty((0, 2)))
