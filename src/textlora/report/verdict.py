"""Whether LoRA earned its cost: the tuned classifier beside the baselines, in plain words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from textlora.metrics.classification import Interval
from textlora.metrics.comparison import (
    USUAL,
    Answers,
    Candidate,
    CandidateResult,
    Comparison,
    JudgedPart,
    Resampling,
    Truth,
    candidate,
    compare,
    nearest_baseline,
)
from textlora.metrics.statistics import NAMES, Metric
from textlora.report.wording import (
    count,
    duration,
    metric_value,
    p_value,
    points_interval,
    points_of,
)

OPTIMISTIC = (
    "There is no test part: the best epoch was chosen on these very texts, so LoRA's figure "
    "is optimistic."
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
    return f"{words} {OPTIMISTIC}" if part == "validation" else words


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


def clean_note(
    names: tuple[str, str], answers: tuple[Answers, Answers], comparison: Comparison, part: str
) -> str:
    """Return how two classifiers stand where no text is in the training rows, too.

    Args:
        names: of the tuned classifier and the baseline.
        answers: what they make of these texts.
        comparison: of the two on these texts.
        part: "test" or "validation".
    """
    tuned, baseline = names
    difference, metric = comparison.difference, comparison.metric
    word = "better" if difference > 0 else "worse"
    doubt = "" if comparison.significant else ", which may be chance"
    stands = f"is {word} than {baseline} by {points_of(metric, abs(difference))}{doubt}"
    if not difference:
        equal = "right equally often" if metric == "accuracy" else f"equal in {NAMES[metric]}"
        stands = f"and {baseline} are {equal}"
    mine, theirs = (metric_value(metric, each.value(metric)) for each in answers)
    right = " right" if metric == "accuracy" else ""
    return (
        f"On the {count(len(answers[0].truth))} {part} texts that are not in the training rows, "
        f"{tuned} {stands}: {mine} against {theirs}{right} ({evidence(comparison)})."
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
class Verdict:
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

    @property
    def outcome(self) -> Outcome:
        """Whether the tuned classifier is better, worse, or cannot be told apart."""
        if not self.comparison.significant:
            return "undecided"
        return "better" if self.comparison.difference > 0 else "worse"

    def candidate(self, name: str) -> Candidate:
        """Return a candidate by its name."""
        return next(each for each in self.candidates if each.name == name)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that JSON can hold; `outcome` is among them for other readers."""
        return {
            **vars(self),
            "outcome": self.outcome,
            "candidates": [each.to_dict() for each in self.candidates],
            "comparison": self.comparison.to_dict(),
            "notes": list(self.notes),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Verdict:
        """Rebuild from `to_dict`'s values, also after a trip through JSON."""
        known = {name: value for name, value in values.items() if name != "outcome"}
        return cls(
            **{
                **known,
                "candidates": tuple(Candidate.from_dict(each) for each in values["candidates"]),
                "comparison": Comparison.from_dict(values["comparison"]),
                "notes": tuple(values["notes"]),
            }
        )


def judge(
    tuned: CandidateResult,
    baselines: Sequence[CandidateResult],
    truth: Truth,
    *,
    metric: Metric = "accuracy",
    references: Sequence[CandidateResult] = (),
    how: Resampling = USUAL,
) -> Verdict:
    """Set the tuned classifier beside the baselines.

    Which baseline counts is chosen on validation (`nearest_baseline`), so that the judged part is
    used once, for the comparison.

    Args:
        tuned: the tuned classifier.
        baselines: what it has to beat; at least one.
        truth: what is right.
        metric: what is judged by.
        references: classifiers that are shown and are no cheap alternative: full fine-tuning.
        how: how the bootstrap is done.
    """
    everyone = [*baselines, tuned, *references]
    answers = {each.name: truth.on_judged(each) for each in everyone}
    candidates = {
        each.name: candidate(
            each.name,
            answers[each.name],
            how,
            seconds=each.seconds,
            size_bytes=each.size_bytes,
            validation=truth.on_validation(each).value(metric),
        )
        for each in everyone
    }
    nearest = nearest_baseline(baselines, truth, metric, how)
    best = candidates[nearest.result.name]
    comparison = compare(answers[tuned.name], answers[best.name], how, metric)
    rows = len(truth.judged)
    notes = [chosen_note(best.name, nearest.tied, metric, truth.part)]
    for each in references:
        difference = compare(answers[tuned.name], answers[each.name], how, metric)
        notes.append(aside(candidates[tuned.name], candidates[each.name], difference))
    return Verdict(
        part=truth.part,
        rows=rows,
        tuned=tuned.name,
        best_baseline=best.name,
        candidates=tuple(candidates.values()),
        comparison=comparison,
        sentence=verdict_sentence(candidates[tuned.name], best, comparison, truth.part, rows),
        notes=tuple(notes),
    )
