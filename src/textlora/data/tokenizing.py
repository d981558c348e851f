"""Texts to token ids, once (the result is cached by what went in), and the words they stand for."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from textlora.data.truncation import Cut, SpecialTokens
from textlora.errors import ModelError, storage_errors

# Part of the cache key: raise it when the meaning of the cached arrays changes.
_FORMAT_VERSION = 3
_BATCH = 1_000


@dataclass(frozen=True)
class TokenizedTexts:
    """Token ids of many texts, as sequences end to end in one array.

    A truncated text is one sequence, a text cut into windows is one or more; those of a text
    follow each other. `len` and indices count sequences.

    Args:
        tokens: all ids, int32 `[tokens]`.
        offsets: where each sequence starts, and the end, int64 `[sequences + 1]`.
        text_offsets: the first sequence of each text, and the end, int64 `[texts + 1]`.
        full_lengths: tokens of each text before it was cut, int64 `[texts]`.
        truncated: which texts have tokens that are in no sequence, bool `[texts]`.
    """

    tokens: npt.NDArray[np.int32]
    offsets: npt.NDArray[np.int64]
    text_offsets: npt.NDArray[np.int64]
    full_lengths: npt.NDArray[np.int64]
    truncated: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        """Return the number of sequences."""
        return len(self.offsets) - 1

    def __getitem__(self, index: int) -> npt.NDArray[np.int32]:
        """Return the ids of one sequence, as a view."""
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        index %= len(self)
        return self.tokens[self.offsets[index] : self.offsets[index + 1]]

    def __iter__(self) -> Iterator[npt.NDArray[np.int32]]:
        """Go through the ids of each sequence."""
        return (self[index] for index in range(len(self)))

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """The number of tokens of each sequence, special tokens included."""
        return np.diff(self.offsets)


def tokenize(
    texts: Sequence[str], tokenizer: Any, *, cut: Cut, cache_dir: Path | None
) -> TokenizedTexts:
    """Turn texts into token ids; special tokens stand at both ends of every sequence.

    Args:
        texts: the texts.
        tokenizer: a fast tokenizer of transformers; it is not changed.
        cut: what becomes of a long text.
        cache_dir: folder of earlier results; None: no cache.

    Returns:
        The ids, in the order of the texts.

    Raises:
        ModelError: the tokenizer is not a fast one.
        ConfigError: the cut leaves no room for a text.
        StorageError: the cache cannot be written.
    """
    backend = own_backend(tokenizer)
    cut.check(_special_tokens(backend))
    if cache_dir is None:
        return _encode(texts, backend, cut)
    file = cache_dir / f"{_key(texts, backend, cut)}.safetensors"
    cached = _load(file)
    if cached is None:
        cached = _encode(texts, backend, cut)
        _save(cached, file)
    return cached


class Tokenization:
    """A tokenizer made ready once, for many calls with few texts; `tokenize` does so in each.

    Args:
        tokenizer: a fast tokenizer of transformers; it is not changed.

    Raises:
        ModelError: the tokenizer is not a fast one.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._backend = own_backend(tokenizer)

    def check(self, cut: Cut) -> None:
        """Refuse a cut that leaves no room for a text.

        Raises:
            ConfigError: it does.
        """
        cut.check(_special_tokens(self._backend))

    def __call__(self, texts: Sequence[str], cut: Cut) -> TokenizedTexts:
        """Turn texts into token ids, as `tokenize` does, by a cut that was checked."""
        return _encode(texts, self._backend, cut)


def own_backend(tokenizer: Any) -> Any:
    """Return the tokenizer's backend, copied, without truncation and padding.

    Truncation and padding are state of the backend, left there by earlier calls:
    a copy keeps them from getting in, and ours from getting out.
    """
    from tokenizers import Tokenizer

    backend = getattr(tokenizer, "backend_tokenizer", None)
    if not isinstance(backend, Tokenizer):
        raise ModelError(
            f"The tokenizer {type(tokenizer).__name__} is not a fast one.",
            "Use a model that has a tokenizer.json.",
        )
    copy = Tokenizer.from_str(backend.to_str())
    copy.no_truncation()
    copy.no_padding()
    return copy


def _special_tokens(backend: Any) -> SpecialTokens:
    total = backend.num_special_tokens_to_add(False)
    added = backend.encode("a").special_tokens_mask
    # A tokenizer that makes nothing of a letter does not tell; one stands before in all we know.
    before = added.index(0) if 0 in added else min(1, total)
    return SpecialTokens(before, total - before)


def _encode(texts: Sequence[str], backend: Any, cut: Cut) -> TokenizedTexts:
    special = _special_tokens(backend)
    chunks: list[npt.NDArray[np.int32]] = []
    counts = np.zeros(len(texts) + 1, np.int64)
    full_lengths = np.zeros(len(texts), np.int64)
    truncated = np.zeros(len(texts), np.bool_)
    # Encodings are many times larger than their ids: only a batch of them lives at a time.
    for start in range(0, len(texts), _BATCH):
        encodings = backend.encode_batch_fast(list(texts[start : start + _BATCH]))
        for index, encoding in enumerate(encodings, start):
            ids = np.array(encoding.ids, np.int32)
            sequences = cut.sequences(ids, special)
            chunks += sequences
            counts[index + 1] = len(sequences)
            full_lengths[index] = len(ids)
            kept = sum(len(sequence) - special.total for sequence in sequences)
            truncated[index] = kept < len(ids) - special.total
    tokens = np.concatenate(chunks) if chunks else np.zeros(0, np.int32)
    offsets = np.cumsum([0, *map(len, chunks)], dtype=np.int64)
    return TokenizedTexts(tokens, offsets, np.cumsum(counts), full_lengths, truncated)


def _key(texts: Sequence[str], backend: Any, cut: Cut) -> str:
    digest = hashlib.sha256(f"{_FORMAT_VERSION} {cut!r}\n".encode())
    for part in (backend.to_str(), *texts):
        encoded = part.encode("utf-8")
        # The length keeps ["ab", "c"] and ["a", "bc"] apart.
        digest.update(len(encoded).to_bytes(8, "little"))
        digest.update(encoded)
    return digest.hexdigest()


def _arrays(texts: TokenizedTexts) -> dict[str, npt.NDArray[Any]]:
    return {field.name: getattr(texts, field.name) for field in fields(texts)}


def _checksum(texts: TokenizedTexts) -> str:
    digest = hashlib.sha256()
    for array in _arrays(texts).values():
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _save(texts: TokenizedTexts, file: Path) -> None:
    from safetensors.numpy import save

    content = save(_arrays(texts), metadata={"sha256": _checksum(texts)})
    temporary = file.with_name(f".{file.name}.{os.getpid()}.tmp")
    with storage_errors(f"writing the token cache {file.parent}"):
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_bytes(content)
            temporary.replace(file)
        finally:
            temporary.unlink(missing_ok=True)


def _load(file: Path) -> TokenizedTexts | None:
    """Return a cached result, or None where there is none or it is damaged."""
    from safetensors import SafetensorError, safe_open

    if not file.is_file():
        return None
    try:
        with safe_open(file, framework="numpy") as content:
            names = [field.name for field in fields(TokenizedTexts)]
            texts = TokenizedTexts(**{name: content.get_tensor(name) for name in names})
            expected = (content.metadata() or {}).get("sha256")
    except (OSError, SafetensorError):
        return None
    return texts if _checksum(texts) == expected else None


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
