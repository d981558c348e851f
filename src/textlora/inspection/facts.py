"""What inspection knows of every row: words, HTML, spelling of labels, copies."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from textlora.data.cleaning import decode_entities, has_html, without_tags
from textlora.data.rows import NO_TEXT
from textlora.data.splitting import plain_form
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

FEW_WORDS = 3
"""Texts with fewer words are called very short."""

_WORD = re.compile(r"\w+")
# Chinese and Japanese put no spaces between words: there, a character counts as one.
_WORD_OR_CHARACTER = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W\u3040-\u30ff\u3400-\u9fff]+")


def words_of(text: str) -> list[str]:
    """Return the words of a text, in lower case, without HTML and punctuation."""
    text = decode_entities(without_tags(text))
    if text.isascii():
        return _WORD.findall(text.lower())
    return _WORD_OR_CHARACTER.findall(unicodedata.normalize("NFKC", text).casefold())


def is_empty(text: str) -> bool:
    """Say whether nothing is left without HTML, white space and invisible characters."""
    rest = decode_entities(without_tags(text))
    return all(unicodedata.category(character)[0] in "ZC" for character in rest)


# Not "+", "-" or "#": "A+" and "A", "-1" and "1", "C#" and "C" are different labels.
_EDGES = " \t.,;:!?\"'`´‘’“”«»()[]{}"
_BETWEEN_WORDS = re.compile(r"(?<=\w)[\s_-]+(?=\w)")
_WHOLE_NUMBER = re.compile(r"([+-]?\d+)\.0+")


@dataclass(frozen=True)
class Spellings:
    """One label as it is written in the data.

    Args:
        usual: the spelling with the most rows.
        rows: rows of each spelling, the usual one first.
    """

    usual: Label
    rows: dict[Label, int]

    @property
    def unusual(self) -> dict[Label, int]:
        """The other spellings and their rows."""
        return {label: count for label, count in self.rows.items() if label != self.usual}


def find_spellings(labels: Iterable[Label | None]) -> list[Spellings]:
    """Find labels that differ in case, white space, punctuation or a trailing ".0" alone.

    Args:
        labels: the labels of all rows; of multi-label rows each member counts.

    Returns:
        The labels with more than one spelling, by name.
    """
    counts: Counter[Label] = Counter(
        member
        for label in labels
        if label is not None
        for member in (label if isinstance(label, tuple) else (label,))
    )
    forms: dict[str, list[Label]] = defaultdict(list)
    for label in counts:
        forms[spelling_form(str(label))].append(label)
    found = []
    for form in sorted(form for form, written in forms.items() if len(written) > 1):
        ranked = sorted(forms[form], key=lambda label: (-counts[label], str(label)))
        found.append(Spellings(ranked[0], {label: counts[label] for label in ranked}))
    return found


def corrections(spellings: Iterable[Spellings]) -> dict[Label, Label]:
    """Return the usual spelling for every other one."""
    return {label: one.usual for one in spellings for label in one.unusual}


def spelling_form(label: str) -> str:
    """Return what all spellings of a label have in common."""
    plain = unicodedata.normalize("NFKC", label).casefold().strip()
    form = _BETWEEN_WORDS.sub(" ", plain.strip(_EDGES))
    number = _WHOLE_NUMBER.fullmatch(form)
    return number[1] if number else form or plain


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
