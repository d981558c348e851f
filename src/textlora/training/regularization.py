"""What keeps few rows from being learnt by heart: a contrastive loss, and token dropout.

Beside the cross-entropy, the pooled states of a batch are drawn to those of their class and away
from the rest. Every pair of rows has something to say then, which is what few rows lack. And some
tokens are left out at random, others in every epoch.

Sources: B. Gunel, J. Du, A. Conneau, V. Stoyanov, Supervised contrastive learning for pre-trained
language model fine-tuning, ICLR 2021, with the loss of P. Khosla et al., NeurIPS 2020; M. Iyyer,
V. Manjunatha, J. Boyd-Graber, H. Daumé III, Deep unordered composition rivals syntactic methods for
text classification, ACL 2015 (word dropout).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import Sampler
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from textlora.model.backends import TokenSequences

TEMPERATURE = 0.1
ROWS_TOGETHER = 4  # of a class in a batch: fewer would leave rows without a pair


def contrastive_loss(states: Tensor, targets: Tensor, weights: Tensor | None = None) -> Tensor:
    """Return the mean loss of the rows that share their class with another row.

    Args:
        states: [batch, hidden].
        targets: [batch] class numbers.
        weights: [batch], as if a row were there so many times; None: all 1.
    """
    times = torch.ones_like(targets, dtype=torch.float32) if weights is None else weights.float()
    unit = functional.normalize(states.float(), dim=1)
    itself = torch.eye(len(unit), dtype=torch.bool, device=unit.device)
    likeness = (unit @ unit.T / TEMPERATURE).masked_fill(itself, -torch.inf)
    log_share = likeness - (likeness + times.log()).logsumexp(dim=1, keepdim=True)
    pairs = (targets[:, None] == targets) & ~itself
    partners = (pairs * times).sum(dim=1)
    paired = partners > 0
    if not paired.any():
        return states.sum() * 0
    summed = (log_share.masked_fill(~pairs, 0) * times).sum(dim=1)
    return -(times * summed / partners)[paired].mean()


class HeadInput:
    """What goes into a classifier's head: the pooled states of the last batch.

    Args:
        head: the module, such as `PooledClassifier.classifier`.
    """

    def __init__(self, head: nn.Module) -> None:
        self.states: Tensor | None = None
        self._hook = head.register_forward_pre_hook(self._keep)

    def _keep(self, module: nn.Module, inputs: tuple[Any, ...]) -> None:
        self.states = inputs[0]

    def take(self) -> Tensor:
        """Return the states [batch, hidden], once."""
        states, self.states = self.states, None
        if states is None:
            raise RuntimeError("the head has not been run")
        return states

    def close(self) -> None:
        """Let the model go as it was."""
        self._hook.remove()


class ClassGroups(Sampler[int]):
    """Rows in an order in which those of a class come a few at a time; every row once an epoch.

    Args:
        targets: class number of each row.
        seed: with the number of the epoch it decides on the order.
    """

    def __init__(self, targets: npt.NDArray[Any], seed: int) -> None:
        self.targets = targets.astype(np.int64)
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch comes next; called by the Trainer."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.targets)

    def __iter__(self) -> Iterator[int]:
        draw = np.random.default_rng([self.seed, self.epoch])
        groups = []
        for number in np.unique(self.targets):
            rows = draw.permutation(np.flatnonzero(self.targets == number))
            groups += [rows[at : at + ROWS_TOGETHER] for at in range(0, len(rows), ROWS_TOGETHER)]
        for place in draw.permutation(len(groups)):
            yield from groups[place].tolist()


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
