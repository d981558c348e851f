"""Whether LoRA earned its cost: the tuned classifier beside what a plain baseline gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from textlora.evaluation.candidates import (
    USUAL,
    Candidate,
    CandidateResult,
    Comparison,
    Resampling,
    candidate,
    compare,
)
from textlora.evaluation.judging import Metric
from textlora.evaluation.nearest import JudgedPart as JudgedPart
from textlora.evaluation.nearest import Truth as Truth
from textlora.evaluation.nearest import nearest_baseline
from textlora.evaluation.verdict_wording import aside, chosen_note, verdict_sentence

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
