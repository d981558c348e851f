"""Texts that are there more than once: exact, in other spelling, and nearly.

Nearly: texts that share most of their pairs of neighbouring words. MinHash with locality-sensitive
hashing finds candidates (Broder, "On the resemblance and containment of documents", 1997), and
every candidate is then compared in full.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from textlora.data.tables import Label
from textlora.inspection.corpus import Corpus

ALIKE = 0.7
"""Share of word pairs, of those in either text (Jaccard), from which texts are near duplicates."""

MIN_WORDS = 6
"""Shorter texts are near duplicates only where their words are the same."""

_PERMUTATIONS = 128
# 32 bands of 4: two texts at the limit of 0.7 become candidates in 99.98 % of all cases.
_BANDS = 32
_SEED = 1
_BATCH = 1_000


def group_alike(forms: Sequence[str]) -> list[list[int]]:
    """Group texts that are near duplicates of the first one in their group.

    A text joins the group of the text most like it that came before and began a group, so every
    member is alike to its group's first, not necessarily to the others.

    Args:
        forms: the texts as words with a space between (see `texts.words_of`), all different.

    Returns:
        Groups of two or more positions, each in order.
    """
    from rensa import RMinHashLSH

    index = RMinHashLSH(ALIKE, _PERMUTATIONS, _BANDS)
    groups: dict[int, list[int]] = {}
    for position, sketch in _sketches(forms):
        candidates = [other for other in index.query(sketch) if other in groups]
        first = _most_alike(position, candidates, forms)
        if first is None:
            groups[position] = [position]
            index.insert(position, sketch)
        else:
            groups[first].append(position)
    return [group for group in groups.values() if len(group) > 1]


def similarity(form: str, other: str) -> float:
    """Return the share of word pairs that two texts have in common, of those in either."""
    mine, theirs = set(_pairs(form)), set(_pairs(other))
    either = len(mine | theirs)
    return len(mine & theirs) / either if either else 0.0


def _sketches(forms: Sequence[str]) -> Iterator[tuple[int, object]]:
    from rensa import RMinHash

    long = [position for position, form in enumerate(forms) if form.count(" ") + 1 >= MIN_WORDS]
    # Pairs of words take many times the room of their text: only a batch of them lives at a time.
    for start in range(0, len(long), _BATCH):
        batch = long[start : start + _BATCH]
        pairs = [_pairs(forms[position]) for position in batch]
        yield from zip(batch, RMinHash.from_token_sets(pairs, _PERMUTATIONS, _SEED), strict=True)


def _most_alike(position: int, candidates: Sequence[int], forms: Sequence[str]) -> int | None:
    if not candidates:
        return None
    shares = {other: similarity(forms[position], forms[other]) for other in candidates}
    best = max(shares, key=lambda other: (shares[other], -other))
    return best if shares[best] >= ALIKE else None


def _pairs(form: str) -> list[str]:
    words = form.split(" ")
    return [f"{one} {two}" for one, two in pairwise(words)]


Groups = tuple[tuple[int, ...], ...]
Leaks = dict[tuple[int, int], dict[int, int]]


@dataclass(frozen=True)
class Copies:
    """Groups of two or more rows, by how much their texts agree; each holds the one before.

    Args:
        exact: the same but for white space.
        same: the same words, whatever the case, the punctuation and the HTML.
        alike: near duplicates of the group's first text; without a search just the same words.
    """

    exact: Groups
    same: Groups
    alike: Groups


def find_copies(
    corpus: Corpus, plain: Sequence[str], words: Sequence[str], *, near: bool
) -> Copies:
    """Group the rows of all parts by their texts.

    Args:
        corpus: the rows.
        plain: every text with its white space collapsed.
        words: every text as words with a space between.
        near: search near duplicates, which doubles the time.

    Returns:
        The groups, with the rows of the last part first.
    """
    # Where a text of test begins the group, everything in the group is alike to that very text.
    parts = reversed(range(len(corpus.names)))
    last_first = [row for part in parts for row in corpus.rows_of(part)]
    exact = _grouped(plain, last_first)
    # A text without any word, such as ":)", is only ever itself.
    by_words = _grouped([form or text for form, text in zip(words, plain, strict=True)], last_first)
    alike = by_words
    if near:
        firsts = list(by_words.values())
        forms = [words[rows[0]] for rows in firsts]
        joined = {
            group[0]: [row for one in group for row in firsts[one]] for group in group_alike(forms)
        }
        taken = {row for rows in joined.values() for row in rows}
        alike = {rows[0]: rows for rows in joined.values()}
        alike |= {rows[0]: rows for rows in firsts if rows[0] not in taken}
    return Copies(_repeated(exact), _repeated(by_words), _repeated(alike))


def leaks(corpus: Corpus, groups: Groups) -> Leaks:
    """Return the rows whose text is in an earlier part, too.

    Args:
        corpus: the rows.
        groups: rows that share a text.

    Returns:
        By the numbers of the earlier and the later part: rows of the later one, each with a row
        of the earlier one.
    """
    found: dict[tuple[int, int], dict[int, int]] = {}
    for group in groups:
        first: dict[int, int] = {}
        for row in sorted(group):
            later = corpus.part_of(row)
            first.setdefault(later, row)
            for earlier, copy in first.items():
                if earlier < later:
                    found.setdefault((earlier, later), {})[row] = copy
    return dict(sorted(found.items()))


def given_up(corpus: Corpus, groups: Groups) -> dict[int, int]:
    """Return the rows whose text is in a later part, too, with a row of the last such part."""
    found = {}
    for group in groups:
        other = group[0]
        last = corpus.part_of(other)
        found.update({row: other for row in group if corpus.part_of(row) < last})
    return found


def repeats(corpus: Corpus, groups: Groups) -> dict[int, int]:
    """Return the rows whose text came before in their part, with the first such row."""
    found = {}
    for group in groups:
        first: dict[int, int] = {}
        for row in sorted(group):
            before = first.setdefault(corpus.part_of(row), row)
            if before != row:
                found[row] = before
    return found


def conflicts(
    corpus: Corpus, groups: Groups, spelling: Mapping[Label, Label]
) -> list[tuple[int, ...]]:
    """Return the groups whose rows do not all have one label.

    Args:
        corpus: the rows.
        groups: rows of one text.
        spelling: the right label for each one that is spelled otherwise.
    """
    labels = corpus.labels
    return [
        group
        for group in groups
        if len({respelled(labels[row], spelling) for row in group} - {None}) > 1
    ]


def respelled(label: Label | None, spelling: Mapping[Label, Label]) -> Label | None:
    """Return a label in its right spelling."""
    if isinstance(label, tuple):
        return tuple(sorted({str(spelling.get(member, member)) for member in label}))
    return None if label is None else spelling.get(label, label)


def _grouped(keys: Sequence[str], order: Iterable[int]) -> dict[int | str, list[int]]:
    groups: dict[int | str, list[int]] = defaultdict(list)
    for row in order:
        groups[keys[row]].append(row)
    return groups


def _repeated(groups: Mapping[int | str, Sequence[int]]) -> Groups:
    return tuple(tuple(group) for group in groups.values() if len(group) > 1)
