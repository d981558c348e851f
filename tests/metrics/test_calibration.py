"""Temperature, reliability, calibration error and Brier score, against their definitions."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, log_expit, log_softmax, softmax
from sklearn import metrics as reference

from support.examples import examples
from textlora.metrics.calibration import (
    ALL_RIGHT,
    HIGHEST,
    LOWEST,
    Calibration,
    brier_score,
    calibrate,
    expected_calibration_error,
    fit_temperature,
    reliability_bins,
)
from textlora.metrics.classification import classification_metrics

FEW = examples(30)


@st.composite
def scored(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Raw logits `[n, units]` and their truth: many classes, one unit, or several labels."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    rows, units = draw(st.integers(1, 60)), draw(st.integers(1, 5))
    scale = draw(st.sampled_from([0.01, 1.0, 8.0]))
    logits = (scale * random.normal(size=(rows, units))).astype(np.float32)
    if draw(st.booleans()):
        return logits, random.integers(0, 2, (rows, units)).astype(np.float32)
    return logits, random.integers(0, max(2, units), rows)


def loss(logits: np.ndarray, targets: np.ndarray, temperature: float) -> float:
    """scipy's mean cross-entropy; probabilities would lose digits, and scikit-learn clips them."""
    scaled = logits.astype(np.float64) / temperature
    if targets.ndim == 2 or logits.shape[1] == 1:
        flat, truth = scaled.ravel(), targets.ravel()
        return float(-np.where(truth == 1, log_expit(flat), log_expit(-flat)).mean())
    return float(-log_softmax(scaled, axis=1)[np.arange(len(targets)), targets].mean())


@FEW
@given(scored())
def test_no_temperature_is_better(case: tuple[np.ndarray, np.ndarray]) -> None:
    logits, targets = case
    found = fit_temperature(logits, targets)
    best = loss(logits, targets, found)
    assert best <= loss(logits, targets, 1.0) + 1e-9
    calibration = calibrate(logits, targets)
    if calibration.note is None:
        others = np.geomspace(LOWEST, HIGHEST, 60)
        assert best <= min(loss(logits, targets, other) for other in others) + 1e-6
    assert calibration.validation.before.nll == pytest.approx(loss(logits, targets, 1.0), abs=1e-9)
    assert calibration.validation.after.nll == pytest.approx(best, abs=1e-9)


@FEW
@given(scored())
def test_no_answer_changes(case: tuple[np.ndarray, np.ndarray]) -> None:
    logits, targets = case
    scaled = logits.astype(np.float64) / fit_temperature(logits, targets)
    assert (scaled.argmax(axis=1) == logits.argmax(axis=1)).all()
    assert ((expit(scaled) >= 0.5) == (logits >= 0)).all()


@pytest.mark.parametrize("true", [0.3, 1.0, 4.0])
@pytest.mark.parametrize("kind", ["classes", "unit", "labels"])
def test_a_known_temperature_is_found(kind: str, true: float) -> None:
    random = np.random.default_rng(3)
    logits = true * 2 * random.normal(size=(20_000, 1 if kind == "unit" else 4))
    if kind == "classes":
        shares = softmax(logits / true, axis=1).cumsum(axis=1)
        targets = (random.random((len(logits), 1)) > shares).sum(axis=1)
    else:
        targets = (random.random(logits.shape) < expit(logits / true)).astype(int)
        targets = targets[:, 0] if kind == "unit" else targets
    calibration = calibrate(logits, targets)
    assert calibration.temperature == pytest.approx(true, rel=0.05)
    assert calibration.validation.after.ece < 0.015
    assert calibration.note is None


def test_where_all_is_right_there_is_nothing_to_fit() -> None:
    calibration = calibrate([[2.0, 0.0], [0.0, 1.0]], [0, 1])
    assert (calibration.temperature, calibration.note) == (1.0, ALL_RIGHT)
    assert calibration.validation.before == calibration.validation.after


def test_hopeless_logits_keep_to_the_bound() -> None:
    assert fit_temperature([[9.0, 0.0], [0.0, 9.0]], [1, 0]) == pytest.approx(HIGHEST, rel=1e-3)


def test_huge_logits_are_no_trouble() -> None:
    calibration = calibrate([[1e6, -1e6], [-1e6, 1e6], [1e6, -1e6]], [0, 1, 1])
    assert np.isfinite(calibration.validation.after.nll)


@FEW
@given(scored(), st.booleans())
def test_figures_survive_json(case: tuple[np.ndarray, np.ndarray], with_test: bool) -> None:
    calibration = calibrate(*case)
    if with_test:
        calibration = calibration.tested(*case)
        assert calibration.lead == calibration.test == calibration.validation
    assert Calibration.from_dict(json.loads(json.dumps(calibration.to_dict()))) == calibration


@pytest.mark.parametrize(
    ("logits", "targets"),
    [
        ([[60.0, -60.0], [70.0, 0.0], [0.0, 3.0]], [0, 1, 1]),
        ([[90.0], [-40.0], [25.0], [60.0]], [1, 0, 1, 0]),
        ([[90.0, -45.0], [30.0, 60.0], [-20.0, 5.0]], [[1, 1], [1, 0], [0, 1]]),
    ],
    ids=["classes", "unit", "labels"],
)
def test_the_log_loss_of_sure_mistakes_is_the_same_everywhere(logits: list, targets: list) -> None:
    """Of probabilities it would be cut at 36 nats, in single precision at 16."""
    values, truth = np.array(logits, np.float32), np.array(targets)
    yes = expit(values)
    probable = softmax(values, axis=1) if truth.ndim == 1 and values.shape[1] > 1 else yes
    if probable.shape[1] == 1:
        probable = np.concatenate([1 - yes, yes], axis=1)
    found = classification_metrics(
        truth, probable, ["a", "b"], multi_label=truth.ndim == 2, logits=values
    )
    expected = loss(values, truth, 1.0)
    assert found.log_loss == pytest.approx(expected, rel=1e-12)
    assert calibrate(values, truth).validation.before.nll == pytest.approx(expected, rel=1e-12)


def test_the_test_part_has_no_say() -> None:
    random = np.random.default_rng(4)
    logits, targets = random.normal(size=(50, 3)), random.integers(0, 3, 50)
    calibration = calibrate(logits, targets)
    tested = calibration.tested(10 * logits, (targets + 1) % 3)
    assert tested.temperature == calibration.temperature
    assert tested.validation == calibration.validation
    assert tested.lead != calibration.lead


@pytest.mark.parametrize(
    ("logits", "targets"), [([[0.0, 1.0]], [0, 1]), (np.empty((0, 2)), []), ([[0.0, 1.0]], [[1]])]
)
def test_what_does_not_fit_is_refused(logits: list, targets: list) -> None:
    with pytest.raises(ValueError, match="do not fit together"):
        calibrate(logits, targets)


FEW_of_reliability = examples(30)


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


@FEW_of_reliability
@given(single_label())
def test_single_label_figures(case: tuple[np.ndarray, np.ndarray]) -> None:
    truth, probable = case
    labels = range(probable.shape[1])
    expected = reference.brier_score_loss(truth, probable, labels=labels, scale_by_half=False)
    assert brier_score(truth, probable) == exactly(expected)
    right = probable.argmax(axis=1) == truth
    expected = error_by_hand(right, probable.max(axis=1))
    assert expected_calibration_error(truth, probable) == exactly(expected)


@FEW_of_reliability
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


@FEW_of_reliability
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


def test_what_does_not_fit_is_refused_of_reliability() -> None:
    with pytest.raises(ValueError, match="do not fit together"):
        brier_score([0, 1], [[0.5, 0.5]])
    with pytest.raises(ValueError, match="do not fit together"):
        expected_calibration_error([], np.empty((0, 2)))
