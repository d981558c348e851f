"""A measured learning curve: subsets that grow, and the sentence that follows from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from textlora.auditing.extrapolation import FEWEST_SIZES, WORTH, Extrapolation, extrapolate
from textlora.data.labels import Targets
from textlora.data.splitting import Indices
from textlora.errors import ConfigError, DataError
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

SHARES = (0.1, 0.2, 0.4, 0.7, 1.0)


def nested_order(targets: Targets, seed: int) -> Indices:
    """Return the rows in an order of which every beginning is a stratified subset.

    Within a class the order is random. Row i of the n rows of a class stands at (i + 1/2) / n of
    the whole, so that every beginning holds each class in proportion, to within one row.
    Multi-label rows stand in random order.

    Args:
        targets: class ids `[rows]`, or multi-label indicators `[rows, classes]`.
        seed: the same seed gives the same order.
    """
    draw = np.random.default_rng(seed)
    rows = draw.permutation(len(targets)).astype(np.int64)
    if targets.ndim == 2:
        return rows
    place = np.empty(len(targets))
    for number in np.unique(targets):
        members = rows[targets[rows] == number]
        place[members] = (np.arange(len(members)) + 0.5) / len(members)
    # The order of `rows` decides between classes that stand at the same place.
    return rows[np.argsort(place[rows], kind="stable")]


def sizes_of(shares: Sequence[float], total: int) -> list[int]:
    """Return shares of the rows as growing numbers of rows.

    Raises:
        ConfigError: a share is not above 0 and at most 1, or there are fewer than two sizes.
    """
    wrong = next((share for share in shares if not 0 < share <= 1), None)
    if wrong is not None:
        raise ConfigError(
            f"--shares: {wrong:g} is no share of the rows.",
            "Give shares above 0 and up to 1, such as 0.1,0.2,0.4,0.7,1.",
        )
    sizes = sorted({max(1, round(share * total)) for share in shares})
    if len(sizes) < 2:
        raise ConfigError(
            f"--shares: of {total} rows these are {len(sizes)} different sizes.",
            "Give at least two shares that are further apart.",
        )
    return sizes


def check_smallest(
    targets: Targets, order: Indices, size: int, names: Sequence[str], source: str
) -> None:
    """Refuse a smallest subset in which a class is missing.

    Raises:
        DataError: naming the class.
    """
    if targets.ndim == 2:
        return
    missing = np.setdiff1d(np.unique(targets), targets[order[:size]])
    if len(missing):
        raise DataError(
            f"the smallest subset, of {size} rows, has none of the class "
            f"'{names[int(missing[0])]}'.",
            source=source,
            remedy="Begin with a larger share, as with --shares 0.2,0.4,0.6,0.8,1.",
        )


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
