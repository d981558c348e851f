"""Logits of many token sequences: batched by a token budget, longest first; pooled by text.

Where a text is several windows, probabilities are pooled, and handed on as the logits that give
them: what comes after scoring (loss, temperature, thresholds) is the same for one and for many.
`FrozenStates` is what the encoder as it came makes of texts: where the head starts, and what a
baseline sees.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, Literal

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from transformers import PreTrainedTokenizerBase

from textlora.config import ComputeConfig
from textlora.data.tokenizing import TokenizedTexts
from textlora.metrics.scores import FloatArray
from textlora.model.backends import Forward, TokenSequences, choose_forward
from textlora.model.encoders import Backbone, resize_embeddings
from textlora.model.heads import HeadSpec, PooledClassifier

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


# What the head sees. The mean over the tokens says more of a text than the [CLS] state, which
# in most encoders nothing has trained to hold a meaning.
_STATES = HeadSpec("linear", "mean", "cross_entropy", num_labels=2)

ProgressBar = Callable[[int], AbstractContextManager[Progress]]
"""Makes a bar for a number of sequences."""


class FrozenStates:
    """Mean-pooled states of the untouched encoder; each set of texts is encoded once.

    The encoder is loaded anew: training may have changed the one under the adapter (trained
    biases, an initialisation that takes a part out of the weights). It is loaded when it is
    first needed, and let go by `release`.

    Args:
        backbone: the pretrained encoder.
        tokenizer: its tokenizer.
        compute: how the arithmetic is done.
        progress: makes a bar that is shown while texts are encoded.
    """

    def __init__(
        self,
        backbone: Backbone,
        tokenizer: PreTrainedTokenizerBase,
        compute: ComputeConfig,
        progress: ProgressBar,
    ) -> None:
        self.backbone, self.tokenizer, self.compute = backbone, tokenizer, compute
        self.progress = progress
        self._known: dict[str, FloatArray] = {}
        self._loaded: tuple[nn.Module, Forward] | None = None

    def __call__(self, sequences: TokenizedTexts) -> FloatArray:
        """Return the mean state of each text `[n, hidden]`, over its windows where it has many."""
        key = _key(sequences)
        if key not in self._known:
            self._known[key] = self._encode(sequences)
        return self._known[key]

    def knows(self, sequences: TokenizedTexts) -> bool:
        """Say whether these texts were encoded before."""
        return _key(sequences) in self._known

    def release(self) -> None:
        """Let the encoder go; the states stay."""
        self._loaded = None

    def _encode(self, sequences: TokenizedTexts) -> FloatArray:
        if self._loaded is None:
            self._loaded = self._load()
        encoder, forward = self._loaded
        with self.progress(len(sequences)) as progress:
            states = score(encoder, forward, sequences, progress=progress)
        windows = np.diff(sequences.text_offsets)
        summed = np.add.reduceat(states.astype(np.float64), sequences.text_offsets[:-1], axis=0)
        pooled: FloatArray = summed / windows[:, None]
        return pooled

    def _load(self) -> tuple[nn.Module, Forward]:
        encoder = self.backbone.load_encoder()
        resize_embeddings(encoder, self.tokenizer)
        model = PooledClassifier(encoder, _STATES)
        model.classifier = nn.Identity()  # type: ignore[assignment]
        model.requires_grad_(False)
        if torch.cuda.is_available():
            model.to("cuda")
        pad = int(self.tokenizer.pad_token_id)  # type: ignore[arg-type]
        return model, choose_forward(model, _STATES, pad, self.compute).forward


def _key(sequences: TokenizedTexts) -> str:
    digest = hashlib.sha256()
    for array in (sequences.tokens, sequences.offsets, sequences.text_offsets):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
