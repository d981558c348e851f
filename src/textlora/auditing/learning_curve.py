"""A measured learning curve, and what more labels would bring: a power law with its uncertainty.

error(n) = floor + scale (n / n_max)^(-exponent), the usual form of a learning curve.
Source: J. Hestness et al., Deep Learning Scaling is Predictable, Empirically, 2017,
https://arxiv.org/abs/1712.00409; C. Cortes et al., Learning Curves: Asymptotic Values and Rate of
Convergence, NIPS 1993.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from textlora.metrics.classification import Interval, wilson_interval
from textlora.metrics.comparison import Predictions
from textlora.metrics.statistics import (
    NAMES,
    Metric,
    RowStatistic,
    bootstrap_interval,
    mean_of_statistics,
)
from textlora.report.wording import count, metric_value, points

Errors = npt.NDArray[np.float64]

FEWEST_SIZES = 4
"""Three numbers are fitted: fewer points would leave nothing to judge the fit by."""

WORTH = 0.01
"""A point for twice as many labels: below that, labelling is a poor bargain."""

_RESAMPLES = 400
_LEVEL = 0.95


@dataclass(frozen=True)
class PowerLaw:
    """A fitted learning curve.

    Args:
        rows: the number of rows at which `floor + scale` is the error.
        floor: the error that no number of rows goes below.
        scale: what is above it at `rows`.
        exponent: how fast that falls.
    """

    rows: int
    floor: float
    scale: float
    exponent: float

    def value(self, rows: npt.ArrayLike) -> Errors:
        """Return 1 - error at numbers of rows."""
        relative = np.asarray(rows, np.float64) / self.rows
        return np.asarray(1 - self.floor - self.scale * relative**-self.exponent)


@dataclass(frozen=True)
class Extrapolation:
    """What twice as many rows would bring, if the curve goes on as it went.

    Args:
        law: the fitted curve.
        rows: twice the largest measured size.
        value_now: at the largest measured size, by the fit.
        value: at twice that size, by the fit.
        value_interval: of the latter.
        gain: the difference of the two.
        gain_interval: of that gain.
    """

    law: PowerLaw
    rows: int
    value_now: float
    value: float
    value_interval: Interval
    gain: float
    gain_interval: Interval


def fit_power_law(rows: Sequence[int], errors: Errors, weights: Errors) -> PowerLaw:
    """Fit the law by weighted least squares, within 0 <= floor, scale <= 1 and exponent <= 2.

    Args:
        rows: sizes, `[sizes]`.
        errors: 1 - accuracy, or what else is judged by, `[sizes]`.
        weights: one over the standard error of each, `[sizes]`.
    """
    from scipy.optimize import least_squares

    largest = max(rows)
    relative = np.asarray(rows, np.float64) / largest

    def distances(values: Any) -> Any:
        floor, scale, exponent = values
        return (floor + scale * relative**-exponent - errors) * weights

    best = float(np.clip(errors.min(), 0.002, 0.99))
    start = (0.5 * best, 0.5 * best, 0.5)
    found = least_squares(distances, start, bounds=([0, 0, 0.01], [1, 1, 2]))
    return PowerLaw(largest, *(float(value) for value in found.x))


def extrapolate(
    rows: Sequence[int], measured: Sequence[Sequence[RowStatistic]]
) -> Extrapolation | None:
    """Fit the curve and go on to twice the rows, with intervals by resampling.

    Two things vary in the resamples: the validation texts, drawn anew together for all sizes,
    and the trainings, by noise as large as the repeats differ (with one repeat: as large as
    the points' distances from the fit). That a power law holds at all is taken for granted.

    Args:
        rows: sizes, ascending, `[sizes]`.
        measured: accuracy, or what else is judged by, on the validation texts, `[repeats][sizes]`.

    Returns:
        None where there are too few sizes.
    """
    if len(rows) < FEWEST_SIZES:
        return None
    repeats, texts = len(measured), len(measured[0][0].rows)
    of_trainings = 1 - np.array([[each.value for each in repeat] for repeat in measured])
    errors = np.clip(of_trainings.mean(axis=0), 0, 1)
    # Agresti and Coull's two extra rights and wrongs keep the error of 0 from weighing endlessly.
    careful = (errors * texts + 2) / (texts + 4)
    weights = np.sqrt(texts / (careful * (1 - careful)))
    law = fit_power_law(rows, errors, weights)
    spread = _training_spread(of_trainings, errors - (1 - law.value(rows)))
    draw = np.random.default_rng(0)
    noise = draw.normal(0, spread / np.sqrt(repeats), (_RESAMPLES, len(rows)))
    resampled = np.clip(_resampled_errors(measured, draw) + noise, 0, 1)
    ends = np.array([max(rows), 2 * max(rows)])
    found = np.array([fit_power_law(rows, drawn, weights).value(ends) for drawn in resampled])
    now, then = law.value(ends)
    return Extrapolation(
        law=law,
        rows=int(ends[1]),
        value_now=float(now),
        value=float(then),
        value_interval=_interval(found[:, 1]),
        gain=float(then - now),
        gain_interval=_interval(found[:, 1] - found[:, 0]),
    )


def _resampled_errors(
    measured: Sequence[Sequence[RowStatistic]], draw: np.random.Generator
) -> Errors:
    """Return the mean errors over the repeats on texts drawn anew, `[resamples, sizes]`."""
    texts = len(measured[0][0].rows)
    drawn = draw.multinomial(texts, np.full(texts, 1 / texts), size=_RESAMPLES).astype(np.float64)
    values = [[each.of_sums(drawn @ each.rows) for each in repeat] for repeat in measured]
    return np.asarray(1 - np.mean(values, axis=0).T)


def _training_spread(errors: Errors, residuals: Errors) -> float:
    """Return the standard deviation of the error of one training, of `[repeats, sizes]`."""
    if len(errors) > 1:
        return float(np.sqrt(errors.var(axis=0, ddof=1).mean()))
    return float(np.sqrt((residuals**2).sum() / max(1, len(residuals) - 3)))


def _interval(values: Errors) -> Interval:
    low, high = np.quantile(values, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
    return Interval(float(low), float(high), _LEVEL)


@dataclass(frozen=True)
class Measured:
    """What trainings on growing subsets answer.

    Args:
        answers: of the same validation texts, `[repeats][sizes]`.
        metric: what they are judged by.
    """

    answers: Sequence[Sequence[Predictions]]
    metric: Metric = "accuracy"

    @property
    def texts(self) -> int:
        """How many validation texts there are."""
        return len(self.answers[0][0].truth)

    @property
    def statistics(self) -> list[list[RowStatistic]]:
        """The metric of every training."""
        return [[each.statistic(self.metric) for each in repeat] for repeat in self.answers]


@dataclass(frozen=True)
class CurvePoint:
    """The figure at one size.

    Args:
        rows: labels trained on.
        value: what is judged by, on the validation texts; the mean over the repeats.
        interval: of that value: Wilson's for the accuracy, else by the bootstrap.
        repeats: the value of each training.
    """

    rows: int
    value: float
    interval: Interval
    repeats: tuple[float, ...]

    @classmethod
    def of(cls, rows: int, repeats: Sequence[RowStatistic], metric: Metric) -> CurvePoint:
        """Sum up the trainings at one size."""
        values = tuple(each.value for each in repeats)
        mean, texts = sum(values) / len(values), len(repeats[0].rows)
        if metric == "accuracy":
            return cls(rows, mean, wilson_interval(round(mean * texts), texts), values)
        return cls(rows, mean, bootstrap_interval(mean_of_statistics(repeats)), values)


@dataclass(frozen=True)
class LearningCurve:
    """A measured curve and what follows from it.

    Args:
        points: by size, ascending.
        validation_rows: texts that every point was measured on.
        extrapolation: to twice the rows; None where there are too few sizes.
        seconds: time of all trainings.
        metric: what is judged by.
    """

    points: tuple[CurvePoint, ...]
    validation_rows: int
    extrapolation: Extrapolation | None
    seconds: float
    metric: Metric = "accuracy"

    @classmethod
    def of(cls, sizes: Sequence[int], measured: Measured, seconds: float) -> LearningCurve:
        """Make a curve of what was answered.

        Args:
            sizes: rows trained on, ascending, `[sizes]`.
            measured: what the trainings answer.
            seconds: time of all trainings.
        """
        statistics, metric = measured.statistics, measured.metric
        by_size = zip(sizes, zip(*statistics, strict=True), strict=True)
        points = tuple(CurvePoint.of(rows, repeats, metric) for rows, repeats in by_size)
        return cls(points, measured.texts, extrapolate(sizes, statistics), seconds, metric)

    @property
    def verdict(self) -> str:
        """Whether more labels are worth it, in plain sentences."""
        found = self.extrapolation
        if found is None:
            return (
                f"{len(self.points)} sizes are too few to say what more labels would bring; "
                f"{FEWEST_SIZES} are needed."
            )
        return (
            f"{_judgement(found)}: twice as many ({count(found.rows)}) would bring "
            f"{points(found.gain, signed=True)} points of {NAMES[self.metric]} (95 % interval "
            f"{points(found.gain_interval.low, signed=True)} to "
            f"{points(found.gain_interval.high, signed=True)}). That is extrapolated: "
            f"a power law through the {len(self.points)} points goes from "
            f"{metric_value(self.metric, found.value_now)} now to "
            f"{metric_value(self.metric, found.value)}."
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the curve as plain values that JSON can hold."""
        plain = {"verdict": self.verdict, **asdict(self)}
        return {**plain, "seconds": round(self.seconds, 1)}


def _judgement(found: Extrapolation) -> str:
    if found.gain_interval.low >= WORTH:
        return "More labels are worth it"
    if found.gain_interval.high < WORTH:
        return "More labels of this kind are hardly worth it"
    if found.gain >= WORTH:
        return "More labels are probably worth it, though this is not sure"
    return "More labels are probably not worth it, though this is not sure"
