"""Which of several baselines a classifier has to beat: the nearest one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy.typing as npt

from textlora.evaluation.candidates import (
    USUAL,
    Answers,
    CandidateResult,
    Resampling,
    compare,
)
from textlora.evaluation.judging import Metric

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
