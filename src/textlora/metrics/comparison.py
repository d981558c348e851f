"""Classifiers on the same rows: which is better, and which baseline has to be beaten."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from textlora.metrics.classification import Interval
from textlora.metrics.decisions import BY_PROBABILITY, Decision
from textlora.metrics.scores import IntArray, one_hot
from textlora.metrics.statistics import (
    RESAMPLES,
    McNemar,
    Metric,
    RowStatistic,
    bootstrap_interval,
    mcnemar,
    metric_of_rows,
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


JudgedPart = Literal["test", "validation"]


@dataclass(frozen=True)
class Truth:
    """What is right on the two parts that count.

    Args:
        validation: class numbers `[n]`; multi-label: 0 or 1, `[n, k]`.
        judged: of the part that is judged.
        part: which part is judged; "validation" where there is no test part.
    """

    validation: npt.NDArray[Any]
    judged: npt.NDArray[Any]
    part: JudgedPart

    def on_validation(self, result: CandidateResult) -> Answers:
        """Return what a classifier makes of the validation part."""
        return Answers.of(self.validation, result.validation, result.decision)

    def on_judged(self, result: CandidateResult) -> Answers:
        """Return what a classifier makes of the judged part."""
        return Answers.of(self.judged, result.judged, result.decision)


@dataclass(frozen=True)
class Nearest:
    """The baseline to beat.

    Args:
        result: the baseline.
        tied: names of all baselines that validation cannot tell apart from the best, itself
            among them, in the order of their validation figures.
    """

    result: CandidateResult
    tied: tuple[str, ...]


def nearest_baseline(
    baselines: Sequence[CandidateResult],
    truth: Truth,
    metric: Metric = "accuracy",
    how: Resampling = USUAL,
) -> Nearest:
    """Return the best baseline on validation; of those within noise of it the best on test.

    Taking the weaker of two that validation cannot tell apart would flatter whom it is compared
    with. One that answers every text alike is no rival where another is as good.

    Args:
        baselines: at least one.
        truth: what is right.
        metric: what is judged by.
        how: how the bootstrap is done.
    """
    answers = {each.name: truth.on_validation(each) for each in baselines}
    # of equals the first, but one that answers everything alike last
    order = sorted(
        baselines,
        key=lambda each: (-answers[each.name].value(metric), _constant(answers[each.name])),
    )
    best = answers[order[0].name]
    tied = [order[0]] + [
        each
        for each in order[1:]
        if not _constant(answers[each.name])
        and not compare(best, answers[each.name], how, metric).significant
    ]
    chosen = max(tied, key=lambda each: truth.on_judged(each).value(metric))
    return Nearest(chosen, tuple(each.name for each in tied))


def _constant(answers: Answers) -> bool:
    return bool((answers.predicted == answers.predicted[0]).all())


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
    def of(cls, answers: Answers) -> RowScores:
        """Compare what was answered with the truth."""
        members = one_hot(answers.truth, answers.classes)
        guesses = one_hot(answers.predicted, answers.classes)
        either = members.sum(axis=0) + guesses.sum(axis=0)
        f1 = 2 * (members & guesses).sum(axis=0)[either > 0] / either[either > 0]
        return cls(answers.accuracy, float(f1.mean()) if len(f1) else 0.0)


@dataclass(frozen=True)
class Leakage:
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

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that JSON can hold."""
        return asdict(self)


def measure_leakage(split: str, answers: Answers, copied: npt.NDArray[np.bool_]) -> Leakage | None:
    """Return the figures with and without the rows that are in the training rows, too.

    Args:
        split: the judged split.
        answers: what was made of its rows.
        copied: which of them are in the training rows, too, bool `[rows]`.

    Returns:
        None where no row is.
    """
    if not copied.any():
        return None
    clean = answers_of(answers, ~copied)
    return Leakage(
        split=split,
        rows=int(copied.sum()),
        share=float(copied.mean()),
        copies=RowScores.of(answers_of(answers, copied)),
        clean=RowScores.of(clean) if len(clean.truth) else None,
    )


def answers_of(answers: Answers, rows: npt.NDArray[np.bool_]) -> Answers:
    """Return the answers of some of the rows."""
    return Answers(answers.truth[rows], answers.predicted[rows], answers.classes)
