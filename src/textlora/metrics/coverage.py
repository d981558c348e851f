"""What is gained when unsure predictions are withheld."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from textlora.metrics.decisions import BY_PROBABILITY, Decision, right_answers
from textlora.metrics.scores import FloatArray


@dataclass(frozen=True)
class Selective:
    """What is left when unsure answers are withheld.

    Args:
        min_confidence: the confidence that an answer must reach.
        answered: number of texts that get an answer.
        coverage: their share.
        accuracy: the share of them that is right; None where nothing is answered.
    """

    min_confidence: float
    answered: int
    coverage: float
    accuracy: float | None


@dataclass(frozen=True)
class CoverageCurve:
    """Accuracy by coverage, from the surest answers to all of them.

    Args:
        confidence: the least confidence at each point, falling.
        coverage: the share of the texts that reach it.
        accuracy: the share of these that is right.
        aurc: area under the risk-coverage curve: the mean, over all texts, of the error rate
            among the texts that are at least as sure; 0 is best.
    """

    confidence: tuple[float, ...]
    coverage: tuple[float, ...]
    accuracy: tuple[float, ...]
    aurc: float

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> CoverageCurve:
        """Rebuild from plain values."""
        series = {name: tuple(values[name]) for name in ("confidence", "coverage", "accuracy")}
        return cls(**series, aurc=values["aurc"])


@dataclass(frozen=True)
class DecisionFigures:
    """What the answers of a rule are worth on one part, beside the usual figures.

    Args:
        curve: accuracy by coverage.
        selective: what is left at the rule's least confidence; None where it has none.
        mean_cost: of an answer; None where the rule has no costs.
        mean_cost_default: what the most probable class would cost.
    """

    curve: CoverageCurve
    selective: Selective | None = None
    mean_cost: float | None = None
    mean_cost_default: float | None = None

    @classmethod
    def of(
        cls, targets: npt.ArrayLike, probabilities: npt.ArrayLike, decision: Decision
    ) -> DecisionFigures:
        """Compute them.

        Args:
            targets: class numbers, int `[n]`; multi-label: 0 or 1, int `[n, k]`.
            probabilities: float `[n, k]`.
            decision: the rule.
        """
        multi_label = np.ndim(targets) == 2
        answers = decision.labels(probabilities, multi_label)
        right = right_answers(targets, answers)
        confidences = decision.confidences(probabilities, multi_label)
        least = decision.min_confidence
        usual = BY_PROBABILITY.labels(probabilities, multi_label)
        return cls(
            curve=coverage_curve(right, confidences),
            selective=None if least is None else selective(right, confidences, least),
            mean_cost=decision.mean_cost(targets, answers),
            mean_cost_default=decision.mean_cost(targets, usual),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that JSON can hold."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> DecisionFigures:
        """Rebuild from `to_dict`'s values, also after a trip through JSON."""
        left = values["selective"]
        return cls(
            **{
                **values,
                "curve": CoverageCurve.from_dict(values["curve"]),
                "selective": None if left is None else Selective(**left),
            }
        )


def selective(
    right: npt.NDArray[np.bool_], confidences: FloatArray, min_confidence: float
) -> Selective:
    """Count what is answered at a least confidence.

    Args:
        right: whether each answer is right, bool `[n]`.
        confidences: of the answers, float `[n]`.
        min_confidence: the least confidence.
    """
    sure = confidences >= min_confidence
    accuracy = float(right[sure].mean()) if sure.any() else None
    return Selective(min_confidence, int(sure.sum()), float(sure.mean()), accuracy)


def coverage_curve(
    right: npt.NDArray[np.bool_], confidences: FloatArray, points: int = 200
) -> CoverageCurve:
    """Return accuracy by coverage.

    Source: Y. Geifman, R. El-Yaniv, Selective classification for deep neural networks,
    NeurIPS 2017; equally sure answers come together, so that their order has no say.

    Args:
        right: whether each answer is right, bool `[n]`, n at least 1.
        confidences: of the answers, float `[n]`.
        points: points to keep at most; the area is that of all.
    """
    order = np.argsort(-confidences, kind="stable")
    falling = confidences[order]
    last = np.flatnonzero(np.append(falling[1:] < falling[:-1], True))
    reached = last + 1
    accuracy = np.cumsum(right[order])[last] / reached
    aurc = float(np.sum((1 - accuracy) * np.diff(reached, prepend=0)) / len(right))
    kept = np.unique(np.linspace(0, len(last) - 1, min(points, len(last))).round().astype(int))
    return CoverageCurve(
        confidence=tuple(falling[last][kept].tolist()),
        coverage=tuple((reached[kept] / len(right)).tolist()),
        accuracy=tuple(accuracy[kept].tolist()),
        aurc=aurc,
    )
