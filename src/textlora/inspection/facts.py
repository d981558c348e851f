"""What inspection knows of every row, before it is put into words or mended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from textlora.data.cleaning import has_html
from textlora.data.copies import plain_form
from textlora.data.rows import NO_TEXT
from textlora.data.tables import Label, RejectedRow
from textlora.inspection.copies import (
    Copies,
    Leaks,
    conflicts,
    find_copies,
    given_up,
    leaks,
    repeats,
)
from textlora.inspection.corpus import Corpus
from textlora.inspection.spelling import Spellings, corrections, find_spellings
from textlora.inspection.texts import is_empty, words_of


@dataclass(frozen=True)
class Facts:
    """Everything found in the rows of all parts.

    Args:
        corpus: the rows.
        rejected: rows that could not be used.
        word_counts: words of each text.
        empty: rows in whose text nothing can be read.
        html: rows with tags or entities in them.
        copies: rows that share a text.
        spellings: labels with more than one spelling.
    """

    corpus: Corpus
    rejected: tuple[RejectedRow, ...]
    word_counts: tuple[int, ...]
    empty: tuple[int, ...]
    html: tuple[int, ...]
    copies: Copies
    spellings: tuple[Spellings, ...]

    @cached_property
    def spelling(self) -> dict[Label, Label]:
        """The usual spelling for every other one."""
        return corrections(self.spellings)

    @cached_property
    def exact_leaks(self) -> Leaks:
        """Rows whose text is in an earlier part, too, by earlier and later part."""
        return leaks(self.corpus, self.copies.exact)

    @cached_property
    def near_leaks(self) -> Leaks:
        """Rows whose text is nearly in an earlier part, by earlier and later part."""
        near = leaks(self.corpus, self.copies.alike)
        exact = self.exact_leaks
        rest = {parts: _without(rows, exact.get(parts, {})) for parts, rows in near.items()}
        return {parts: rows for parts, rows in rest.items() if rows}

    @cached_property
    def exact_given_up(self) -> dict[int, int]:
        """Rows whose text is in a later part, too, with that row."""
        return given_up(self.corpus, self.copies.exact)

    @cached_property
    def near_given_up(self) -> dict[int, int]:
        """Rows whose text is nearly in a later part, with that row."""
        return _without(given_up(self.corpus, self.copies.alike), self.exact_given_up)

    @cached_property
    def exact_repeats(self) -> dict[int, int]:
        """Rows whose text came before in their part, with the first such row."""
        return repeats(self.corpus, self.copies.exact)

    @cached_property
    def near_repeats(self) -> dict[int, int]:
        """Rows whose text nearly came before in their part, with the first such row."""
        return _without(repeats(self.corpus, self.copies.alike), self.exact_repeats)

    @cached_property
    def conflicts(self) -> list[tuple[int, ...]]:
        """Groups of rows with the same words and different labels."""
        return conflicts(self.corpus, self.copies.same, self.spelling)

    @cached_property
    def without_text(self) -> list[RejectedRow]:
        """Rejected rows that lack a text."""
        return [row for row in self.rejected if row.reason in NO_TEXT]


def gather(corpus: Corpus, rejected: Sequence[RejectedRow], *, near: bool) -> Facts:
    """Look at every row.

    Args:
        corpus: the rows of all parts.
        rejected: rows that could not be used.
        near: search near duplicates, too.
    """
    plain = [plain_form(text) for text in corpus.texts]
    words: list[str] = []
    counts: list[int] = []
    for text in corpus.texts:
        found = words_of(text)
        words.append(" ".join(found))
        counts.append(len(found))
    return Facts(
        corpus=corpus,
        rejected=tuple(rejected),
        word_counts=tuple(counts),
        empty=tuple(
            row for row, form in enumerate(words) if not form and is_empty(corpus.texts[row])
        ),
        html=tuple(row for row, text in enumerate(corpus.texts) if has_html(text)),
        copies=find_copies(corpus, plain, words, near=near),
        spellings=tuple(find_spellings(corpus.labels)),
    )


def _without(rows: dict[int, int], others: dict[int, int]) -> dict[int, int]:
    return {row: copy for row, copy in rows.items() if row not in others}
