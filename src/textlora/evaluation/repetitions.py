"""The same training with several seeds: mean, spread, and what it is worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from textlora.evaluation.candidates import USUAL, Answers, Candidate, Resampling, candidate
from textlora.evaluation.judging import NAMES, Metric
from textlora.evaluation.metrics import Interval
from textlora.evaluation.statistics import (
    PairedTest,
    Spread,
    mean_of_statistics,
    paired_bootstrap,
    paired_t_test,
    spread,
)
from textlora.evaluation.verdict_wording import OPTIMISTIC
from textlora.evaluation.wording import (
    count,
    decimal,
    metric_value,
    p_value,
    percent,
    points,
    points_interval,
    points_of,
)


@dataclass(frozen=True)
class Repetition:
    """One training.

    Args:
        seed: its seed.
        answers: what it makes of the judged rows.
        seconds: training time.
    """

    seed: int
    answers: Answers
    seconds: float


@dataclass(frozen=True)
class Rival:
    """The baseline to beat, trained once.

    Args:
        result: its figures on the judged rows.
        answers: what it makes of them.
    """

    result: Candidate
    answers: Answers


@dataclass(frozen=True)
class Advantage:
    """The repetitions' figures minus the best baseline's.

    Args:
        baseline: the best baseline.
        over_seeds: Student's paired t-test: how much depends on the seed.
        over_texts: bootstrap interval of the mean difference: how much on the judged texts.
    """

    baseline: Candidate
    over_seeds: PairedTest
    over_texts: Interval

    @property
    def sure(self) -> bool:
        """Whether neither other seeds nor other texts would be expected to turn it round."""
        intervals = (self.over_seeds.interval, self.over_texts)
        return all(each is not None and each.low * each.high > 0 for each in intervals)


@dataclass(frozen=True)
class Repetitions:
    """Several seeds of one training.

    Args:
        part: the judged part.
        rows: how many texts it has.
        runs: seed, accuracy, macro F1, MCC and seconds of each.
        accuracy: mean and spread.
        macro_f1: mean and spread.
        mcc: mean and spread.
        advantage: over the best baseline; None where no baselines were trained.
        metric: what is judged by.
    """

    part: str
    rows: int
    runs: tuple[dict[str, Any], ...]
    accuracy: Spread
    macro_f1: Spread
    mcc: Spread
    advantage: Advantage | None
    metric: Metric = "accuracy"

    @property
    def judged(self) -> Spread:
        """Mean and spread of what is judged by."""
        return {"accuracy": self.accuracy, "f1": self.macro_f1, "mcc": self.mcc}[self.metric]

    @property
    def sentence(self) -> str:
        """What follows, in plain words."""
        found, metric = self.judged, self.metric
        mean, low, high = (
            metric_value(metric, each) for each in (found.mean, found.low, found.high)
        )
        texts, std = f"{count(self.rows)} {self.part} texts", found.std or 0
        reaches = f"reaches {NAMES[metric]} {mean} on {texts}"
        if metric == "accuracy":
            reaches = f"has {percent(found.mean)} of {texts} right"
        deviation = decimal(std) if metric == "mcc" else points(std, digits=2)
        words = (
            f"LoRA {reaches} on average over {found.count} seeds ({low} to {high}, "
            f"standard deviation {deviation})"
        )
        if self.advantage is not None:
            words += f"; {_stands(self.advantage, metric)}"
        return f"{words}. {OPTIMISTIC}" if self.part == "validation" else f"{words}."

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that JSON can hold."""
        return {**asdict(self), "sentence": self.sentence}


def repetitions(
    runs: Sequence[Repetition],
    part: str,
    rival: Rival | None,
    how: Resampling = USUAL,
    metric: Metric = "accuracy",
) -> Repetitions:
    """Sum up several seeds.

    Args:
        runs: two or more, all on the same rows.
        part: the judged part.
        rival: the best baseline; None for no comparison.
        how: how the bootstrap is done.
        metric: what is judged by.
    """
    entries = tuple(
        {
            "seed": run.seed,
            "accuracy": run.answers.accuracy,
            "macro_f1": run.answers.value("f1"),
            "mcc": run.answers.value("mcc"),
            "seconds": run.seconds,
        }
        for run in runs
    )
    return Repetitions(
        part=part,
        rows=len(runs[0].answers.truth),
        runs=entries,
        accuracy=spread([entry["accuracy"] for entry in entries]),
        macro_f1=spread([entry["macro_f1"] for entry in entries]),
        mcc=spread([entry["mcc"] for entry in entries]),
        advantage=None if rival is None else _advantage(runs, rival, how, metric),
        metric=metric,
    )


def rival_of(name: str, answers: Answers, how: Resampling = USUAL, **costs: Any) -> Rival:
    """Return a baseline with its figures; arguments as in `candidate`."""
    return Rival(candidate(name, answers, how, **costs), answers)


def _advantage(
    runs: Sequence[Repetition], rival: Rival, how: Resampling, metric: Metric
) -> Advantage:
    statistics = [run.answers.statistic(metric) for run in runs]
    theirs = rival.answers.statistic(metric)
    values = [each.value for each in statistics]
    return Advantage(
        baseline=rival.result,
        over_seeds=paired_t_test(values, theirs.value, how.level),
        over_texts=paired_bootstrap(mean_of_statistics(statistics), theirs, **asdict(how)).interval,
    )


def _stands(advantage: Advantage, metric: Metric) -> str:
    name, difference = advantage.baseline.name, advantage.over_seeds.difference
    if not advantage.sure:
        apart = points_of(metric, difference, signed=True)
        stands = f"it cannot be told apart from {name}: {apart}"
    else:
        word = "better" if difference > 0 else "worse"
        stands = f"it is {word} than {name} by {points_of(metric, abs(difference))}"
    return f"{stands} ({_sure(advantage)})"


def _sure(advantage: Advantage) -> str:
    test, texts = advantage.over_seeds, points_interval(advantage.over_texts)
    if test.interval is None:
        return f"{texts} over texts"
    over_seeds = f"{points_interval(test.interval)} over seeds, paired t {p_value(test.p_value)}"
    bounds = advantage.over_texts
    return f"{over_seeds}; {points(bounds.low)} to {points(bounds.high)} over texts"
