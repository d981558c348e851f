"""What every way to run a classifier offers; and the plain one: pad, and call the whole model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

TokenIds = np.ndarray[Any, np.dtype[np.int32]]


class UnsupportedError(Exception):
    """The fast path cannot run this model; the message says why."""


class TokenSequences(Protocol):
    """Many texts, each as what a `Forward` takes: a list, or anything that is indexed like one.

    An item is the text's token ids, or for `PrefixForward` their hidden states; its `len` is
    the number of tokens.
    """

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Any: ...


class Forward(Protocol):
    """A way to run a classifier on batches."""

    @property
    def name(self) -> str:
        """What the way is called in the log."""
        ...

    @property
    def dtype(self) -> torch.dtype:
        """The type of the products with the frozen weights."""
        ...

    def collate(self, sequences: Sequence[Any]) -> dict[str, Tensor]:
        """Make the tensors of one batch from items of `TokenSequences`."""
        ...

    def logits(self, model: nn.Module, batch: dict[str, Tensor]) -> Tensor:
        """Return [batch, units] for what `collate` made."""
        ...

    def cost(self, lengths: Sequence[int]) -> int:
        """Return how many token rows a batch of such sequences computes."""
        ...


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
