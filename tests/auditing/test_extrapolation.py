"""The power law, its uncertainty, and what is said of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.examples import examples
from textlora.auditing.learning_curve import (
    LearningCurve,
    Measured,
    PowerLaw,
    extrapolate,
    fit_power_law,
)
from textlora.metrics.comparison import Predictions

SIZES = [100, 200, 400, 700, 1000]


def answers(law: PowerLaw, texts: int, repeats: int = 1, seed: int = 0) -> Any:
    """Draw which texts are right, `[repeats, sizes, texts]`, as the law says."""
    draw = np.random.default_rng(seed)
    return draw.random((repeats, len(SIZES), texts)) < law.value(SIZES)[None, :, None]


def measured(right: Any) -> Measured:
    """Answers of which these are right, `[repeats, sizes, texts]`."""
    truth = np.ones(right.shape[2], np.int64)
    return Measured(
        [[Predictions(truth, texts.astype(np.int64), 2) for texts in repeat] for repeat in right]
    )


@examples(40)
@given(floor=st.floats(0, 0.2), scale=st.floats(0.02, 0.3), exponent=st.floats(0.2, 1.5))
def test_an_exact_law_is_found_again(floor: float, scale: float, exponent: float) -> None:
    law = PowerLaw(1000, floor, scale, exponent)
    found = fit_power_law(SIZES, 1 - law.value(SIZES), np.ones(len(SIZES)))
    np.testing.assert_allclose(found.value(SIZES), law.value(SIZES), atol=2e-4)
    assert float(found.value(2000)) == pytest.approx(float(law.value(2000)), abs=5e-3)


def test_a_steep_curve_is_worth_more_labels() -> None:
    law = PowerLaw(1000, 0.02, 0.15, 0.5)
    curve = LearningCurve.of(SIZES, measured(answers(law, 20_000)), 1.0)
    found = curve.extrapolation
    assert found is not None
    assert found.rows == 2000
    assert found.gain_interval.low < 0.15 * (1 - 2**-0.5) < found.gain_interval.high
    assert found.value_interval.low < float(law.value(2000)) < found.value_interval.high
    assert curve.verdict.startswith("More labels are worth it: twice as many (2,000) would")
    assert "extrapolated" in curve.verdict


def test_a_flat_curve_is_not() -> None:
    curve = LearningCurve.of(SIZES, measured(answers(PowerLaw(1000, 0.1, 0.0, 1.0), 20_000)), 1.0)
    assert curve.verdict.startswith("More labels of this kind are hardly worth it")


def test_few_validation_texts_leave_it_open() -> None:
    curve = LearningCurve.of(SIZES, measured(answers(PowerLaw(1000, 0.02, 0.12, 0.3), 100)), 1.0)
    assert "not sure" in curve.verdict


def test_the_interval_holds_the_gain_about_as_often_as_it_says() -> None:
    law = PowerLaw(1000, 0.05, 0.1, 0.5)
    gain = float(law.value(2000) - law.value(1000))
    inside = 0
    for seed in range(6):
        found = extrapolate(SIZES, measured(answers(law, 1000, repeats=2, seed=seed)).statistics)
        assert found is not None
        inside += found.gain_interval.low <= gain <= found.gain_interval.high
    assert inside >= 5


def test_points_are_means_with_wilson_intervals() -> None:
    right = np.zeros((2, 2, 50), np.bool_)
    right[0, :, :40] = True
    right[1, :, :44] = True
    curve = LearningCurve.of([10, 20], measured(right), 1.0)
    point = curve.points[0]
    assert (point.rows, point.repeats) == (10, (0.8, 0.88))
    assert point.value == pytest.approx(0.84)
    bounds = point.interval
    assert (bounds.low, bounds.high) == pytest.approx((0.7149, 0.9166), abs=1e-4)
    assert curve.extrapolation is None
    assert curve.verdict.startswith("2 sizes are too few")


def test_judged_by_macro_f1_the_curve_rises_though_the_accuracy_stays() -> None:
    """More labels find a rare class, at the price of as many texts of the frequent one."""
    truth = (np.arange(1_000) % 10 == 0).astype(np.int64)
    rare, frequent = np.flatnonzero(truth), np.flatnonzero(truth == 0)
    trainings = []
    for found in (5, 20, 35, 45, 50):
        predicted = np.zeros(1_000, np.int64)
        predicted[rare[:found]] = predicted[frequent[:found]] = 1
        trainings.append(Predictions(truth, predicted, 2))
    by_accuracy = LearningCurve.of(SIZES, Measured([trainings]), 1.0)
    by_f1 = LearningCurve.of(SIZES, Measured([trainings], "f1"), 1.0)
    assert {point.value for point in by_accuracy.points} == {0.9}
    values = [point.value for point in by_f1.points]
    assert values == sorted(values)
    assert values[-1] > values[0] + 0.15
    for point in by_f1.points:
        assert point.interval.low < point.value < point.interval.high
    assert "points of accuracy" in by_accuracy.verdict
    assert by_f1.verdict.startswith("More labels are")
    assert "points of macro F1" in by_f1.verdict
    assert by_f1.to_dict()["metric"] == "f1"
