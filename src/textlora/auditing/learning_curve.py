"""A measured learning curve, and the sentence that follows from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from textlora.auditing.extrapolation import FEWEST_SIZES, WORTH, Extrapolation, extrapolate
from textlora.metrics.classification import Interval, wilson_interval
from textlora.metrics.comparison import Answers
from textlora.metrics.statistics import (
    NAMES,
    Metric,
    RowStatistic,
    bootstrap_interval,
    mean_of_statistics,
)
from textlora.report.wording import count, metric_value, points


@dataclass(frozen=True)
class Measured:
    """What trainings on growing subsets answer.

    Args:
        answers: of the same validation texts, `[repeats][sizes]`.
        metric: what they are judged by.
    """

    answers: Sequence[Sequence[Answers]]
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
        return {
            "verdict": self.verdict,
            "metric": self.metric,
            "validation_rows": self.validation_rows,
            "points": [asdict(point) for point in self.points],
            "extrapolation": None if self.extrapolation is None else asdict(self.extrapolation),
            "seconds": round(self.seconds, 1),
        }


def _judgement(found: Extrapolation) -> str:
    if found.gain_interval.low >= WORTH:
        return "More labels are worth it"
    if found.gain_interval.high < WORTH:
        return "More labels of this kind are hardly worth it"
    if found.gain >= WORTH:
        return "More labels are probably worth it, though this is not sure"
    return "More labels are probably not worth it, though this is not sure"
