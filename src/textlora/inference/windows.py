"""One answer a text from the logits of its windows.

Probabilities are pooled, and handed on as the logits that give them: what comes after scoring
(loss, temperature, thresholds) is the same for a text of one sequence and of many.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from textlora.inference.scoring import Logits, Progress, score
from textlora.model.forward import Forward, TokenSequences
from textlora.model.heads import HeadSpec

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
    highest: Logits = np.maximum.reduceat(log_probabilities, starts, axis=0)
    if pooling == "max":
        return highest
    # Against the highest, so that nothing vanishes where all probabilities are tiny.
    relative = np.exp(log_probabilities - np.repeat(highest, counts, axis=0))
    summed = np.add.reduceat(relative, starts, axis=0)
    return np.asarray(highest + np.log(summed / counts[:, None]), dtype=np.float32)


def _by_text(progress: Progress, texts: int, windows: int) -> Progress:
    """Return a progress that takes windows and tells the texts that they amount to."""
    done = 0

    def tell(scored: int) -> None:
        nonlocal done
        before, done = done, done + scored
        progress(done * texts // windows - before * texts // windows)

    return tell
