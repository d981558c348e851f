"""Metrics of some of the rows: without unsure ones, without copied ones, by length."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from textlora.metrics.classification import Interval, wilson_interval
from textlora.metrics.comparison import Predictions
from textlora.metrics.decisions import BY_PROBABILITY, Decision
from textlora.metrics.records import Record
from textlora.metrics.scores import FloatArray, one_hot, right_rows


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


@dataclass(frozen=True)
class DecisionFigures(Record):
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
        right = right_rows(targets, answers)
        confidences = decision.confidences(probabilities, multi_label)
        least = decision.min_confidence
        usual = BY_PROBABILITY.labels(probabilities, multi_label)
        return cls(
            curve=coverage_curve(right, confidences),
            selective=None if least is None else selective(right, confidences, least),
            mean_cost=decision.mean_cost(targets, answers),
            mean_cost_default=decision.mean_cost(targets, usual),
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


# Fewer move no figure by what a reader would notice, and their own figures are chance.
_ROWS_THAT_MATTER = 5
_SHARE_THAT_MATTERS = 0.01


@dataclass(frozen=True)
class RowScores:
    """The figures of some rows.

    Args:
        accuracy: share of them right; multi-label: with every label right.
        macro_f1: mean F1 of the classes that occur among their true or predicted ones.
    """

    accuracy: float
    macro_f1: float

    @classmethod
    def of(cls, predictions: Predictions) -> RowScores:
        """Compare what was predicted with the truth."""
        members = one_hot(predictions.truth, predictions.classes)
        guesses = one_hot(predictions.predicted, predictions.classes)
        either = members.sum(axis=0) + guesses.sum(axis=0)
        f1 = 2 * (members & guesses).sum(axis=0)[either > 0] / either[either > 0]
        return cls(predictions.accuracy, float(f1.mean()) if len(f1) else 0.0)


@dataclass(frozen=True)
class Leakage(Record):
    """Rows of the judged split whose text is in the training rows, too.

    Args:
        split: the judged split, "test" or "validation".
        rows: how many rows it shares with the training rows.
        share: these as a share of its rows.
        copies: the figures of these rows.
        clean: the figures of the others; None where there are none.
    """

    split: str
    rows: int
    share: float
    copies: RowScores
    clean: RowScores | None

    @property
    def matters(self) -> bool:
        """Whether it has to be told beside the figures of all rows."""
        return self.rows >= _ROWS_THAT_MATTER and self.share >= _SHARE_THAT_MATTERS


def measure_leakage(
    split: str, predictions: Predictions, copied: npt.NDArray[np.bool_]
) -> Leakage | None:
    """Return the figures with and without the rows that are in the training rows, too.

    Args:
        split: the judged split.
        predictions: of its rows.
        copied: which of them are in the training rows, too, bool `[rows]`.

    Returns:
        None where no row is.
    """
    if not copied.any():
        return None
    clean = predictions.select(~copied)
    return Leakage(
        split=split,
        rows=int(copied.sum()),
        share=float(copied.mean()),
        copies=RowScores.of(predictions.select(copied)),
        clean=RowScores.of(clean) if len(clean) else None,
    )


# The buckets up to max_length; one more holds what is longer.
_WITHIN = 4


@dataclass(frozen=True)
class LengthBucket(Record):
    """The texts between two lengths, and how many of them are right.

    Args:
        low: fewest tokens of a text, special tokens included.
        high: most tokens; None: there is no upper end.
        rows: number of texts, at least 1.
        accuracy: share of them right; multi-label: with every label right.
        interval: Wilson's interval of the accuracy.
    """

    low: int
    high: int | None
    rows: int
    accuracy: float
    interval: Interval


def accuracy_by_length(
    full_lengths: npt.ArrayLike,
    targets: npt.ArrayLike,
    predicted: npt.ArrayLike,
    *,
    max_length: int,
) -> tuple[LengthBucket, ...]:
    """Sort texts by length into fixed buckets, and count the right ones in each.

    The edges are the quarters of `max_length`, so that they do not move with the data and
    runs can be compared: 0-128, 129-256, 257-384, 385-512 and more for 512.

    Args:
        full_lengths: tokens of each text before truncation, int `[n]`.
        targets: class numbers, int `[n]`; multi-label: 0 or 1, int `[n, k]`.
        predicted: what `metrics.predicted_labels` decided, in the shape of the targets.
        max_length: tokens that the model sees at once.

    Returns:
        The buckets that have texts, from short to long.

    Raises:
        ValueError: the shapes do not fit together.
    """
    lengths, truth = np.asarray(full_lengths), np.asarray(targets)
    answers = np.asarray(predicted)
    if lengths.ndim != 1 or truth.shape != answers.shape or truth.shape[:1] != lengths.shape:
        raise ValueError(
            f"lengths {lengths.shape}, targets {truth.shape} and predictions {answers.shape} "
            "do not fit together"
        )
    right = right_rows(truth, answers)
    edges = np.array([max_length * part // _WITHIN for part in range(1, _WITHIN + 1)])
    # Equal edges, for a max_length below four, would be buckets that no text can be in.
    edges = np.unique(edges[edges > 0])
    place = np.searchsorted(edges, lengths)
    lows = [0, *(int(edge) + 1 for edge in edges)]
    highs = [*map(int, edges), None]
    return tuple(
        _bucket(low, high, right[place == number])
        for number, (low, high) in enumerate(zip(lows, highs, strict=True))
        if (place == number).any()
    )


def _bucket(low: int, high: int | None, right: npt.NDArray[np.bool_]) -> LengthBucket:
    rows, correct = len(right), int(right.sum())
    return LengthBucket(low, high, rows, correct / rows, wilson_interval(correct, rows))
