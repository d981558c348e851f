"""Trainings and regressions on some of the rows that leave no trace: what an estimate rests on."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from textlora.baselines import (
    Baseline,
    FrozenEncoder,
    LabelledTexts,
    TfidfLogisticRegression,
)
from textlora.config import SettledConfig
from textlora.data.loading import Part, Parts
from textlora.data.splitting import Indices, random_subset
from textlora.data.tokenizing import TokenizedTexts
from textlora.inference.logits import FrozenStates
from textlora.inference.predictor import Predictor
from textlora.model.backends import Forward
from textlora.training.start import put_weights, trained_weights
from textlora.training.trainer import LabelledSequences, run_trainer
from textlora.training.verdict import metric_of


@dataclass(frozen=True)
class StepCost:
    """What a training step takes: a part for itself, and a part for its tokens.

    Args:
        fixed: seconds of a step, whatever is in it: Python, the optimizer, the Trainer.
        per_token: seconds for a token row, as `Forward.cost` counts them.
    """

    fixed: float
    per_token: float

    @classmethod
    def through(cls, full: tuple[float, float], small: tuple[float, float]) -> StepCost:
        """Return the cost by steps of two sizes, each with its mean seconds and token rows."""
        (seconds, tokens), (fewer_seconds, fewer_tokens) = full, small
        slope = seconds / tokens
        if tokens > fewer_tokens:
            # Other work on the machine may make the smaller steps the slower ones.
            measured = (seconds - fewer_seconds) / (tokens - fewer_tokens)
            slope = min(max(measured, 0.0), slope)
        return cls(seconds - slope * tokens, slope)

    def seconds(self, steps: int, tokens: int) -> float:
        """Return what so many steps with so many token rows together take."""
        return steps * self.fixed + tokens * self.per_token


def step_seconds(
    predictor: Predictor,
    forward: Forward,
    config: SettledConfig,
    rows: LabelledSequences,
    order: Sequence[int],
    *,
    size: int,
    warm_up: int,
) -> tuple[float, float]:
    """Return the mean seconds of a training step and the mean of its token rows.

    The steps are those of a training by the same settings, timed by a callback.

    Args:
        predictor: the classifier.
        forward: how batches are run.
        config: every setting.
        rows: what there is to train on, a sequence a text.
        order: the rows, step after step.
        size: rows of a step.
        warm_up: the first steps, which are not counted: kernels are built and weights laid
            out when they are first used.
    """
    steps, clock = len(order) // size, _StepClock()
    changes = {
        "max_steps": steps,
        "per_device_train_batch_size": size,
        "gradient_accumulation_steps": 1,
        "report_to": [],
    }
    training = config.training.model_copy(update=changes)
    run_trainer(
        predictor,
        forward,
        config.model_copy(update={"training": training}),
        rows,
        callbacks=[clock],
        order=order,
    )
    costs = [
        forward.cost([len(rows.sequences[row]) for row in order[at : at + size]])
        for at in range(warm_up * size, steps * size, size)
    ]
    return (clock.ends[-1] - clock.ends[warm_up - 1]) / len(costs), sum(costs) / len(costs)


class _StepClock(TrainerCallback):
    def __init__(self) -> None:
        self.ends: list[float] = []

    def on_step_end(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: Any,
    ) -> None:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        self.ends.append(time.perf_counter())


@contextmanager
def weights_kept(model: nn.Module) -> Iterator[None]:
    """Put the trained weights, the mode and torch's random numbers back after the block."""
    kept = trained_weights(model)
    was_training = model.training
    with torch.random.fork_rng():
        try:
            yield
        finally:
            put_weights(model, kept)
            model.zero_grad(set_to_none=True)
            model.train(was_training)


def trial_batches(lengths: np.ndarray[Any, Any], size: int, count: int, seed: int) -> list[Indices]:
    """Return the rows of the longest possible step, then of steps drawn at random."""
    draw = np.random.default_rng(seed)
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


_MOST_ROWS = 600


@dataclass(frozen=True)
class RegressionCost:
    """Seconds of the regressions over all rows.

    Args:
        frozen: that on the frozen encoder's states, once texts are encoded.
        words: that on words.
        encoded: parts whose texts were encoded while the settings were chosen.
    """

    frozen: float
    words: float
    encoded: frozenset[str] = frozenset()

    def seconds(self, config: SettledConfig, encoding: Mapping[str, float]) -> tuple[float, float]:
        """Return the seconds before the training, and those of the baselines after it.

        Args:
            config: every setting.
            encoding: seconds for which a part is encoded.
        """
        starts = config.model.head_init == "logistic_regression"
        encoding = {**encoding, **dict.fromkeys(self.encoded, 0.0)}
        held_out = encoding["train"] + encoding["validation"]
        before = held_out + self.frozen if starts else 0.0
        if not config.evaluation.baselines:
            return before, 0.0
        # What was encoded for the start is kept.
        rest = encoding.get("test", 0.0) + (0.0 if starts else held_out)
        return before, rest + self.frozen + self.words


def regression_cost(
    config: SettledConfig,
    parts: Parts,
    sequences: Mapping[str, TokenizedTexts],
    states: FrozenStates,
) -> RegressionCost:
    """Fit both on at most some hundred rows; the time grows with the rows.

    Args:
        config: every setting.
        parts: the data, with a validation part.
        sequences: token ids by part.
        states: the frozen encoder.
    """
    starts = config.model.head_init == "logistic_regression"
    assert parts.validation is not None  # noqa: S101 - the estimate has asked
    train = _some(parts.train, sequences["train"])
    validation = _some(parts.validation, sequences["validation"])
    if not (starts or config.evaluation.baselines) or _of_one_class(train):
        return RegressionCost(0.0, 0.0)
    encoded = frozenset(name for name, one in sequences.items() if states.knows(one))
    share, classes = len(train.texts) / len(parts.train), parts.labels.num_labels
    metric = metric_of(config, parts)
    for part in (train, validation):
        states(part.sequences)
    states.release()

    def seconds(baseline: Baseline) -> float:
        started = time.perf_counter()
        baseline.fit(train, validation)
        return (time.perf_counter() - started) / share

    words = 0.0
    if config.evaluation.baselines:
        words = seconds(TfidfLogisticRegression(classes, metric))
    return RegressionCost(seconds(FrozenEncoder(states, classes, metric)), words, encoded)


def _some(part: Part, sequences: TokenizedTexts) -> LabelledTexts:
    rows = random_subset(len(part), _MOST_ROWS, seed=0)
    first = sequences.text_offsets[rows]
    texts = [part.table.texts[int(row)] for row in rows]
    return LabelledTexts(texts, select_sequences(sequences, first), part.targets[rows])


def _of_one_class(rows: LabelledTexts) -> bool:
    return rows.targets.ndim == 1 and len(np.unique(rows.targets)) < 2
