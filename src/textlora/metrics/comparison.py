"""Classifiers on the same rows: which is better, and which baseline has to be beaten."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import AliasChoices, Field

from textlora.metrics.classification import Interval, wilson_interval
from textlora.metrics.decisions import BY_PROBABILITY, Decision
from textlora.metrics.records import Record
from textlora.metrics.scores import IntArray, right_rows
from textlora.metrics.statistics import (
    USUAL,
    McNemar,
    Metric,
    Resampling,
    RowStatistic,
    bootstrap_interval,
    mcnemar,
    metric_of_rows,
    paired_bootstrap,
)

JudgedPart = Literal["test", "validation"]


@dataclass(frozen=True)
class Predictions:
    """What a classifier makes of rows whose truth is known.

    Args:
        truth: class numbers `[n]`; multi-label: 0 or 1, `[n, k]`.
        predicted: likewise.
        classes: k.
    """

    truth: IntArray
    predicted: IntArray
    classes: int

    @classmethod
    def of(
        cls,
        targets: npt.ArrayLike,
        probabilities: npt.NDArray[np.floating[Any]],
        decision: Decision = BY_PROBABILITY,
    ) -> Predictions:
        """Decide by probabilities `[n, k]`."""
        truth = np.asarray(targets).astype(np.int64)
        predicted = decision.labels(probabilities, truth.ndim == 2)
        return cls(truth, predicted, probabilities.shape[1])

    def __len__(self) -> int:
        return len(self.truth)

    @property
    def right(self) -> npt.NDArray[np.bool_]:
        """Which rows are right, bool `[n]`; multi-label: in every label."""
        return right_rows(self.truth, self.predicted)

    @property
    def accuracy(self) -> float:
        """The share of rows that are right."""
        return self.value("accuracy")

    @property
    def constant(self) -> bool:
        """Whether every row is given the same."""
        return bool((self.predicted == self.predicted[0]).all())

    def value(self, metric: Metric) -> float:
        """Return a metric of these predictions."""
        return self.statistic(metric).value

    def statistic(self, metric: Metric) -> RowStatistic:
        """Return a metric as a figure that follows from sums over rows."""
        return metric_of_rows(metric, self.truth, self.predicted, self.classes)

    def select(self, rows: npt.NDArray[Any]) -> Predictions:
        """Return the predictions of some rows, by a mask or by their places."""
        return replace(self, truth=self.truth[rows], predicted=self.predicted[rows])


@dataclass(frozen=True)
class Contender:
    """A classifier that is set beside others on the same rows.

    Args:
        name: what it is called: "TF-IDF + logistic regression".
        predictions: of the judged rows.
        validation: of the validation part; None: not known.
        seconds: training time, with every choice made on validation; None: not known.
        size_bytes: size on disk, without an encoder that stays as it is; None: not known.
    """

    name: str
    predictions: Predictions
    validation: Predictions | None = None
    seconds: float | None = None
    size_bytes: int | None = None

    def select(self, rows: npt.NDArray[Any]) -> Contender:
        """Return the same on some of the judged rows."""
        return replace(self, predictions=self.predictions.select(rows))


@dataclass(frozen=True)
class Candidate(Record):
    """A contender's metrics on the judged rows.

    Args:
        name: what it is called.
        accuracy: share of texts right; multi-label: with every label right.
        accuracy_interval: Wilson's interval.
        macro_f1: macro F1.
        macro_f1_interval: bootstrap interval.
        mcc: Matthews' correlation coefficient; None in figures written before it was kept.
        mcc_interval: bootstrap interval.
        seconds: training time; None where it is not known.
        size_bytes: size on disk, without an encoder that stays as it is; None: not known.
        validation: what it reaches on validation, in the metric that is judged by; None where
            that is not asked for.
    """

    name: str
    accuracy: float
    accuracy_interval: Interval
    macro_f1: float
    macro_f1_interval: Interval
    mcc: float | None = None
    mcc_interval: Interval | None = None
    seconds: float | None = None
    size_bytes: int | None = None
    # versions that knew accuracy alone have it by another name
    validation: Annotated[
        float | None, Field(validation_alias=AliasChoices("validation", "validation_accuracy"))
    ] = None

    @classmethod
    def of(
        cls, each: Contender, how: Resampling = USUAL, metric: Metric | None = None
    ) -> Candidate:
        """Compute them.

        Args:
            each: the contender.
            how: how the bootstrap is done.
            metric: which one of validation is to be kept; None: none.
        """
        given = each.predictions
        macro_f1, mcc = given.statistic("f1"), given.statistic("mcc")
        validation = None
        if each.validation is not None and metric is not None:
            validation = each.validation.value(metric)
        return cls(
            name=each.name,
            accuracy=given.accuracy,
            accuracy_interval=wilson_interval(int(given.right.sum()), len(given), how.level),
            macro_f1=macro_f1.value,
            macro_f1_interval=bootstrap_interval(macro_f1, how),
            mcc=mcc.value,
            mcc_interval=bootstrap_interval(mcc, how),
            seconds=each.seconds,
            size_bytes=each.size_bytes,
            validation=validation,
        )

    def figure(self, metric: Metric) -> tuple[float, Interval]:
        """Return a metric with its interval; where the MCC was not kept, the accuracy."""
        if metric == "mcc" and self.mcc is not None and self.mcc_interval is not None:
            return self.mcc, self.mcc_interval
        if metric == "f1":
            return self.macro_f1, self.macro_f1_interval
        return self.accuracy, self.accuracy_interval


@dataclass(frozen=True)
class Comparison(Record):
    """The difference of two classifiers on the same rows.

    Args:
        difference: first minus second, as a share (0.029 is 2.9 points).
        interval: its paired bootstrap interval, as shares.
        mcnemar: McNemar's test, of which texts are right; None unless judged by accuracy.
        metric: what the two are judged by.
        bootstrap_p: two-sided p value by the paired bootstrap; None where McNemar's decides.
    """

    difference: float
    interval: Interval
    mcnemar: McNemar | None
    metric: Metric = "accuracy"
    bootstrap_p: float | None = None

    @classmethod
    def of(
        cls,
        first: Predictions,
        second: Predictions,
        how: Resampling = USUAL,
        metric: Metric = "accuracy",
    ) -> Comparison:
        """Compare two classifiers on the same rows.

        Args:
            first: what the one makes of them.
            second: what the other does.
            how: how the bootstrap is done.
            metric: what they are judged by. Accuracy is decided by McNemar's test, which there is
                for nothing else; macro F1 and MCC by the paired bootstrap.

        Raises:
            ValueError: they were not asked about the same rows.
        """
        if not np.array_equal(first.truth, second.truth):
            raise ValueError("the two classifiers were not asked about the same rows")
        one, other = first.statistic(metric), second.statistic(metric)
        resampled = paired_bootstrap(one, other, how)
        test = mcnemar(first.right, second.right) if metric == "accuracy" else None
        return cls(
            difference=one.value - other.value,
            interval=resampled.interval,
            mcnemar=test,
            metric=metric,
            bootstrap_p=resampled.p_value if test is None else None,
        )

    @property
    def significant(self) -> bool:
        """Whether the two can be told apart at the interval's level.

        By McNemar's test of the accuracy; otherwise by whether the interval leaves 0 out.
        """
        if self.mcnemar is not None:
            return self.mcnemar.p_value < 1 - self.interval.level
        return self.interval.low > 0 or self.interval.high < 0


def best_baseline(
    baselines: Sequence[Contender], metric: Metric = "accuracy", how: Resampling = USUAL
) -> tuple[Contender, tuple[str, ...]]:
    """Return the baseline to beat, and the names of those that validation cannot tell from it.

    It is the best on validation; of those within noise of it the best on the judged rows, for
    taking the weaker of two that validation cannot tell apart would flatter whom it is compared
    with. One that predicts the same for every row is no alternative where another is as good.

    Args:
        baselines: at least one, all with predictions on validation.
        metric: what is judged by.
        how: how the bootstrap is done.

    Returns:
        The baseline, and the names, its own among them, in the order of their validation metric.
    """
    known = [(each, each.validation) for each in baselines if each.validation is not None]
    # of equals the first, but one that predicts everything alike last
    known.sort(key=lambda pair: (-pair[1].value(metric), pair[1].constant))
    (best, first), *others = known
    tied = [best] + [
        each
        for each, given in others
        if not given.constant and not Comparison.of(first, given, how, metric).significant
    ]
    chosen = max(tied, key=lambda each: each.predictions.value(metric))
    return chosen, tuple(each.name for each in tied)
