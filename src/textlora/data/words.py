"""Where tokens stand in their text, and which of them make up a word."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from textlora.data.tokenizing import own_backend

# "don't" and "well-made" are one word to a reader, whatever a tokenizer makes of them.
_COMPOUND = re.compile(r"\w+(?:['’‑-]\w+)+")


@dataclass(frozen=True)
class TokenPlace:
    """One token of a text.

    Args:
        id: its number in the vocabulary.
        start: its first character's place in the text, white space left out. A token of white
            space alone is empty.
        end: the place after its last.
        word: number of the tokenizer's own word; None for a token that is not of the text,
            such as [CLS].
    """

    id: int
    start: int
    end: int
    word: int | None


@dataclass(frozen=True)
class WordPlace:
    """Characters `start` to `end` (exclusive) of a text, and the numbers of their tokens."""

    start: int
    end: int
    tokens: tuple[int, ...]


def token_places(text: str, tokenizer: Any) -> list[TokenPlace]:
    """Return all tokens of a text, special tokens at its ends included; nothing is cut off.

    Raises:
        ModelError: the tokenizer is not a fast one.
    """
    encoding = own_backend(tokenizer).encode(text)
    places = []
    last = 0
    rows = zip(
        encoding.ids,
        encoding.offsets,
        encoding.word_ids,
        encoding.special_tokens_mask,
        strict=True,
    )
    for token, (start, end), word, special in rows:
        if special:
            places.append(TokenPlace(token, last, last, None))
            continue
        start, end = _without_space(text, start, end)
        places.append(TokenPlace(token, start, end, -1 if word is None else word))
        last = end
    return places


def word_places(
    text: str, places: Sequence[TokenPlace], kept: Sequence[int] | None = None
) -> list[WordPlace]:
    """Put tokens together to words.

    Tokens make one word where the tokenizer says so, where they share a character (the bytes
    of one), and inside a compound such as "don't". Punctuation stands apart. A token of white
    space alone counts with the word after it, as the space inside byte-level tokens does.

    Args:
        text: the text.
        places: all its tokens.
        kept: the numbers of the tokens to take, rising; None for all.

    Returns:
        The words in the order of the text, without overlap.
    """
    inside = {
        place
        for match in _COMPOUND.finditer(text)
        for place in range(match.start() + 1, match.end())
    }
    words: list[WordPlace] = []
    blank: list[int] = []
    for number in range(len(places)) if kept is None else kept:
        token = places[number]
        if token.word is None:
            continue
        if token.start == token.end:
            blank.append(number)
        elif words and _belongs(places, words[-1], number, inside):
            before = words[-1]
            end = max(before.end, token.end)
            words[-1] = WordPlace(before.start, end, (*before.tokens, *blank, number))
            blank = []
        else:
            words.append(WordPlace(token.start, token.end, (*blank, number)))
            blank = []
    if words:
        words[-1] = replace(words[-1], tokens=(*words[-1].tokens, *blank))
    return words


def unseen_places(
    text: str, places: Sequence[TokenPlace], kept: Sequence[int], words: Sequence[WordPlace]
) -> list[tuple[int, int]]:
    """Return the runs of characters whose tokens are all left out, as (start, end).

    Args:
        text: the text.
        places: all its tokens.
        kept: the numbers of the tokens that the model reads.
        words: the words of these.
    """
    seen = set(kept)
    gaps = sorted((word.start, word.end) for word in words)
    runs: list[tuple[int, int]] = []
    open_run = False
    for number, token in enumerate(places):
        if token.word is None or token.start == token.end:
            continue
        if number in seen:
            open_run = False
        elif open_run:
            runs[-1] = (runs[-1][0], max(runs[-1][1], token.end))
        else:
            runs.append((token.start, token.end))
            open_run = True
    clipped = (_clip(run, gaps) for run in runs)
    stripped = (_without_space(text, start, end) for start, end in clipped)
    return [(start, end) for start, end in stripped if end > start]


def _belongs(places: Sequence[TokenPlace], word: WordPlace, number: int, inside: set[int]) -> bool:
    last = word.tokens[-1]
    token = places[number]
    if token.start < word.end:
        return True
    if number != last + 1:
        return False
    touches = token.start == word.end
    return (token.word == places[last].word and touches) or (touches and token.start in inside)


def _clip(run: tuple[int, int], gaps: Sequence[tuple[int, int]]) -> tuple[int, int]:
    start, end = run
    for first, last in gaps:
        if first <= start < last:
            start = last
        elif start < first < end:
            end = first
    return start, max(start, end)


def _without_space(text: str, start: int, end: int) -> tuple[int, int]:
    """Leave out white space at both ends; what is nothing else gets empty."""
    piece = text[start:end]
    first = start + len(piece) - len(piece.lstrip())
    return first, max(first, end - len(piece) + len(piece.rstrip()))
