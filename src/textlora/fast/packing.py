"""Sequences of any lengths laid end to end, without padding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Packed:
    """A packed batch.

    Args:
        input_ids: [total_tokens] int64.
        position_ids: [total_tokens] int64, counting from 0 in every sequence.
        cu_seqlens: [sequences + 1] int64: where each sequence starts, and the end.
    """

    input_ids: Tensor
    position_ids: Tensor
    cu_seqlens: Tensor

    @property
    def lengths(self) -> list[int]:
        """Tokens of each sequence."""
        return self.cu_seqlens.diff().tolist()  # type: ignore[no-any-return]


def pack(sequences: Sequence[np.ndarray[Any, Any]]) -> Packed:
    """Lay sequences end to end.

    Args:
        sequences: token ids, each with at least one token.

    Raises:
        ValueError: there is no sequence, or an empty one.
    """
    lengths = np.array([len(sequence) for sequence in sequences], dtype=np.int64)
    if not len(lengths) or lengths.min() < 1:
        raise ValueError("every sequence needs at least one token")
    ends = np.concatenate([[0], np.cumsum(lengths)])
    positions = np.arange(ends[-1]) - np.repeat(ends[:-1], lengths)
    return Packed(
        torch.from_numpy(np.concatenate(sequences).astype(np.int64)),
        torch.from_numpy(positions),
        torch.from_numpy(ends),
    )


def unpack(values: Tensor, cu_seqlens: Tensor) -> list[Tensor]:
    """Cut [total_tokens, …] into one tensor a sequence."""
    return list(values.split(cu_seqlens.diff().tolist()))
