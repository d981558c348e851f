"""The power law, its uncertainty, and what is said of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.examples import examples
from textlora.auditing.extrapolation import PowerLaw, extrapolate, fit_power_law
from textlora.auditing.learning_curve import LearningCurve

SIZES = [100, 200, 400, 700, 1000]


def answers(law: PowerLaw, texts: int, repeats: int = 1, seed: int = 0) -> Any:
    """Draw which texts are right, `[repeats, sizes, texts]`, as the law says."""
    draw = np.random.default_rng(seed)
    return draw.random((repeats, len(SIZES), texts)) < law.accuracy(SIZES)[None, :, None]


@examples(40)
@given(floor=st.floats(0, 0.2), scale=st.floats(0.02, 0.3), exponent=st.floats(0.2, 1.5))
def test_an_exact_law_is_found_again(floor: float, scale: float, exponent: float) -> None:
    law = PowerLaw(1000, floor, scale, exponent)
    found = fit_power_law(SIZES, 1 - law.accuracy(SIZES), np.ones(len(SIZES)))
    np.testing.assert_allclose(found.accuracy(SIZES), law.accuracy(SIZES), atol=2e-4)
    assert float(found.accuracy(2000)) == pytest.approx(float(law.accuracy(2000)), abs=5e-3)


def test_a_steep_curve_is_worth_more_labels() -> None:
    law = PowerLaw(1000, 0.02, 0.15, 0.5)
    curve = LearningCurve.of(SIZES, answers(law, 20_000), 1.0)
    found = curve.extrapolation
    assert found is not None
    assert found.rows == 2000
    assert found.gain_interval.low < 0.15 * (1 - 2**-0.5) < found.gain_interval.high
    assert found.accuracy_interval.low < float(law.accuracy(2000)) < found.accuracy_interval.high
    assert curve.verdict.startswith("More labels are worth it: twice as many (2,000) would")
    assert "extrapolated" in curve.verdict


def test_a_flat_curve_is_not() -> None:
    curve = LearningCurve.of(SIZES, answers(PowerLaw(1000, 0.1, 0.0, 1.0), 20_000), 1.0)
    assert curve.verdict.startswith("More labels of this kind are hardly worth it")


def test_few_validation_texts_leave_it_open() -> None:
    curve = LearningCurve.of(SIZES, answers(PowerLaw(1000, 0.02, 0.12, 0.3), 100), 1.0)
    assert "not sure" in curve.verdict


def test_the_interval_holds_the_gain_about_as_often_as_it_says() -> None:
    law = PowerLaw(1000, 0.05, 0.1, 0.5)
    gain = float(law.accuracy(2000) - law.accuracy(1000))
    inside = 0
    for seed in range(6):
        found = extrapolate(SIZES, answers(law, 1000, repeats=2, seed=seed))
        assert found is not None
        inside += found.gain_interval.low <= gain <= found.gain_interval.high
    assert inside >= 5


def test_points_are_means_with_wilson_intervals() -> None:
    right = np.zeros((2, 2, 50), np.bool_)
    right[0, :, :40] = True
    right[1, :, :44] = True
    curve = LearningCurve.of([10, 20], right, 1.0)
    point = curve.points[0]
    assert (point.rows, point.repeats) == (10, (0.8, 0.88))
    assert point.accuracy == pytest.approx(0.84)
    bounds = point.accuracy_interval
    assert (bounds.low, bounds.high) == pytest.approx((0.7149, 0.9166), abs=1e-4)
    assert curve.extrapolation is None
    assert curve.verdict.startswith("2 sizes are too few")
