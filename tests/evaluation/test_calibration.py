"""Temperature scaling: the minimum is one, answers stay, and a known temperature is found."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, log_expit, log_softmax, softmax

from support.examples import examples
from textlora.evaluation.calibration import (
    ALL_RIGHT,
    HIGHEST,
    LOWEST,
    Calibration,
    calibrate,
    fit_temperature,
)
from textlora.evaluation.metrics import classification_metrics

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
