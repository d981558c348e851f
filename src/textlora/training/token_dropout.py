"""Tokens left out at random: other words of the same text in every epoch.

Source: M. Iyyer, V. Manjunatha, J. Boyd-Graber, H. Daumé III, Deep unordered composition rivals
syntactic methods for text classification, ACL 2015 (word dropout).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from textlora.model.forward import TokenSequences

FEWEST_TOKENS = 5  # below, with the two special ones, every token may be what the label hangs on


@dataclass
class DroppedTokens:
    """Sequences without some of their tokens; the first and the last, special ones, stay.

    What is left out follows from seed, epoch and position, so that a training that is resumed
    sees what it would have seen.

    Args:
        sequences: token ids, or states of the lower layers, a row a token.
        share: of the tokens that are left out.
        seed: of the choice.
        epoch: the pass over the rows.
    """

    sequences: TokenSequences
    share: float
    seed: int
    epoch: int = 0

    def __len__(self) -> int:
        return len(self.sequences)

    def __getitem__(self, index: int, /) -> Any:
        sequence = self.sequences[index]
        if len(sequence) < FEWEST_TOKENS:
            return sequence
        draw = np.random.default_rng([self.seed, self.epoch, index]).random(len(sequence))
        draw[[0, -1]] = 1
        return sequence[np.flatnonzero(draw >= self.share)]


class OthersEveryEpoch(TrainerCallback):
    """Says which epoch it is: a resumed one may begin in its middle, where datasets are not told.

    Args:
        sequences: what loses tokens.
    """

    def __init__(self, sequences: DroppedTokens) -> None:
        self.sequences = sequences

    def on_epoch_begin(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: Any,
    ) -> None:
        """Count."""
        # Epochs are sums of steps' shares, a little less than what they stand for.
        self.sequences.epoch = int((state.epoch or 0) + 1e-6)
