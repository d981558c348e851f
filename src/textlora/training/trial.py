"""A few training steps that leave no trace: what an estimate is measured by."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn

from textlora.config import SettledTraining
from textlora.data.splitting import Indices, random_subset
from textlora.data.tokenizing import TokenizedTexts
from textlora.model.forward import Forward, TokenSequences
from textlora.model.heads import HeadSpec, classification_loss

_AUTOCAST = {"bf16": torch.bfloat16, "fp16": torch.float16}


class TrialSteps:
    """Training steps as the Trainer does them."""

    def __init__(
        self, model: nn.Module, forward: Forward, head: HeadSpec, config: SettledTraining
    ) -> None:
        self.model, self.forward, self.head, self.config = model, forward, head, config
        self.trained = [weight for weight in model.parameters() if weight.requires_grad]
        self.optimizer = torch.optim.AdamW(self.trained, lr=config.learning_rate)
        self.device = next(model.parameters()).device

    def measure(
        self, items: TokenSequences, targets: np.ndarray[Any, Any], sizes: Sequence[int]
    ) -> float:
        """Return the seconds for a token row.

        Args:
            items: what the steps train on, step after step.
            targets: of each item.
            sizes: rows of each step; the first two steps are not counted.
        """
        self.model.train()
        times, costs = [], []
        start = 0
        for size in sizes:
            batch = [items[row] for row in range(start, start + size)]
            began = time.perf_counter()
            self._step(batch, targets[start : start + size])
            if self.device.type == "cuda":
                torch.cuda.synchronize()
            times.append(time.perf_counter() - began)
            costs.append(self.forward.cost([len(item) for item in batch]))
            start += size
        # Kernels are built and weights laid out when they are first used.
        return sum(times[2:]) / sum(costs[2:])

    def _step(self, items: list[Any], targets: np.ndarray[Any, Any]) -> None:
        batch = {name: one.to(self.device) for name, one in self.forward.collate(items).items()}
        precision = _AUTOCAST.get(self.config.mixed_precision)
        with torch.autocast(self.device.type, precision, enabled=precision is not None):
            logits = self.forward.logits(self.model, batch)
            aims = torch.from_numpy(np.ascontiguousarray(targets)).to(self.device)
            loss = classification_loss(logits, aims, self.head.loss)
        loss.backward()  # type: ignore[no-untyped-call]
        if self.config.max_grad_norm:
            nn.utils.clip_grad_norm_(self.trained, self.config.max_grad_norm)
        self.optimizer.step()
        self.optimizer.zero_grad()


@contextmanager
def weights_kept(model: nn.Module) -> Iterator[None]:
    """Put the trained weights, the mode and torch's random numbers back after the block."""
    kept = {
        name: weight.detach().clone()
        for name, weight in model.named_parameters()
        if weight.requires_grad
    }
    was_training = model.training
    with torch.random.fork_rng():
        try:
            yield
        finally:
            with torch.no_grad():
                for name, weight in model.named_parameters():
                    if name in kept:
                        weight.copy_(kept[name])
                        weight.grad = None
            model.train(was_training)


def trial_batches(
    lengths: np.ndarray[Any, Any], config: SettledTraining, count: int
) -> list[Indices]:
    """Return the rows of the longest possible step, then of steps drawn at random."""
    size = min(config.per_device_train_batch_size, len(lengths))
    draw = np.random.default_rng(config.seed)
    longest = np.argsort(lengths, kind="stable")[-size:]
    return [longest, *(draw.choice(len(lengths), size, replace=False) for _ in range(count))]


def trial_rows(texts: TokenizedTexts, tokens: int) -> Indices:
    """Return rows drawn at random that together have about so many tokens."""
    mean = max(1.0, float(texts.lengths.mean()))
    return random_subset(len(texts), math.ceil(tokens / mean), seed=0)


def select_sequences(texts: TokenizedTexts, rows: Indices) -> TokenizedTexts:
    """Return some sequences, each as a text of its own."""
    chosen = [texts[int(row)] for row in rows]
    lengths = np.array([len(one) for one in chosen], np.int64)
    return TokenizedTexts(
        tokens=np.concatenate(chosen),
        offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        text_offsets=np.arange(len(chosen) + 1, dtype=np.int64),
        full_lengths=lengths,
        truncated=np.zeros(len(chosen), np.bool_),
    )


def peak_memory() -> tuple[int | None, int | None]:
    """Return the most bytes that the process had so far, in memory and on the GPU."""
    gpu = torch.cuda.max_memory_allocated() if torch.cuda.is_available() else None
    try:
        import resource
    except ImportError:  # Windows does not tell
        return None, gpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024, gpu
