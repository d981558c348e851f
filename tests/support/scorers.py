"""A classifier that needs no model: it counts letters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from textlora.scoring.scorer import Answers, Scorer


@dataclass(frozen=True)
class Answer:
    """What scoring reads of `inference.answers.Prediction`, without torch."""

    label: str | list[str] | None
    probabilities: dict[str, float]
    unsure: bool = False

    @property
    def shown(self) -> str:
        return "unsure" if self.label is None else str(self.label)


def counting(texts: Sequence[str], progress: Callable[[int], None]) -> Answers:
    """Answer by the length of a text; texts of more than 50 characters count as truncated."""
    given = []
    for text in texts:
        share = len(text) % 10 / 10
        label = None if share == 0.5 else "odd" if share > 0.5 else "even"
        given.append(Answer(label, {"even": 1 - share, "odd": share}, label is None))
        progress(1)
    return Answers(given, sum(len(text) > 50 for text in texts))


COUNTING = Scorer(("even", "odd"), False, False, {"adapter": "counting"}, counting)
