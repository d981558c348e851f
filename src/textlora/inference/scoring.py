"""Logits of many token sequences: batched by a token budget, longest first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from textlora.model.forward import Forward, TokenSequences

# On two cores larger batches fall out of the cache and gain nothing.
DEFAULT_TOKEN_BUDGET = 4096

Logits = np.ndarray[Any, np.dtype[np.float32]]
Progress = Callable[[int], None]


def length_batches(
    lengths: Sequence[int], cost: Callable[[Sequence[int]], int], token_budget: int
) -> Iterator[list[int]]:
    """Group sequences of similar length, longest first, so that memory peaks at the start.

    Args:
        lengths: tokens of each sequence.
        cost: token rows that a batch of given lengths computes.
        token_budget: what a batch may cost; a sequence longer than that goes alone.

    Yields:
        Lists of positions in `lengths`; every position once.
    """
    order = sorted(range(len(lengths)), key=lambda position: (-lengths[position], position))
    batch: list[int] = []
    for position in order:
        grown = [lengths[other] for other in batch] + [lengths[position]]
        if batch and cost(grown) > token_budget:
            yield batch
            batch = []
        batch.append(position)
    if batch:
        yield batch


@torch.inference_mode()
def score(
    model: nn.Module,
    forward: Forward,
    sequences: TokenSequences,
    *,
    token_budget: int = DEFAULT_TOKEN_BUDGET,
    progress: Progress | None = None,
) -> Logits:
    """Return the logits of token sequences, in their order.

    Args:
        model: the classifier; its training mode is restored afterwards.
        forward: how to run it.
        sequences: token ids with special tokens.
        token_budget: token rows in a batch.
        progress: called with the number of sequences done after every batch.

    Returns:
        [sequences, units], fp32.
    """
    device = next(model.parameters()).device
    lengths = [len(sequences[position]) for position in range(len(sequences))]
    results: Logits | None = None
    was_training = model.training
    model.eval()
    try:
        for positions in length_batches(lengths, forward.cost, token_budget):
            batch = forward.collate([sequences[position] for position in positions])
            batch = {name: tensor.to(device) for name, tensor in batch.items()}
            logits = forward.logits(model, batch).float().cpu().numpy()
            if results is None:
                results = np.empty((len(sequences), logits.shape[1]), dtype=np.float32)
            results[positions] = logits
            if progress is not None:
                progress(len(positions))
    finally:
        model.train(was_training)
    return results if results is not None else np.empty((0, 0), dtype=np.float32)
