"""Which words spoke for an answer and which against it: the record.

The scores come from `inference.explaining`; nothing here knows of models.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

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


@dataclass(frozen=True)
class Explanation:
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
    relative_delta: float
    steps: int
    converged: bool
    unseen: tuple[Span, ...] = ()
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that JSON can hold."""
        values = asdict(self)
        # Zero differences make it infinite, which JSON has no word for.
        if not math.isfinite(self.relative_delta):
            values["relative_delta"] = None
        for name in ("words", "unseen"):
            values[name] = list(values[name])
        if not isinstance(self.label, str):
            values["label"] = list(self.label)
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Explanation:
        """Rebuild from `to_dict`'s values."""
        values = dict(values)
        values["words"] = tuple(Word(**word) for word in values["words"])
        values["unseen"] = tuple(Span(**span) for span in values["unseen"])
        if not isinstance(values["label"], str):
            values["label"] = tuple(values["label"])
        if values["relative_delta"] is None:
            values["relative_delta"] = math.inf
        return cls(**values)

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
