"""Finished classifiers set side by side on the same rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from textlora.evaluation.candidates import (
    USUAL,
    Answers,
    Candidate,
    Comparison,
    Resampling,
    candidate,
    compare,
)
from textlora.evaluation.judging import NAMES, Metric
from textlora.evaluation.verdict_wording import chance
from textlora.evaluation.wording import points_interval, points_of

SEVERAL = "The p-values are each of one comparison: of many runs, one is soon low by chance."
CHOSEN_ON = "These validation texts chose each run's best epoch, so the figures are optimistic."


@dataclass(frozen=True)
class Contender:
    """A classifier to be compared.

    Args:
        name: what it is called.
        answers: what it makes of the rows.
        seconds: training time; None: not known.
        size_bytes: size of its adapter; None: not known.
        metric: what its run is judged by; None: not known.
    """

    name: str
    answers: Answers
    seconds: float | None = None
    size_bytes: int | None = None
    metric: Metric | None = None


@dataclass(frozen=True)
class SideBySide:
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
        """Return plain values that JSON can hold."""
        return {
            **vars(self),
            "candidates": [each.to_dict() for each in self.candidates],
            "comparisons": [
                {"name": each.name, "against": self.candidates[0].name, **comparison.to_dict()}
                for each, comparison in zip(self.candidates[1:], self.comparisons, strict=True)
            ],
            "notes": list(self.notes),
        }

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
    contenders: Sequence[Contender], judged_on: str, how: Resampling = USUAL
) -> SideBySide:
    """Compare classifiers by the metric that the first known run is judged by, else by accuracy.

    Args:
        contenders: at least one, all asked about the same rows.
        judged_on: "test", "validation", or where the rows come from.
        how: how the bootstrap is done.
    """
    first = contenders[0].answers
    known = list(dict.fromkeys(each.metric for each in contenders if each.metric is not None))
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
        rows=len(first.truth),
        candidates=tuple(
            candidate(
                each.name, each.answers, how, seconds=each.seconds, size_bytes=each.size_bytes
            )
            for each in contenders
        ),
        comparisons=tuple(compare(each.answers, first, how, metric) for each in contenders[1:]),
        notes=tuple(notes),
        metric=metric,
    )
