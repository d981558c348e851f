"""The fast way to run a classifier from the states in which its frozen layers leave a text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from textlora.fast.frozen_layers import PrefixStates as PrefixStates
from textlora.fast.frozen_layers import prefix_states
from textlora.fast.packing import Packed, pack_states
from textlora.model.backends.fast import FastForward
from textlora.model.backends.plain import TokenIds


@dataclass(frozen=True)
class PrefixForward:
    """Hidden states through the upper layers of the bound encoder, then the classifier's head.

    A `Forward` whose sequences are hidden states [tokens, hidden] in place of token ids.

    Args:
        fast: the whole encoder, bound.
        first_layer: the layer that the states enter; nothing is trained below it.
    """

    fast: FastForward
    first_layer: int
    name: str = "fast"

    @classmethod
    def above_frozen(cls, fast: FastForward) -> PrefixForward:
        """Return the way that skips as many layers as it can.

        The last layer is never skipped: its output may be the [CLS] rows alone.
        """
        encoder = fast.encoder
        return cls(fast, min(encoder.lowest_adapter, len(encoder.layers) - 1))

    @property
    def dtype(self) -> torch.dtype:
        """The type of the frozen products."""
        return self.fast.dtype

    @property
    def layers(self) -> int:
        """How many layers the encoder has."""
        return len(self.fast.encoder.layers)

    def run_frozen(
        self,
        sequences: Sequence[TokenIds],
        batches: Sequence[Sequence[int]],
        *,
        ram_bytes: float,
        folder: Path,
        progress: Callable[[int], None] | None = None,
    ) -> PrefixStates:
        """Run the layers below `first_layer` over all texts, without dropout.

        Args:
            sequences: token ids of each text.
            batches: positions in `sequences` that are run together; every position once.
            ram_bytes: up to this size the states stay in memory.
            folder: where a larger file goes.
            progress: called with the number of texts done after every batch.

        Raises:
            OSError: the folder cannot be written, or has no room.
        """
        return prefix_states(
            lambda packed: self.fast.batch(packed, training=False),
            sequences,
            batches,
            layers=self.first_layer,
            ram_bytes=ram_bytes,
            folder=folder,
            progress=progress,
        )

    def collate(self, sequences: Sequence[Tensor]) -> dict[str, Tensor]:
        """Return `states` [rows, hidden], and what packed sequences have."""
        states, packed = pack_states(sequences)
        return {"states": states, **vars(packed)}

    def logits(self, model: nn.Module, batch: dict[str, Tensor]) -> Tensor:
        """Return [sequences, units]."""
        packed = Packed(**{name: value for name, value in batch.items() if name != "states"})
        return self.fast.run(
            model,
            self.fast.batch(
                packed,
                training=model.training,
                states=batch["states"],
                first_layer=self.first_layer,
            ),
        )

    def cost(self, lengths: Sequence[int]) -> int:
        """Return the tokens of a batch: nothing is padded."""
        return self.fast.cost(lengths)
