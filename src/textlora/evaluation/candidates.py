"""Classifiers that are set side by side on the same rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from textlora.evaluation.decisions import BY_PROBABILITY, Decision
from textlora.evaluation.judging import Metric, metric_of_rows
from textlora.evaluation.metrics import Interval
from textlora.evaluation.scores import IntArray
from textlora.evaluation.statistics import (
    RESAMPLES,
    McNemar,
    RowStatistic,
    bootstrap_interval,
    mcnemar,
    paired_bootstrap,
    right_rows,
)

Probabilities = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Resampling:
    """How the bootstrap is done.

    Args:
        resamples: how often the rows are drawn with replacement.
        level: confidence level of the intervals.
        seed: of the draws.
    """

    resamples: int = RESAMPLES
    level: float = 0.95
    seed: int = 0


USUAL = Resampling()


@dataclass(frozen=True)
class CandidateResult:
    """What one classifier answers, and what it costs.

    Args:
        name: what it is called: "TF-IDF + logistic regression".
        validation: probabilities `[rows, classes]` of the validation part.
        judged: probabilities of the part that is judged: the test part, else validation.
        seconds: training time, with every choice that it makes on validation.
        size_bytes: size on disk if saved, without an encoder that stays as it is.
        decision: how its probabilities become answers.
    """

    name: str
    validation: Probabilities
    judged: Probabilities
    seconds: float
    size_bytes: int
    decision: Decision = BY_PROBABILITY


@dataclass(frozen=True)
class Candidate:
    """A classifier's figures on the judged part.

    Args:
        name: what it is called.
        accuracy: share of texts right; multi-label: with every label right.
        accuracy_interval: bootstrap interval.
        macro_f1: macro F1.
        macro_f1_interval: bootstrap interval.
        mcc: Matthews' correlation coefficient; None in figures written before it was kept.
        mcc_interval: bootstrap interval.
        seconds: training time; None where it is not known.
        size_bytes: size on disk, without an encoder that stays as it is; None: not known.
        validation: what it reaches on validation, in the metric that is judged by; None where
            there is no validation part.
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
    validation: float | None = None

    def figure(self, metric: Metric) -> tuple[float, Interval]:
        """Return a metric with its interval; where the MCC was not kept, the accuracy."""
        if metric == "mcc" and self.mcc is not None and self.mcc_interval is not None:
            return self.mcc, self.mcc_interval
        if metric == "f1":
            return self.macro_f1, self.macro_f1_interval
        return self.accuracy, self.accuracy_interval

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that JSON can hold."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Candidate:
        """Rebuild from `to_dict`'s values, also from those of versions that knew accuracy alone."""
        known = dict(values)
        if "validation_accuracy" in known:
            known["validation"] = known.pop("validation_accuracy")
        bounds = {
            name: Interval(**value)
            for name, value in known.items()
            if name.endswith("_interval") and value is not None
        }
        return cls(**{**known, **bounds})


@dataclass(frozen=True)
class Comparison:
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

    @property
    def significant(self) -> bool:
        """Whether the two can be told apart at the interval's level.

        By McNemar's test of the accuracy; otherwise by whether the interval leaves 0 out.
        """
        if self.mcnemar is not None:
            return self.mcnemar.p_value < 1 - self.interval.level
        return self.interval.low > 0 or self.interval.high < 0

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that JSON can hold."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Comparison:
        """Rebuild from `to_dict`'s values."""
        test = values["mcnemar"]
        return cls(
            **{
                **values,
                "interval": Interval(**values["interval"]),
                "mcnemar": None if test is None else McNemar(**test),
            }
        )


@dataclass(frozen=True)
class Answers:
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
        probabilities: Probabilities,
        decision: Decision = BY_PROBABILITY,
    ) -> Answers:
        """Decide by probabilities `[n, k]`."""
        truth = np.asarray(targets).astype(np.int64)
        predicted = decision.labels(probabilities, truth.ndim == 2)
        return cls(truth, predicted, probabilities.shape[1])

    @property
    def accuracy(self) -> float:
        """The share of rows that are right."""
        return self.value("accuracy")

    def value(self, metric: Metric) -> float:
        """Return a metric of these answers."""
        return self.statistic(metric).value

    def statistic(self, metric: Metric) -> RowStatistic:
        """Return a metric as a figure that follows from sums over rows."""
        return metric_of_rows(metric, self.truth, self.predicted, self.classes)


def candidate(name: str, answers: Answers, how: Resampling = USUAL, **costs: Any) -> Candidate:
    """Return a classifier's figures with their intervals.

    Args:
        name: what it is called.
        answers: what it makes of the judged rows.
        how: how the bootstrap is done.
        costs: further fields of `Candidate`.
    """
    figures = {
        "accuracy": answers.statistic("accuracy"),
        "macro_f1": answers.statistic("f1"),
        "mcc": answers.statistic("mcc"),
    }
    bounds = {
        f"{figure}_interval": bootstrap_interval(statistic, **asdict(how))
        for figure, statistic in figures.items()
    }
    values = {figure: statistic.value for figure, statistic in figures.items()}
    return Candidate(name=name, **values, **bounds, **costs)  # type: ignore[arg-type]


def compare(
    first: Answers, second: Answers, how: Resampling = USUAL, metric: Metric = "accuracy"
) -> Comparison:
    """Return how two classifiers differ on the same rows.

    Args:
        first: what the one makes of them.
        second: what the other does.
        how: how the bootstrap is done.
        metric: what they are judged by. Accuracy is decided by McNemar's test, which there is
            for nothing else; macro F1 and MCC by the paired bootstrap.

    Raises:
        ValueError: they did not answer the same rows.
    """
    if not np.array_equal(first.truth, second.truth):
        raise ValueError("the two classifiers were not asked about the same rows")
    statistics = [each.statistic(metric) for each in (first, second)]
    resampled = paired_bootstrap(*statistics, **asdict(how))
    test = None
    if metric == "accuracy":
        test = mcnemar(*(right_rows(each.truth, each.predicted) for each in (first, second)))
    return Comparison(
        difference=statistics[0].value - statistics[1].value,
        interval=resampled.interval,
        mcnemar=test,
        metric=metric,
        bootstrap_p=resampled.p_value if test is None else None,
    )
