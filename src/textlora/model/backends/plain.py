"""The plain way to run a classifier: pad, and call the untouched Transformers/PEFT model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

TokenIds = np.ndarray[Any, np.dtype[np.int32]]


@dataclass(frozen=True)
class PlainForward:
    """Dynamic padding and the model's own forward.

    Args:
        pad_token_id: fills the shorter sequences, on the right.
    """

    pad_token_id: int
    name: str = "plain"
    dtype: torch.dtype = torch.float32

    def collate(self, sequences: Sequence[TokenIds]) -> dict[str, Tensor]:
        """Return `input_ids` and `attention_mask`, both [batch, longest]."""
        longest = max(len(sequence) for sequence in sequences)
        input_ids = torch.full((len(sequences), longest), self.pad_token_id, dtype=torch.long)
        attention_mask = torch.zeros((len(sequences), longest), dtype=torch.long)
        for row, sequence in enumerate(sequences):
            input_ids[row, : len(sequence)] = torch.from_numpy(sequence.astype(np.int64))
            attention_mask[row, : len(sequence)] = 1
        return {"input_ids": input_ids, "attention_mask": attention_mask}

    def logits(self, model: nn.Module, batch: dict[str, Tensor]) -> Tensor:
        """Return [batch, units]."""
        logits: Tensor = model(**batch).logits
        return logits

    def cost(self, lengths: Sequence[int]) -> int:
        """Return the padded size of a batch."""
        return max(lengths, default=0) * len(lengths)
