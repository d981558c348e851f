"""Tables with seeded texts, clean enough that nothing is found in them."""

from __future__ import annotations

import random
from collections.abc import Sequence

from textlora.data.tables import Label, TextTable

VOCABULARY = tuple(
    first + second
    for first in ("ba", "ce", "di", "fo", "gu", "ha", "ke", "li", "mo", "nu", "pa", "re")
    for second in ("bel", "cor", "dan", "fen", "gis", "hom", "jut", "kal", "lor", "mun")
)


def sentence(draw: random.Random, words: int = 30) -> str:
    """A text of made-up words; two of them never share many pairs of words."""
    return " ".join(draw.choices(VOCABULARY, k=words)).capitalize() + "."


def sentences(count: int, seed: int = 0, words: int = 30) -> list[str]:
    """Texts that are all different."""
    draw = random.Random(seed)  # noqa: S311
    return [sentence(draw, words) for _ in range(count)]


def table_of(
    texts: Sequence[str], labels: Sequence[Label] | None = None, source: str = "train.csv"
) -> TextTable:
    """A table as a CSV reader makes it; without labels given they take turns."""
    if labels is None:
        labels = [("neg", "pos")[row % 2] for row in range(len(texts))]
    return TextTable(
        source=source,
        texts=list(texts),
        labels=list(labels),
        lines=list(range(2, len(texts) + 2)),
        rejected=[],
        label_names=None,
        label_column="label",
    )
