"""Whether LoRA earned its cost: the tuned classifier beside the baselines, in plain words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy.typing as npt
from pydantic import computed_field

from textlora.metrics.classification import Interval
from textlora.metrics.comparison import (
    Candidate,
    Comparison,
    Contender,
    JudgedPart,
    best_baseline,
)
from textlora.metrics.records import Record
from textlora.metrics.statistics import NAMES, USUAL, Metric, Resampling
from textlora.report.wording import (
    ALL_REFITTED,
    NO_TEST_PART,
    count,
    duration,
    metric_value,
    p_value,
    points_interval,
    points_of,
)


def verdict_sentence(
    tuned: Candidate, baseline: Candidate, comparison: Comparison, part: str, rows: int
) -> str:
    """Return whether the tuned classifier is better than the baseline, how sure, at what cost.

    Args:
        tuned: the tuned classifier.
        baseline: the best baseline.
        comparison: tuned minus baseline.
        part: "test" or "validation".
        rows: texts of that part.
    """
    difference = comparison.difference
    apart = points_of(comparison.metric, abs(difference))
    texts = f"{count(rows)} {part} texts"
    sure = evidence(comparison)
    cost = f"it took {_seconds(tuned)} against {_seconds(baseline)}"
    if comparison.significant and difference > 0:
        words = (
            f"{tuned.name} is better than {baseline.name} by {apart} on {texts} ({sure}); {cost}."
        )
    elif comparison.significant:
        words = (
            f"{tuned.name} is worse than {baseline.name} by {apart} on {texts} ({sure}); {cost}. "
            f"Use {baseline.name}."
        )
    elif difference > 0:
        words = (
            f"{tuned.name} cannot be told apart from {baseline.name} on {texts}: it is better by "
            f"{apart}, which may be chance ({sure}); {cost}.{_advice(tuned, baseline)}"
        )
    else:
        equal = "right equally often" if comparison.metric == "accuracy" else "as good"
        less = f"worse by {apart}" if difference < 0 else equal
        words = (
            f"{tuned.name} is not better than {baseline.name} on {texts}: it is {less} ({sure}); "
            f"{cost}.{_advice(tuned, baseline)}"
        )
    return f"{words} {NO_TEST_PART}" if part == "validation" else words


def evidence(comparison: Comparison) -> str:
    """Return "95 % interval 1.6 to 4.2, McNemar p < 0.001", signed as the words before it.

    Where the first is worse by 2.9 points, the interval is about 2.9 as well.
    """
    bounds = comparison.interval
    if comparison.difference < 0:
        bounds = Interval(-bounds.high, -bounds.low, bounds.level)
    return f"{points_interval(bounds)}, {chance(comparison)}"


def chance(comparison: Comparison) -> str:
    """Return the test that was made: "McNemar p < 0.001", "bootstrap p = 0.03"."""
    if comparison.mcnemar is not None:
        return f"McNemar {p_value(comparison.mcnemar.p_value)}"
    return f"bootstrap {p_value(comparison.bootstrap_p)}"


def chosen_note(best: str, tied: tuple[str, ...], metric: Metric, part: str) -> str:
    """Return how the baseline was chosen that LoRA is compared with.

    Args:
        best: its name.
        tied: the baselines that validation cannot tell apart from the best one there.
        metric: what is judged by.
        part: "test" or "validation".
    """
    by = "" if metric == "accuracy" else f" by {NAMES[metric]}"
    if part == "validation":
        return f"{best} is the best baseline{by} on these same validation texts."
    once = "the test part was used once, at the end."
    if len(tied) == 1:
        return f"{best} is the best baseline{by} on validation; {once}"
    names = f"{', '.join(tied[:-1])} and {tied[-1]}"
    better = "better" if len(tied) == 2 else "best"
    return (
        f"{names} cannot be told apart{by} on validation; the verdict compares with the {better} "
        f"of them on test, {best}; {once}"
    )


def clean_note(tuned: Contender, baseline: Contender, comparison: Comparison, part: str) -> str:
    """Return how two classifiers stand where no text is in the training rows, too.

    Args:
        tuned: the tuned classifier on these texts.
        baseline: the best baseline on these texts.
        comparison: tuned minus baseline.
        part: "test" or "validation".
    """
    difference, metric = comparison.difference, comparison.metric
    word = "better" if difference > 0 else "worse"
    doubt = "" if comparison.significant else ", which may be chance"
    stands = f"is {word} than {baseline.name} by {points_of(metric, abs(difference))}{doubt}"
    if not difference:
        equal = "right equally often" if metric == "accuracy" else f"equal in {NAMES[metric]}"
        stands = f"and {baseline.name} are {equal}"
    mine, theirs = (
        metric_value(metric, each.predictions.value(metric)) for each in (tuned, baseline)
    )
    right = " right" if metric == "accuracy" else ""
    return (
        f"On the {count(len(tuned.predictions))} {part} texts that are not in the training rows, "
        f"{tuned.name} {stands}: {mine} against {theirs}{right} ({evidence(comparison)})."
    )


def aside(tuned: Candidate, other: Candidate, comparison: Comparison) -> str:
    """Return how the tuned classifier stands to one that is no cheap alternative."""
    difference = comparison.difference
    word = "better" if difference > 0 else "worse"
    apart = points_of(comparison.metric, abs(difference))
    if comparison.significant:
        stands = f"{tuned.name} is {word} than {other.name} by {apart}"
    else:
        stands = f"{tuned.name} cannot be told apart from {other.name}: {apart} {word}"
    return (
        f"{stands} ({evidence(comparison)}); it took {_seconds(tuned)} against {_seconds(other)}."
    )


def _advice(tuned: Candidate, baseline: Candidate) -> str:
    if (baseline.seconds or 0) >= (tuned.seconds or 0):
        return ""
    return f" Use {baseline.name}, unless more test texts tell otherwise."


def _seconds(each: Candidate) -> str:
    return "an unknown time" if each.seconds is None else duration(each.seconds)


Outcome = Literal["better", "undecided", "worse"]


@dataclass(frozen=True)
class Verdict(Record):
    """The tuned classifier beside the baselines, and what follows from it.

    Args:
        part: the part that is judged: "test", or "validation" where there is none.
        rows: how many texts it has.
        tuned: name of the tuned classifier among the candidates.
        best_baseline: name of the baseline that is best on validation; of those that validation
            cannot tell apart, the one that is best on the judged part.
        candidates: every classifier with its figures: baselines, the tuned one, and what else
            was asked for, such as full fine-tuning.
        comparison: the tuned classifier minus the best baseline.
        sentence: what follows, in plain words.
        notes: what one should know about these figures.
    """

    part: JudgedPart
    rows: int
    tuned: str
    best_baseline: str
    candidates: tuple[Candidate, ...]
    comparison: Comparison
    sentence: str
    notes: tuple[str, ...] = ()

    @property
    def metric(self) -> Metric:
        """What is judged by."""
        return self.comparison.metric

    @computed_field  # type: ignore[prop-decorator]
    @property
    def outcome(self) -> Outcome:
        """Whether the tuned classifier is better, worse, or cannot be told apart."""
        if not self.comparison.significant:
            return "undecided"
        return "better" if self.comparison.difference > 0 else "worse"

    def candidate(self, name: str) -> Candidate:
        """Return a candidate by its name."""
        return next(each for each in self.candidates if each.name == name)


def judge(
    tuned: Contender,
    baselines: Sequence[Contender],
    part: JudgedPart,
    *,
    metric: Metric = "accuracy",
    references: Sequence[Contender] = (),
    how: Resampling = USUAL,
    refitted: bool = False,
    clean: npt.NDArray[Any] | None = None,
) -> Verdict:
    """Set the tuned classifier beside the baselines.

    Which baseline counts is chosen on validation (`best_baseline`), so that the judged part is
    used once, for the comparison.

    Args:
        tuned: the tuned classifier.
        baselines: what it has to beat; at least one.
        part: the part that is judged; "validation" where there is no test part.
        metric: what is judged by.
        references: classifiers that are shown and are no cheap alternative: full fine-tuning.
        how: how the bootstrap is done.
        refitted: whether all of them were trained once more on all rows.
        clean: which judged rows are not in the training rows; None: not to be told apart.
    """
    everyone = [*baselines, tuned, *references]
    candidates = {each.name: Candidate.of(each, how, metric) for each in everyone}
    baseline, tied = best_baseline(baselines, metric, how)

    def against(other: Contender, one: Contender = tuned) -> Comparison:
        return Comparison.of(one.predictions, other.predictions, how, metric)

    mine, theirs = candidates[tuned.name], candidates[baseline.name]
    comparison, rows = against(baseline), len(tuned.predictions)
    notes = [chosen_note(baseline.name, tied, metric, part)]
    notes += [aside(mine, candidates[each.name], against(each)) for each in references]
    if refitted:
        notes.append(ALL_REFITTED)
    if clean is not None:
        ours, other = tuned.select(clean), baseline.select(clean)
        notes.append(clean_note(ours, other, against(other, ours), part))
    return Verdict(
        part=part,
        rows=rows,
        tuned=tuned.name,
        best_baseline=baseline.name,
        candidates=tuple(candidates.values()),
        comparison=comparison,
        sentence=verdict_sentence(mine, theirs, comparison, part, rows),
        notes=tuple(notes),
    )
