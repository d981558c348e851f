"""The wrong predictions that teach most, and the record of the words that led to them.

The scores of words come from `inference.explaining`; nothing here knows of models.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
from pydantic import BeforeValidator, PlainSerializer

from textlora.metrics.decisions import BY_PROBABILITY, Decision, label_text
from textlora.metrics.records import Record
from textlora.metrics.scores import probability_of, right_rows

LEVELS = 5
_TOP_WORDS = 5


@dataclass(frozen=True)
class Word:
    """A word and what it did for the target.

    Args:
        text: the word as it stands in the text.
        start: its first character's place in the text.
        end: the place after its last.
        score: log-odds of the target that it adds; below 0 it speaks against the target.
    """

    text: str
    start: int
    end: int
    score: float


@dataclass(frozen=True)
class Span:
    """Characters `start` to `end` (exclusive) of a text."""

    start: int
    end: int


# Zero differences make it infinite, which JSON has no word for.
_FiniteOrNull = Annotated[
    float,
    BeforeValidator(lambda value: math.inf if value is None else value),
    PlainSerializer(lambda value: value if math.isfinite(value) else None),
]


@dataclass(frozen=True)
class Explanation(Record):
    """What every word of a text did for one class.

    Args:
        text: the text as the model read it, after the run's own cleaning.
        label: the answer, or "unsure"; several for multi-label data.
        probability: of `target`.
        target: the class that the scores speak for or against.
        words: in the order of the text, without overlap; white space lies between them.
        baseline_probability: of `target`, with every word replaced by `baseline`.
        baseline: the token that stands for "no word here", for example "[MASK]".
        delta: sum of the scores less what they should sum to: the log-odds of the text less
            those of the baseline.
        relative_delta: its absolute share of that difference.
        steps: points at which the gradient was taken.
        converged: whether the delta is within the tolerance that was asked for.
        unseen: parts of the text that the scores leave out: they were cut off, or stand in
            another window.
        note: what else a reader must know; empty if nothing.
    """

    text: str
    label: str | tuple[str, ...]
    probability: float
    target: str
    words: tuple[Word, ...]
    baseline_probability: float
    baseline: str
    delta: float
    relative_delta: _FiniteOrNull
    steps: int
    converged: bool
    unseen: tuple[Span, ...] = ()
    note: str = ""

    def level(self, word: Word) -> int:
        """Return how much a word counts beside the strongest: -5 (against) to 5 (for)."""
        strongest = max((abs(other.score) for other in self.words), default=0.0)
        if strongest == 0:
            return 0
        return round(LEVELS * word.score / strongest)

    def strongest(self, sign: int, most: int = _TOP_WORDS) -> list[Word]:
        """Return the words that count most for (`sign` 1) or against (-1) the target."""
        on_this_side = (word for word in self.words if word.score * sign > 0 and self.level(word))
        return sorted(on_this_side, key=lambda word: -abs(word.score))[:most]

    def pieces(self) -> Iterator[Word | Span | str]:
        """Go through the text in its order: words, unseen parts, and what lies between."""
        marked: list[Word | Span] = [*self.words, *self.unseen]
        marked.sort(key=lambda piece: piece.start)
        place = 0
        for piece in marked:
            if piece.start > place:
                yield self.text[place : piece.start]
            yield piece
            place = max(place, piece.end)
        if place < len(self.text):
            yield self.text[place:]


@dataclass(frozen=True)
class ErrorExample:
    """A text that the model gets wrong.

    Args:
        text: the text.
        true: its label; several joined by commas for multi-label data.
        predicted: the answer, likewise.
        probability: how probable the model held its answer.
        true_probability: how probable it held the label; None: not known.
        explanation: which words spoke for the answer; None: not asked for.
    """

    text: str
    true: str
    predicted: str
    probability: float
    true_probability: float | None = None
    explanation: Explanation | None = None


@dataclass(frozen=True)
class Mistakes:
    """Wrong answers.

    Args:
        certain: those that were held most probable, the surest first.
        worst: those whose label was held least probable, the furthest first, without the ones
            above. Of two classes these are the same, so it is empty.
    """

    certain: tuple[ErrorExample, ...]
    worst: tuple[ErrorExample, ...] = ()

    def first(self, number: int) -> list[str]:
        """Return the first texts: of both kinds equally many, where there are both."""
        half = number // 2 if self.worst else 0
        chosen = (*self.certain[: number - half], *self.worst[:half])
        return [item.text for item in chosen]

    def explained(self, explanations: Mapping[str, Explanation]) -> Mistakes:
        """Return the same with the explanations that there are, by text."""
        certain, worst = (
            tuple(replace(item, explanation=explanations.get(item.text)) for item in items)
            for items in (self.certain, self.worst)
        )
        return Mistakes(certain, worst)


def find_mistakes(
    texts: Sequence[str],
    targets: npt.ArrayLike,
    probabilities: npt.ArrayLike,
    label_names: Sequence[str],
    decision: Decision = BY_PROBABILITY,
    most: int = 20,
) -> Mistakes:
    """Choose the wrong answers to show.

    Args:
        texts: the n texts.
        targets: class numbers, int `[n]`; multi-label: 0 or 1, int `[n, k]`.
        probabilities: float `[n, k]`.
        label_names: the k class names.
        decision: how probabilities become answers.
        most: how many to choose, of both kinds together.
    """
    truth = np.asarray(targets)
    multi_label = truth.ndim == 2
    answers = decision.labels(probabilities, multi_label)
    answered = decision.confidences(probabilities, multi_label)
    deserved = probability_of(truth, probabilities)
    wrong = np.flatnonzero(~right_rows(truth, answers))
    certain = wrong[np.argsort(-answered[wrong], kind="stable")]
    worst = wrong[:0]
    if multi_label or len(label_names) > 2:
        certain = certain[: (most + 1) // 2]
        furthest = wrong[np.argsort(deserved[wrong], kind="stable")]
        worst = furthest[~np.isin(furthest, certain)][: most // 2]

    def example(row: int) -> ErrorExample:
        return ErrorExample(
            text=texts[row],
            true=_named(truth[row], label_names),
            predicted=_named(answers[row], label_names),
            probability=float(answered[row]),
            true_probability=float(deserved[row]),
        )

    return Mistakes(tuple(map(example, certain[:most])), tuple(map(example, worst)))


def _named(label: Any, names: Sequence[str]) -> str:
    if np.ndim(label) == 0:
        return names[int(label)]
    return label_text([name for name, given in zip(names, label, strict=True) if given])
