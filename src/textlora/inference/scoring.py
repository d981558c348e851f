"""Logits of many token sequences: batched by a token budget, longest first; pooled by text.

Where a text is several windows, probabilities are pooled, and handed on as the logits that give
them: what comes after scoring (loss, temperature, thresholds) is the same for one and for many.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from textlora.model.backends import Forward, TokenSequences
from textlora.model.heads import HeadSpec

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


WindowPooling = Literal["mean", "max"]
Offsets = np.ndarray[Any, np.dtype[np.int64]]


def score_texts(
    model: nn.Module,
    forward: Forward,
    sequences: TokenSequences,
    text_offsets: Offsets,
    *,
    head: HeadSpec,
    pooling: WindowPooling,
    progress: Progress | None = None,
) -> Logits:
    """Return the logits of texts, the windows of all of them in shared batches.

    Args:
        model: the classifier; its training mode is restored afterwards.
        forward: how to run it.
        sequences: the windows of every text, one text after the other.
        text_offsets: the first window of each text, and the end, `[texts + 1]`.
        head: what the logits mean.
        pooling: see `pool_logits`.
        progress: called with the number of texts done after every batch.

    Returns:
        [texts, units], fp32.
    """
    if progress is not None:
        progress = _by_text(progress, len(text_offsets) - 1, len(sequences))
    logits = score(model, forward, sequences, progress=progress)
    return pool_logits(logits, text_offsets, head=head, pooling=pooling)


def pool_logits(
    logits: Logits, text_offsets: Offsets, *, head: HeadSpec, pooling: WindowPooling
) -> Logits:
    """Pool the probabilities of each text's windows.

    "mean": the mean of the windows' probabilities. "max": of every class the highest that a
    window gives it, scaled to sum to 1 again; for multi-label data, where a class is on its own,
    the highest as it is. A text of one window keeps its logits as they are.

    Args:
        logits: [windows, units].
        text_offsets: the first window of each text, and the end, `[texts + 1]`.
        head: what the logits mean.
        pooling: "mean" or "max".

    Returns:
        [texts, units]: logits whose probabilities are the pooled ones.

    Raises:
        ValueError: a text has no window, or a window belongs to no text.
    """
    counts = np.diff(text_offsets)
    if text_offsets[0] != 0 or text_offsets[-1] != len(logits) or (counts < 1).any():
        raise ValueError(f"{len(logits)} windows do not fit the offsets of {len(counts)} texts")
    if (counts == 1).all():
        return logits
    starts = text_offsets[:-1]
    rows = torch.from_numpy(logits).float()
    if head.loss == "cross_entropy":
        pooled = _pool(rows.log_softmax(dim=-1).numpy(), starts, counts, pooling)
    elif pooling == "max" and head.multi_label:
        pooled = np.maximum.reduceat(logits, starts, axis=0)
    else:
        # A sigmoid's logit is how far the log-probability of yes is above that of no.
        yes, no = functional.logsigmoid(rows).numpy(), functional.logsigmoid(-rows).numpy()
        pooled = _pool(yes, starts, counts, pooling) - _pool(no, starts, counts, pooling)
    alone = counts == 1
    pooled[alone] = logits[starts[alone]]
    return pooled


def _pool(
    log_probabilities: Logits, starts: Offsets, counts: Offsets, pooling: WindowPooling
) -> Logits:
    """Return the log of the mean, or the maximum, of [windows, classes] by text."""
    if pooling == "max":
        return np.maximum.reduceat(log_probabilities, starts, axis=0)
    summed = np.logaddexp.reduceat(log_probabilities, starts, axis=0)
    return np.asarray(summed - np.log(counts)[:, None], dtype=np.float32)


def _by_text(progress: Progress, texts: int, windows: int) -> Progress:
    """Return a progress that takes windows and tells the texts that they amount to."""
    done = 0

    def tell(scored: int) -> None:
        nonlocal done
        before, done = done, done + scored
        progress(done * texts // windows - before * texts // windows)

    return tell
