"""Finished runs side by side, and one training with several seeds, in plain words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import computed_field

from textlora.metrics.classification import Interval
from textlora.metrics.comparison import Candidate, Comparison, Contender
from textlora.metrics.records import Record
from textlora.metrics.statistics import (
    NAMES,
    USUAL,
    Metric,
    PairedTest,
    Resampling,
    Spread,
    mean_of_statistics,
    paired_bootstrap,
    paired_t_test,
    spread,
)
from textlora.report.verdict import chance
from textlora.report.wording import (
    CHOSEN_ON,
    NO_TEST_PART,
    count,
    decimal,
    metric_value,
    p_value,
    percent,
    points,
    points_interval,
    points_of,
)

SEVERAL = "The p-values are each of one comparison: of many runs, one is soon low by chance."


@dataclass(frozen=True)
class SideBySide(Record):
    """Several classifiers on the same rows, each against the first.

    Args:
        judged_on: the part or the source of the rows.
        rows: how many there are.
        candidates: the figures, in the order in which they were given.
        comparisons: each of the others minus the first.
        notes: what one should know about these figures.
        metric: what they are compared by.
    """

    judged_on: str
    rows: int
    candidates: tuple[Candidate, ...]
    comparisons: tuple[Comparison, ...]
    notes: tuple[str, ...]
    metric: Metric = "accuracy"

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that JSON can hold; a comparison says of whom it is."""
        values = super().to_dict()
        first, *others = (each.name for each in self.candidates)
        values["comparisons"] = [
            {"name": name, "against": first, **comparison}
            for name, comparison in zip(others, values["comparisons"], strict=True)
        ]
        return values

    def sentence(self, number: int) -> str:
        """Return how one of the others stands to the first, in words; numbers start at 1."""
        first, other = self.candidates[0], self.candidates[number]
        comparison = self.comparisons[number - 1]
        sure = f"{points_interval(comparison.interval)}, {chance(comparison)}"
        apart = points_of(comparison.metric, comparison.difference, signed=True)
        if not comparison.significant:
            stands = f"cannot be told apart from {first.name}"
        else:
            stands = f"is {'better' if comparison.difference > 0 else 'worse'} than {first.name}"
        return f"{other.name} {stands}: {apart} ({sure})."


def side_by_side(
    contenders: Sequence[Contender],
    judged_on: str,
    metrics: Sequence[Metric | None] = (),
    how: Resampling = USUAL,
) -> SideBySide:
    """Compare classifiers by the metric that the first known run is judged by, else by accuracy.

    Args:
        contenders: at least one, all asked about the same rows.
        judged_on: "test", "validation", or where the rows come from.
        metrics: what their runs are judged by; None: not known.
        how: how the bootstrap is done.
    """
    first = contenders[0].predictions
    known = list(dict.fromkeys(each for each in metrics if each is not None))
    metric: Metric = known[0] if known else "accuracy"
    notes = [CHOSEN_ON] if judged_on == "validation" else []
    if len(known) > 1:
        notes.append(
            f"The runs are judged by {' and '.join(NAMES[each] for each in known)}; they are "
            f"compared by {NAMES[metric]}, as the first of them asks."
        )
    if len(contenders) > 2:
        notes.append(SEVERAL)
    return SideBySide(
        judged_on=judged_on,
        rows=len(first),
        candidates=tuple(Candidate.of(each, how) for each in contenders),
        comparisons=tuple(
            Comparison.of(each.predictions, first, how, metric) for each in contenders[1:]
        ),
        notes=tuple(notes),
        metric=metric,
    )


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
class Repetitions(Record):
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

    @computed_field  # type: ignore[prop-decorator]
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
        return f"{words}. {NO_TEST_PART}" if self.part == "validation" else f"{words}."


def repetitions(
    runs: Mapping[int, Contender],
    part: str,
    baseline: Contender | None,
    how: Resampling = USUAL,
    metric: Metric = "accuracy",
) -> Repetitions:
    """Sum up several seeds.

    Args:
        runs: two or more by their seeds, all on the same rows.
        part: the judged part.
        baseline: the best one, trained once; None for no comparison.
        how: how the bootstrap is done.
        metric: what is judged by.
    """
    entries: tuple[dict[str, Any], ...] = tuple(
        {
            "seed": seed,
            "accuracy": run.predictions.accuracy,
            "macro_f1": run.predictions.value("f1"),
            "mcc": run.predictions.value("mcc"),
            "seconds": run.seconds,
        }
        for seed, run in runs.items()
    )
    advantage = None
    if baseline is not None:
        advantage = _advantage(list(runs.values()), baseline, how, metric)
    return Repetitions(
        part=part,
        rows=len(next(iter(runs.values())).predictions),
        runs=entries,
        accuracy=spread([entry["accuracy"] for entry in entries]),
        macro_f1=spread([entry["macro_f1"] for entry in entries]),
        mcc=spread([entry["mcc"] for entry in entries]),
        advantage=advantage,
        metric=metric,
    )


def _advantage(
    runs: Sequence[Contender], baseline: Contender, how: Resampling, metric: Metric
) -> Advantage:
    statistics = [run.predictions.statistic(metric) for run in runs]
    theirs = baseline.predictions.statistic(metric)
    values = [each.value for each in statistics]
    return Advantage(
        baseline=Candidate.of(baseline, how),
        over_seeds=paired_t_test(values, theirs.value, how.level),
        over_texts=paired_bootstrap(mean_of_statistics(statistics), theirs, how).interval,
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
