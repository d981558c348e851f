"""Texts to token ids, once: the result is cached by what went in."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from textlora.errors import ConfigError, ModelError, storage_errors

# Part of the cache key: raise it when the meaning of the cached arrays changes.
_FORMAT_VERSION = 2
_BATCH = 1_000

Side = Literal["left", "right"]


@dataclass(frozen=True)
class TokenizedTexts:
    """Token ids of many texts, end to end in one array.

    Args:
        tokens: all ids, int32 `[tokens]`.
        offsets: where each text starts, and the end, int64 `[texts + 1]`.
        full_lengths: tokens of each text before truncation, int64 `[texts]`.
    """

    tokens: npt.NDArray[np.int32]
    offsets: npt.NDArray[np.int64]
    full_lengths: npt.NDArray[np.int64]

    def __len__(self) -> int:
        """Return the number of texts."""
        return len(self.offsets) - 1

    def __getitem__(self, index: int) -> npt.NDArray[np.int32]:
        """Return the ids of one text, as a view."""
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        index %= len(self)
        return self.tokens[self.offsets[index] : self.offsets[index + 1]]

    def __iter__(self) -> Iterator[npt.NDArray[np.int32]]:
        """Go through the ids of each text."""
        return (self[index] for index in range(len(self)))

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """The number of tokens of each text, special tokens included."""
        return np.diff(self.offsets)

    @property
    def truncated(self) -> npt.NDArray[np.bool_]:
        """Which texts lost tokens, bool `[texts]`."""
        return self.full_lengths > self.lengths


def tokenize(
    texts: Sequence[str],
    tokenizer: Any,
    *,
    max_length: int,
    truncation_side: Side,
    cache_dir: Path | None,
) -> TokenizedTexts:
    """Turn texts into token ids; special tokens stay at both ends of a truncated text.

    Args:
        texts: the texts.
        tokenizer: a fast tokenizer of transformers; it is not changed.
        max_length: tokens a text may have, special tokens included.
        truncation_side: the end at which a long text loses tokens.
        cache_dir: folder of earlier results; None: no cache.

    Returns:
        The ids, in the order of the texts.

    Raises:
        ModelError: the tokenizer is not a fast one.
        ConfigError: max_length leaves no room for a text.
        StorageError: the cache cannot be written.
    """
    backend = _own_copy(tokenizer)
    special = backend.num_special_tokens_to_add(False)
    if max_length <= special:
        raise ConfigError(
            f"data.max_length={max_length} leaves no room beside {special} special tokens.",
            "Give a larger data.max_length.",
        )
    if cache_dir is None:
        return _encode(texts, backend, max_length, truncation_side)
    file = cache_dir / f"{_key(texts, backend, max_length, truncation_side)}.safetensors"
    cached = _load(file)
    if cached is None:
        cached = _encode(texts, backend, max_length, truncation_side)
        _save(cached, file)
    return cached


def _own_copy(tokenizer: Any) -> Any:
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


def _encode(texts: Sequence[str], backend: Any, max_length: int, side: Side) -> TokenizedTexts:
    backend.enable_truncation(max_length, direction=side)
    chunks: list[npt.NDArray[np.int32]] = []
    lengths = np.zeros(len(texts) + 1, np.int64)
    full_lengths = np.zeros(len(texts), np.int64)
    special = backend.num_special_tokens_to_add(False)
    # Encodings are many times larger than their ids: only a batch of them lives at a time.
    for start in range(0, len(texts), _BATCH):
        encodings = backend.encode_batch_fast(list(texts[start : start + _BATCH]))
        for index, encoding in enumerate(encodings, start):
            chunks.append(np.array(encoding.ids, np.int32))
            lengths[index + 1] = len(chunks[-1])
            lost = sum(len(rest.ids) - special for rest in encoding.overflowing)
            full_lengths[index] = len(chunks[-1]) + lost
    tokens = np.concatenate(chunks) if chunks else np.zeros(0, np.int32)
    return TokenizedTexts(tokens, np.cumsum(lengths), full_lengths)


def _key(texts: Sequence[str], backend: Any, max_length: int, side: Side) -> str:
    digest = hashlib.sha256(f"{_FORMAT_VERSION} {max_length} {side}\n".encode())
    for part in (backend.to_str(), *texts):
        encoded = part.encode("utf-8")
        # The length keeps ["ab", "c"] and ["a", "bc"] apart.
        digest.update(len(encoded).to_bytes(8, "little"))
        digest.update(encoded)
    return digest.hexdigest()


def _checksum(texts: TokenizedTexts) -> str:
    digest = hashlib.sha256()
    for array in (texts.tokens, texts.offsets, texts.full_lengths):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _save(texts: TokenizedTexts, file: Path) -> None:
    from safetensors.numpy import save

    arrays: dict[str, npt.NDArray[Any]] = {
        "tokens": texts.tokens,
        "offsets": texts.offsets,
        "full_lengths": texts.full_lengths,
    }
    content = save(arrays, metadata={"sha256": _checksum(texts)})
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
            names = ("tokens", "offsets", "full_lengths")
            texts = TokenizedTexts(*(content.get_tensor(name) for name in names))
            expected = (content.metadata() or {}).get("sha256")
    except (OSError, SafetensorError):
        return None
    return texts if _checksum(texts) == expected else None
