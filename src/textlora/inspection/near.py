"""Near duplicates: texts that share most of their pairs of neighbouring words.

MinHash with locality-sensitive hashing finds candidates (Broder, "On the resemblance and
containment of documents", 1997), and every candidate is then compared in full.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

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
