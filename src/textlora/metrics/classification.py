"""The metrics of a classifier, computed by scikit-learn and scipy.

`evaluate.load` would fetch its metrics from the Hub at run time; these are the
same numbers, offline.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from textlora.metrics import scores
from textlora.metrics.calibration import brier_score, expected_calibration_error
from textlora.metrics.decisions import BY_PROBABILITY, Decision
from textlora.metrics.scores import FloatArray, IntArray

MANY_CLASSES = 20
"""With more, a table of them begins with what is worst."""


@dataclass(frozen=True)
class Interval:
    """A confidence interval.

    Args:
        low: lower bound.
        high: upper bound.
        level: share of such intervals that hold the true value.
    """

    low: float
    high: float
    level: float = 0.95


@dataclass(frozen=True)
class ClassMetrics:
    """Figures of one class against all others; `support` counts its true rows."""

    name: str
    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True)
class ClassificationMetrics:
    """The figures of one part of the data.

    Args:
        rows: number of texts.
        labels: class names, in the order of the probabilities' columns.
        multi_label: whether a text may have any number of the labels.
        accuracy: share of texts right; multi-label: with every label right.
        accuracy_interval: Wilson's interval of the accuracy.
        per_class: one entry a label.
        macro_precision: unweighted mean over the classes that occur among the
            true or the predicted ones (scikit-learn's default); multi-label: over all.
        macro_recall: likewise.
        macro_f1: likewise.
        mcc: Matthews' correlation coefficient; multi-label: mean over the labels.
        roc_auc: area under the ROC curve of the second of two classes, else the
            one-versus-rest macro mean; None where a class has no row, or all rows.
        log_loss: mean cross-entropy in nats; multi-label: of each label of each text.
        confusion_matrix: counts, rows true and columns predicted; None if multi-label.
        micro_f1: F1 over all labels of all texts at once; None unless multi-label.
        ece: expected calibration error of the probabilities; None in figures written before
            it was kept, as the Brier score.
        brier: Brier score, 0 to 2.
    """

    rows: int
    labels: tuple[str, ...]
    multi_label: bool
    accuracy: float
    accuracy_interval: Interval
    per_class: tuple[ClassMetrics, ...]
    macro_precision: float
    macro_recall: float
    macro_f1: float
    mcc: float
    roc_auc: float | None
    log_loss: float
    confusion_matrix: tuple[tuple[int, ...], ...] | None = None
    micro_f1: float | None = None
    ece: float | None = None
    brier: float | None = None

    @property
    def correct(self) -> int:
        """Number of texts right."""
        return round(self.accuracy * self.rows)

    @property
    def listed(self) -> tuple[ClassMetrics, ...]:
        """The classes in the order in which a table has them.

        That is their own; with many, the worst F1 comes first, and classes without rows, of
        which nothing is known, last.
        """
        if len(self.per_class) <= MANY_CLASSES:
            return self.per_class
        return tuple(sorted(self.per_class, key=lambda entry: (not entry.support, entry.f1)))

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as plain values that JSON can hold."""
        values = asdict(self)
        values["labels"] = list(self.labels)
        values["per_class"] = list(values["per_class"])
        if self.confusion_matrix is not None:
            values["confusion_matrix"] = [list(row) for row in self.confusion_matrix]
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ClassificationMetrics:
        """Rebuild the figures from `to_dict`'s values, also after a trip through JSON.

        Raises:
            TypeError: a figure is missing, or there is one too many.
        """
        matrix = values["confusion_matrix"]
        return cls(
            **{
                **values,
                "labels": tuple(values["labels"]),
                "accuracy_interval": Interval(**values["accuracy_interval"]),
                "per_class": tuple(ClassMetrics(**entry) for entry in values["per_class"]),
                "confusion_matrix": None if matrix is None else tuple(map(tuple, matrix)),
            }
        )


def classification_metrics(
    targets: npt.ArrayLike,
    probabilities: npt.ArrayLike,
    label_names: Sequence[str],
    *,
    multi_label: bool = False,
    decision: Decision = BY_PROBABILITY,
    logits: npt.ArrayLike | None = None,
) -> ClassificationMetrics:
    """Compare predicted probabilities with the truth.

    Args:
        targets: class numbers, int `[n]`; multi-label: 0 or 1, int `[n, k]`.
        probabilities: float `[n, k]`; rows sum to 1 unless multi-label.
        label_names: the k class names; not every class needs to have rows.
        multi_label: whether a text may have any number of the labels.
        decision: how probabilities become answers; unsure ones count as the answer that
            they would be.
        logits: what the probabilities were made from, `[n, units]`, divided by the temperature;
            None where there are none. The log loss is computed from them.

    Returns:
        The figures.

    Raises:
        ValueError: shapes or values that do not fit together.
    """
    truth, probable = _checked(targets, probabilities, label_names, multi_label)
    # by the probabilities as they came: a threshold was chosen on these, not on tidier ones
    predicted = decision.labels(probabilities, multi_label)
    rows, correct = len(truth), scores.correct(truth, predicted)
    precision, recall, f1 = scores.macro(truth, predicted)
    return ClassificationMetrics(
        rows=rows,
        labels=tuple(label_names),
        multi_label=multi_label,
        accuracy=correct / rows,
        accuracy_interval=wilson_interval(correct, rows),
        per_class=_per_class(truth, predicted, label_names),
        macro_precision=precision,
        macro_recall=recall,
        macro_f1=f1,
        mcc=scores.mcc(truth, predicted),
        roc_auc=scores.roc_auc(truth, probable),
        log_loss=(
            scores.log_loss(truth, probable)
            if logits is None
            else scores.log_loss_of_logits(truth, logits)
        ),
        confusion_matrix=(
            None if multi_label else scores.confusion(truth, predicted, len(label_names))
        ),
        micro_f1=scores.micro_f1(truth, predicted) if multi_label else None,
        ece=expected_calibration_error(truth, probable),
        brier=brier_score(truth, probable),
    )


def wilson_interval(correct: int, rows: int, level: float = 0.95) -> Interval:
    """Return Wilson's score interval of a share.

    Source: E. B. Wilson, Probable inference, the law of succession, and
    statistical inference, JASA 22 (1927); through `scipy.stats.binomtest`.

    Args:
        correct: number of successes.
        rows: number of trials, at least 1.
        level: confidence level.
    """
    from scipy.stats import binomtest

    bounds = binomtest(correct, rows).proportion_ci(confidence_level=level, method="wilson")
    return Interval(float(bounds.low), float(bounds.high), level)


def _checked(
    targets: npt.ArrayLike,
    probabilities: npt.ArrayLike,
    label_names: Sequence[str],
    multi_label: bool,
) -> tuple[IntArray, FloatArray]:
    truth = np.asarray(targets).astype(np.int64)
    probable = np.asarray(probabilities).astype(np.float64)
    classes = len(label_names)
    if probable.ndim != 2 or probable.shape[1] != classes or not len(probable):
        raise ValueError(f"probabilities of shape [n, {classes}] expected, not {probable.shape}")
    expected = probable.shape if multi_label else probable.shape[:1]
    if truth.shape != expected:
        raise ValueError(f"targets of shape {expected} expected, not {truth.shape}")
    if truth.min() < 0 or truth.max() > (1 if multi_label else classes - 1):
        raise ValueError("a target is no class number")
    if not np.isfinite(probable).all() or probable.min() < 0 or probable.max() > 1 + 1e-6:
        raise ValueError("a probability is not between 0 and 1")
    if multi_label:
        return truth, probable
    sums = probable.sum(axis=1, keepdims=True)
    if np.abs(sums - 1).max() > 1e-2:
        raise ValueError("the probabilities of a row do not sum to 1")
    # half-precision softmax is off by up to 1e-3, which scikit-learn would warn about
    return truth, probable / sums


def _per_class(
    truth: IntArray, predicted: IntArray, label_names: Sequence[str]
) -> tuple[ClassMetrics, ...]:
    return tuple(
        ClassMetrics(name, *entry)
        for name, entry in zip(
            label_names, scores.each_class(truth, predicted, len(label_names)), strict=True
        )
    )


# The buckets up to max_length; one more holds what is longer.
_WITHIN = 4


@dataclass(frozen=True)
class LengthBucket:
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

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that JSON can hold."""
        return asdict(self)


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
    right = (truth == answers).reshape(len(lengths), -1).all(axis=1) if len(lengths) else truth
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
