"""The same training with several seeds: mean, spread, and what it is worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from textlora.evaluation.candidates import USUAL, Answers, Candidate, Resampling, candidate
from textlora.evaluation.metrics import Interval
from textlora.evaluation.statistics import (
    PairedTest,
    Spread,
    accuracy_of_rows,
    macro_f1_of_rows,
    mean_of_rows,
    paired_bootstrap,
    paired_t_test,
    right_rows,
    spread,
)
from textlora.evaluation.verdict_wording import OPTIMISTIC
from textlora.evaluation.wording import count, p_value, percent, points, points_interval


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
    """The best baseline, trained once.

    Args:
        result: its figures on the judged rows.
        answers: what it makes of them.
    """

    result: Candidate
    answers: Answers


@dataclass(frozen=True)
class Advantage:
    """The repetitions' accuracies minus the best baseline's.

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
        runs: seed, accuracy, macro F1 and seconds of each.
        accuracy: mean and spread.
        macro_f1: mean and spread.
        advantage: over the best baseline; None where no baselines were trained.
    """

    part: str
    rows: int
    runs: tuple[dict[str, Any], ...]
    accuracy: Spread
    macro_f1: Spread
    advantage: Advantage | None

    @property
    def sentence(self) -> str:
        """What follows, in plain words."""
        accuracy = self.accuracy
        words = (
            f"LoRA has {percent(accuracy.mean)} of {count(self.rows)} {self.part} texts right on "
            f"average over {accuracy.count} seeds ({percent(accuracy.low)} to "
            f"{percent(accuracy.high)}, standard deviation {points(accuracy.std or 0, digits=2)})"
        )
        if self.advantage is not None:
            words += f"; {_stands(self.advantage)}"
        return f"{words}. {OPTIMISTIC}" if self.part == "validation" else f"{words}."

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that JSON can hold."""
        return {**asdict(self), "sentence": self.sentence}


def repetitions(
    runs: Sequence[Repetition], part: str, rival: Rival | None, how: Resampling = USUAL
) -> Repetitions:
    """Sum up several seeds.

    Args:
        runs: two or more, all on the same rows.
        part: the judged part.
        rival: the best baseline; None for no comparison.
        how: how the bootstrap is done.
    """
    entries = tuple(
        {
            "seed": run.seed,
            "accuracy": run.answers.accuracy,
            "macro_f1": macro_f1_of_rows(
                run.answers.truth, run.answers.predicted, run.answers.classes
            ).value,
            "seconds": run.seconds,
        }
        for run in runs
    )
    accuracies = [entry["accuracy"] for entry in entries]
    return Repetitions(
        part=part,
        rows=len(runs[0].answers.truth),
        runs=entries,
        accuracy=spread(accuracies),
        macro_f1=spread([entry["macro_f1"] for entry in entries]),
        advantage=None if rival is None else _advantage(runs, accuracies, rival, how),
    )


def rival_of(name: str, answers: Answers, how: Resampling = USUAL, **costs: Any) -> Rival:
    """Return a baseline with its figures; arguments as in `candidate`."""
    return Rival(candidate(name, answers, how, **costs), answers)


def _advantage(
    runs: Sequence[Repetition], accuracies: Sequence[float], rival: Rival, how: Resampling
) -> Advantage:
    right = [right_rows(run.answers.truth, run.answers.predicted) for run in runs]
    return Advantage(
        baseline=rival.result,
        over_seeds=paired_t_test(accuracies, rival.result.accuracy, how.level),
        over_texts=paired_bootstrap(
            mean_of_rows(np.mean(right, axis=0)),
            accuracy_of_rows(rival.answers.truth, rival.answers.predicted),
            **asdict(how),
        ),
    )


def _stands(advantage: Advantage) -> str:
    name, difference = advantage.baseline.name, advantage.over_seeds.difference
    if not advantage.sure:
        apart = f"{points(difference, signed=True)} points"
        stands = f"it cannot be told apart from {name}: {apart}"
    else:
        word = "better" if difference > 0 else "worse"
        stands = f"it is {word} than {name} by {points(abs(difference))} points"
    return f"{stands} ({_sure(advantage)})"


def _sure(advantage: Advantage) -> str:
    test, texts = advantage.over_seeds, points_interval(advantage.over_texts)
    if test.interval is None:
        return f"{texts} over texts"
    over_seeds = f"{points_interval(test.interval)} over seeds, paired t {p_value(test.p_value)}"
    bounds = advantage.over_texts
    return f"{over_seeds}; {points(bounds.low)} to {points(bounds.high)} over texts"
