"""Sequences of any lengths laid end to end, without padding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

# oneDNN keeps 1,024 compiled products. With totals rounded to 16 an epoch has more shapes than
# that, compiles them again and again (27 s an epoch on two cores, not 23) and takes 0.5 GiB more.
ROW_MULTIPLE = 32


@dataclass(frozen=True)
class Packed:
    """A packed batch: the tokens of its sequences, then filler up to a round number of rows.

    The filler belongs to no sequence: nothing attends to it, and its gradient is 0.

    Args:
        input_ids: [rows] int64.
        position_ids: [rows] int64, counting from 0 in every sequence.
        cu_seqlens: [sequences + 1] int64: where each sequence starts, and the end of the last.
    """

    input_ids: Tensor
    position_ids: Tensor
    cu_seqlens: Tensor

    @property
    def lengths(self) -> list[int]:
        """Tokens of each sequence."""
        return self.cu_seqlens.diff().tolist()  # type: ignore[no-any-return]


def pack(sequences: Sequence[np.ndarray[Any, Any]], multiple: int = ROW_MULTIPLE) -> Packed:
    """Lay sequences end to end.

    Args:
        sequences: token ids, each with at least one token.
        multiple: the rows are filled up to a multiple of this; 1 for no filler.

    Raises:
        ValueError: there is no sequence, or an empty one.
    """
    lengths = np.array([len(sequence) for sequence in sequences], dtype=np.int64)
    if not len(lengths) or lengths.min() < 1:
        raise ValueError("every sequence needs at least one token")
    ends = np.concatenate([[0], np.cumsum(lengths)])
    total = int(ends[-1])
    rows = -(-total // multiple) * multiple
    tokens, positions = np.zeros((2, rows), dtype=np.int64)
    tokens[:total] = np.concatenate(sequences)
    positions[:total] = np.arange(total) - np.repeat(ends[:-1], lengths)
    return Packed(torch.from_numpy(tokens), torch.from_numpy(positions), torch.from_numpy(ends))


def pack_states(states: Sequence[Tensor], multiple: int = ROW_MULTIPLE) -> tuple[Tensor, Packed]:
    """Lay the hidden states of sequences end to end.

    Args:
        states: [tokens, hidden] of each sequence, with at least one token.
        multiple: the rows are filled up to a multiple of this; 1 for no filler.

    Returns:
        [rows, hidden], 0 in the filler; and where each sequence lies. Its ids are all 0:
        with states in their place nobody reads them.

    Raises:
        ValueError: there is no sequence, or an empty one.
    """
    packed = pack([np.zeros(len(sequence), dtype=np.int64) for sequence in states], multiple)
    filler = len(packed.input_ids) - int(packed.cu_seqlens[-1])
    return torch.cat([*states, states[0].new_zeros(filler, states[0].shape[1])]), packed


def unpack(values: Tensor, cu_seqlens: Tensor) -> list[Tensor]:
    """Cut [rows, …] into one tensor a sequence, without the filler."""
    return list(values[: int(cu_seqlens[-1])].split(cu_seqlens.diff().tolist()))


def clear_filler(
    into: tuple[Tensor, Tensor | None, Tensor | None], total: int, queries: int
) -> None:
    """Set to 0 the gradients of rows that belong to no sequence."""
    for target, used in zip(into, (queries, total, total), strict=True):
        if target is not None:
            target[used:] = 0
