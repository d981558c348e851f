"""Classifiers that are set side by side on the same rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from textlora.evaluation.decisions import BY_PROBABILITY, Decision
from textlora.evaluation.metrics import Interval
from textlora.evaluation.scores import IntArray, mcc
from textlora.evaluation.statistics import (
    RESAMPLES,
    McNemar,
    accuracy_of_rows,
    bootstrap_interval,
    macro_f1_of_rows,
    mcnemar,
    paired_bootstrap,
    right_rows,
)

Metric = Literal["accuracy", "f1", "mcc"]
"""What classifiers are judged by; f1 is macro F1."""

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
        seconds: training time; None where it is not known.
        size_bytes: size on disk, without an encoder that stays as it is; None: not known.
        validation_accuracy: by which the best baseline is chosen; None where there is none.
    """

    name: str
    accuracy: float
    accuracy_interval: Interval
    macro_f1: float
    macro_f1_interval: Interval
    seconds: float | None = None
    size_bytes: int | None = None
    validation_accuracy: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that JSON can hold."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Candidate:
        """Rebuild from `to_dict`'s values."""
        bounds = {
            name: Interval(**values[name]) for name in ("accuracy_interval", "macro_f1_interval")
        }
        return cls(**{**values, **bounds})


@dataclass(frozen=True)
class Comparison:
    """The difference of two classifiers' accuracies on the same rows.

    Args:
        difference: first minus second, as a share (0.029 is 2.9 points).
        interval: its paired bootstrap interval, as shares.
        mcnemar: McNemar's test.
    """

    difference: float
    interval: Interval
    mcnemar: McNemar

    @property
    def significant(self) -> bool:
        """Whether McNemar's test tells the two apart at the interval's level."""
        return self.mcnemar.p_value < 1 - self.interval.level

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that JSON can hold."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Comparison:
        """Rebuild from `to_dict`'s values."""
        return cls(
            values["difference"], Interval(**values["interval"]), McNemar(**values["mcnemar"])
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
        return self.score("accuracy")

    def score(self, metric: Metric) -> float:
        """Return what the metric gives."""
        if metric == "mcc":
            return mcc(self.truth, self.predicted)
        if metric == "f1":
            return macro_f1_of_rows(self.truth, self.predicted, self.classes).value
        return accuracy_of_rows(self.truth, self.predicted).value


def judging_metric(asked: str, multi_label: bool) -> Metric:
    """Return what a run is judged by, given the metric of its best checkpoint."""
    if asked == "f1" or asked == "mcc":
        return asked  # type: ignore[return-value]
    return "f1" if asked == "loss" and multi_label else "accuracy"


def candidate(name: str, answers: Answers, how: Resampling = USUAL, **costs: Any) -> Candidate:
    """Return a classifier's figures with their intervals.

    Args:
        name: what it is called.
        answers: what it makes of the judged rows.
        how: how the bootstrap is done.
        costs: further fields of `Candidate`.
    """
    figures = {
        "accuracy": accuracy_of_rows(answers.truth, answers.predicted),
        "macro_f1": macro_f1_of_rows(answers.truth, answers.predicted, answers.classes),
    }
    bounds = {
        f"{figure}_interval": bootstrap_interval(statistic, **asdict(how))
        for figure, statistic in figures.items()
    }
    values = {figure: statistic.value for figure, statistic in figures.items()}
    return Candidate(name=name, **values, **bounds, **costs)  # type: ignore[arg-type]


def compare(first: Answers, second: Answers, how: Resampling = USUAL) -> Comparison:
    """Return the difference of two classifiers' accuracies on the same rows.

    Raises:
        ValueError: they did not answer the same rows.
    """
    if not np.array_equal(first.truth, second.truth):
        raise ValueError("the two classifiers were not asked about the same rows")
    statistics = [accuracy_of_rows(each.truth, each.predicted) for each in (first, second)]
    right = [right_rows(each.truth, each.predicted) for each in (first, second)]
    return Comparison(
        difference=statistics[0].value - statistics[1].value,
        interval=paired_bootstrap(*statistics, **asdict(how)),
        mcnemar=mcnemar(*right),
    )
