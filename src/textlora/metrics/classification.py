"""The metrics of a classifier, as one record: what is reported of it. `scores` has the formulas.

`evaluate.load` would fetch its metrics from the Hub at run time; these are the same numbers,
offline.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from textlora.metrics import scores
from textlora.metrics.calibration import brier_score, expected_calibration_error
from textlora.metrics.decisions import BY_PROBABILITY, Decision
from textlora.metrics.records import Record
from textlora.metrics.scores import FloatArray, IntArray, right_rows

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
class ClassificationMetrics(Record):
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
    rows, correct = len(truth), int(right_rows(truth, predicted).sum())
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
