"""How much of a figure is memory: rows of a split that are in the training rows, too."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from textlora.evaluation.candidates import Answers
from textlora.evaluation.scores import one_hot

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
