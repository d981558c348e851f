"""A measured learning curve, and the sentence that follows from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from textlora.auditing.extrapolation import FEWEST_SIZES, WORTH, Extrapolation, extrapolate
from textlora.evaluation.metrics import Interval, wilson_interval
from textlora.evaluation.wording import count, percent


@dataclass(frozen=True)
class CurvePoint:
    """The accuracy at one size.

    Args:
        rows: labels trained on.
        accuracy: share of validation texts right, the mean over the repeats.
        accuracy_interval: Wilson's, of that share of the validation texts.
        repeats: the accuracy of each training.
    """

    rows: int
    accuracy: float
    accuracy_interval: Interval
    repeats: tuple[float, ...]


@dataclass(frozen=True)
class LearningCurve:
    """A measured curve and what follows from it.

    Args:
        points: by size, ascending.
        validation_rows: texts that every point was measured on.
        extrapolation: to twice the rows; None where there are too few sizes.
        seconds: time of all trainings.
    """

    points: tuple[CurvePoint, ...]
    validation_rows: int
    extrapolation: Extrapolation | None
    seconds: float

    @classmethod
    def of(
        cls, sizes: Sequence[int], right: npt.NDArray[np.bool_], seconds: float
    ) -> LearningCurve:
        """Make a curve of which texts were right.

        Args:
            sizes: rows trained on, ascending, `[sizes]`.
            right: bool `[repeats, sizes, texts]`.
            seconds: time of all trainings.
        """
        texts = right.shape[2]
        points = []
        for number, rows in enumerate(sizes):
            repeats = right[:, number].mean(axis=1)
            accuracy = float(repeats.mean())
            interval = wilson_interval(round(accuracy * texts), texts)
            points.append(CurvePoint(rows, accuracy, interval, tuple(repeats.tolist())))
        return cls(tuple(points), texts, extrapolate(sizes, right), seconds)

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
            f"{_points(found.gain)} points of accuracy "
            f"(95 % interval {_points(found.gain_interval.low)} to "
            f"{_points(found.gain_interval.high)}). That is extrapolated: a power law through "
            f"the {len(self.points)} points goes from {percent(found.accuracy_now)} now to "
            f"{percent(found.accuracy)}."
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the curve as plain values that JSON can hold."""
        return {
            "verdict": self.verdict,
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


def _points(share: float) -> str:
    return f"{100 * share:+.1f}"
