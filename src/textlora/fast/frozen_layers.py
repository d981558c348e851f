"""The frozen layers below the lowest adapter, run once: the states in which they leave every text.

Nothing that is trained lies below the lowest adapter, so these states are the
same in every epoch.
"""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from textlora.fast.encoder import Batch, run_layers
from textlora.fast.packing import Packed, pack

Numbers = np.ndarray[Any, np.dtype[np.int64]]


@dataclass
class Rows:
    """The states of all texts, which can be let go.

    Args:
        values: [all tokens, hidden], the texts end to end in any order, without filler.
        on_disk: whether they are in a file.
    """

    values: Tensor
    on_disk: bool


@dataclass(frozen=True)
class PrefixStates:
    """The hidden states of many texts, indexed like a list: [tokens, hidden] each.

    Args:
        rows: where they are.
        starts: [texts], the first row of each text.
        lengths: [texts], the tokens of each text.
    """

    rows: Rows
    starts: Numbers
    lengths: Numbers

    def __len__(self) -> int:
        """Return the number of texts."""
        return len(self.starts)

    def __getitem__(self, index: int) -> Tensor:
        """Return the states of one text, as a view."""
        start = int(self.starts[index])
        return self.rows.values[start : start + int(self.lengths[index])]

    def split(self, at: int) -> tuple[PrefixStates, PrefixStates]:
        """Return the texts before a position and those from it on; both share the rows."""
        return (
            replace(self, starts=self.starts[:at], lengths=self.lengths[:at]),
            replace(self, starts=self.starts[at:], lengths=self.lengths[at:]),
        )

    def close(self) -> None:
        """Let go of memory or file, for all that share the rows; every text is empty then."""
        # Whoever was handed the states may live on, as the Trainer does in cycles of references.
        self.rows.values = self.rows.values.new_empty(0, self.rows.values.shape[1])


def prefix_states(
    batch_of: Callable[[Packed], Batch],
    sequences: Sequence[np.ndarray[Any, Any]],
    batches: Sequence[Sequence[int]],
    *,
    layers: int,
    ram_bytes: float,
    folder: Path,
    progress: Callable[[int], None] | None = None,
) -> PrefixStates:
    """Run the lowest layers over all texts.

    Args:
        batch_of: makes a batch of packed texts for the encoder, outside training.
        sequences: token ids of each text.
        batches: positions in `sequences` that are run together; every position once.
        layers: how many layers are run, less than all.
        ram_bytes: up to this size the states stay in memory.
        folder: where a larger file goes; made if it is not there.
        progress: called with the number of texts done after every batch.

    Returns:
        The states in the type in which the encoder computes.

    Raises:
        ValueError: there is no text, or the batches leave one out or hold one twice.
        OSError: the folder cannot be written, or has no room.
    """
    order = np.concatenate([np.zeros(0, np.int64), *batches]).astype(np.int64)
    if not len(order) or not np.array_equal(np.sort(order), np.arange(len(sequences))):
        raise ValueError("every text belongs into one batch")
    lengths = np.array([len(sequence) for sequence in sequences], dtype=np.int64)
    starts = np.empty_like(lengths)
    starts[order] = np.cumsum(lengths[order]) - lengths[order]
    chunks = _run(batch_of, sequences, batches, layers, progress)
    # The first batch tells the width and the type.
    first = next(chunks)
    shape = int(lengths.sum()), first.shape[1]
    on_disk = shape[0] * shape[1] * first.itemsize > ram_bytes
    chunks = chain([first], chunks)
    if on_disk:
        values = _in_file(chunks, shape, first.dtype, folder)
    else:
        values = _in_memory(chunks, shape, first.dtype)
    return PrefixStates(Rows(values, on_disk), starts, lengths)


@torch.no_grad()
def _run(
    batch_of: Callable[[Packed], Batch],
    sequences: Sequence[np.ndarray[Any, Any]],
    batches: Sequence[Sequence[int]],
    layers: int,
    progress: Callable[[int], None] | None,
) -> Iterator[Tensor]:
    for positions in batches:
        packed = pack([sequences[position] for position in positions])
        states, _ = run_layers(batch_of(packed), keep_states=False, stop=layers)
        if progress is not None:
            progress(len(positions))
        yield states[: int(packed.cu_seqlens[-1])]


def _in_memory(chunks: Iterable[Tensor], shape: tuple[int, int], dtype: torch.dtype) -> Tensor:
    values = torch.empty(shape, dtype=dtype)
    start = 0
    for chunk in chunks:
        values[start : start + len(chunk)] = chunk
        start += len(chunk)
    return values


def _in_file(
    chunks: Iterable[Tensor], shape: tuple[int, int], dtype: torch.dtype, folder: Path
) -> Tensor:
    size = shape[0] * shape[1] * dtype.itemsize
    folder.mkdir(parents=True, exist_ok=True)
    if shutil.disk_usage(folder).free < size:
        # Said before the work, not in the middle of it.
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))
    # A file without a name: the system frees it however the program ends.
    with tempfile.TemporaryFile(dir=folder) as file:
        for chunk in chunks:
            # Not through the map, where a full disk is a signal that ends the program;
            # as bytes, because numpy knows no bf16.
            file.write(chunk.contiguous().view(torch.uint8).numpy().tobytes())
        file.flush()
        # Copy on write, because torch takes no read-only arrays; nothing is ever written.
        mapped = np.memmap(file, dtype=np.uint8, mode="c", shape=(size,))
    return torch.from_numpy(mapped).view(dtype).view(shape)
