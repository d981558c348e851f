"""What a training will take, measured by a few of its steps."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from rich.console import Console
from torch import nn

from textlora.config import RunConfig, SettledConfig
from textlora.data.loading import Parts
from textlora.data.tokenizing import TokenizedTexts
from textlora.errors import ConfigError
from textlora.inference.logits import DEFAULT_TOKEN_BUDGET, length_batches, score
from textlora.inspection.findings import Estimate
from textlora.model.backends import Forward, TokenSequences
from textlora.training.building import Classifier, Prepared, prepare
from textlora.training.deciding import validation_metrics
from textlora.training.fitting import training_inputs
from textlora.training.settling import may_refit
from textlora.training.trainer import LabelledSequences
from textlora.training.trials import (
    RegressionCost,
    StepCost,
    peak_memory,
    regression_cost,
    select_sequences,
    step_seconds,
    trial_batches,
    trial_rows,
    weights_kept,
)

LEAST_STEPS, MOST_STEPS = 4, 24

_WEIGHT_BYTES = 4
_OPTIMIZER_BYTES = 8  # Adam keeps two numbers a weight
_REST_OF_FOLDER = 1_000_000  # report, plots, tokenizer
_SCORED_TOKENS = 2 * DEFAULT_TOKEN_BUDGET
_MEASURED_TOKENS = 4 * DEFAULT_TOKEN_BUDGET  # trained on: fewer tell little on a busy machine
_SMALL = 4  # a small step has the rows of a full one, divided by this

Cost = Callable[[Sequence[int]], int]


@dataclass(frozen=True)
class _Measured:
    """What the steps told.

    Args:
        prepare: seconds for a token through the frozen layers, where these run once; else 0.
        step: a training step.
        steps: how many full ones were measured.
        validate: seconds for a token row of an evaluation during training.
        final: the same of the final figures.
        metrics: seconds for the figures of the validation rows, once they are answered.
        regressions: what comes before and after the training.
        memory: bytes of the process at its largest; None where the system does not tell.
        gpu_memory: bytes on the GPU; None without one.
        kept: bytes that are kept of every token, where the frozen layers run once; else 0.
    """

    prepare: float
    step: StepCost
    steps: int
    validate: float
    final: float
    metrics: float
    regressions: RegressionCost
    memory: int | None
    gpu_memory: int | None
    kept: int


def estimate_training(config: RunConfig, parts: Parts, *, steps: int | None = None) -> Estimate:
    """Build the classifier, train it for a few steps, and reckon what the whole will take.

    It takes as long as loading the model and some ten steps.

    Args:
        config: every setting of the training.
        parts: its data, with a validation part.
        steps: steps to measure, after two that are not counted; None: by their length.

    Raises:
        TextloraError: the model or the settings cannot be used, or there is no validation part.
    """
    if parts.validation is None:
        raise ConfigError("There are no validation rows.", "Give some with --valid.")
    return estimate_with(prepare(config, parts), steps=steps)


def estimate_with(prepared: Prepared, *, steps: int | None = None) -> Estimate:
    """Estimate with a classifier that is built; its weights are put back afterwards.

    Args:
        prepared: the training, with rows to validate on.
        steps: steps to measure, after two that are not counted; None: by their length.
    """
    config, classifier, sequences = prepared.config, prepared.classifier, prepared.sequences
    predictor, targets = classifier.predictor, prepared.parts.train.targets
    train, validation = sequences["train"], sequences["validation"]
    size = min(config.training.per_device_train_batch_size, len(train))
    count = steps or _steps_to_measure(train.lengths, size)
    full = trial_batches(train.lengths, size, count + 1, config.training.seed)
    small = trial_batches(train.lengths, max(1, size // _SMALL), count, config.training.seed + 1)
    rows = np.concatenate([*full, *small])
    chosen = {
        "train": select_sequences(train, rows),
        "validation": select_sequences(validation, trial_rows(validation, _SCORED_TOKENS)),
    }
    text_of = np.searchsorted(train.text_offsets, rows, side="right") - 1
    started = time.perf_counter()
    with (
        weights_kept(predictor.model),
        training_inputs(config, classifier, chosen, Console(quiet=True)) as (forward, inputs),
    ):
        prepare_seconds = time.perf_counter() - started
        trial = LabelledSequences(
            inputs["train"], targets[text_of], np.arange(len(rows) + 1, dtype=np.int64)
        )
        steps_of = partial(step_seconds, predictor, forward, config, trial)
        order = list(range(len(rows)))
        of_full = steps_of(order[: len(full) * size], size=size, warm_up=2)
        of_small = steps_of(order[len(full) * size :], size=len(small[0]), warm_up=1)
        memory, gpu_memory = peak_memory()
        validate = _score_speed(predictor.model, forward, inputs["validation"])
        item = inputs["train"][0]
    final, kept = validate, 0
    if classifier.prefix is not None:
        final = _score_speed(predictor.model, predictor.forward, chosen["validation"])
        prepare_seconds /= sum(int(part.lengths.sum()) for part in chosen.values())
        kept = item.element_size() * item.shape[-1]
    measured = _Measured(
        prepare=prepare_seconds if classifier.prefix is not None else 0.0,
        step=StepCost.through(of_full, of_small),
        steps=count,
        validate=validate,
        final=final,
        metrics=_metrics_seconds(prepared),
        regressions=regression_cost(config, prepared.parts, sequences, prepared.states),
        memory=memory,
        gpu_memory=gpu_memory,
        kept=kept,
    )
    again = may_refit(config, prepared.parts)
    return _extrapolate(config, classifier, forward, sequences, measured, refits=again)


def _steps_to_measure(lengths: np.ndarray[Any, Any], size: int) -> int:
    wanted = math.ceil(_MEASURED_TOKENS / max(1.0, size * float(lengths.mean())))
    return min(max(wanted, LEAST_STEPS), MOST_STEPS)


def _metrics_seconds(prepared: Prepared) -> float:
    """Return the seconds for an evaluation's metrics: with many classes, more than the scoring."""
    predictor, targets = prepared.classifier.predictor, prepared.rows()["validation"].targets
    shape = len(targets), predictor.spec.head.num_units
    logits = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    started = time.perf_counter()
    validation_metrics(predictor, prepared.config.evaluation)(targets, logits)
    return time.perf_counter() - started


def _score_speed(model: nn.Module, forward: Forward, sequences: TokenSequences) -> float:
    """Return the seconds for a token row; the first batches warm up."""
    score(model, forward, sequences)
    lengths = [len(sequences[row]) for row in range(len(sequences))]
    started = time.perf_counter()
    score(model, forward, sequences)
    return (time.perf_counter() - started) / _scoring_cost(lengths, forward.cost)


def _scoring_cost(lengths: Sequence[int], cost: Cost) -> int:
    batches = length_batches(lengths, cost, DEFAULT_TOKEN_BUDGET)
    return sum(cost([lengths[row] for row in rows]) for rows in batches)


def _epoch_cost(lengths: np.ndarray[Any, Any], size: int, cost: Cost) -> int:
    """Return the token rows of all steps of an epoch, shuffled as any other."""
    shuffled = np.random.default_rng(0).permutation(lengths).tolist()
    return sum(cost(shuffled[at : at + size]) for at in range(0, len(shuffled), size))


def _extrapolate(
    config: SettledConfig,
    classifier: Classifier,
    forward: Forward,
    sequences: Mapping[str, TokenizedTexts],
    measured: _Measured,
    *,
    refits: bool,
) -> Estimate:
    training, lengths = config.training, {name: one.lengths for name, one in sequences.items()}
    size = training.per_device_train_batch_size
    steps = math.ceil(len(lengths["train"]) / size)
    updates = math.ceil(steps / training.gradient_accumulation_steps)
    epochs = training.max_steps / updates if training.max_steps > 0 else training.num_train_epochs
    epoch = measured.step.seconds(steps, _epoch_cost(lengths["train"], size, forward.cost))
    validation = measured.metrics + measured.validate * _scoring_cost(
        lengths["validation"].tolist(), forward.cost
    )
    cost = classifier.predictor.forward.cost
    encoding = {
        name: measured.final * _scoring_cost(one.tolist(), cost) for name, one in lengths.items()
    }
    held_out = sum(seconds for name, seconds in encoding.items() if name != "train")
    before, after = measured.regressions.seconds(config, encoding)
    tokens = int(lengths["train"].sum() + lengths["validation"].sum())
    prepare, kept = measured.prepare * tokens, measured.kept * tokens
    in_memory = kept <= config.compute.prefix_ram_gb * 1e9
    evaluations = _evaluations(config, epochs, updates)
    memory = measured.memory
    more = 1 + len(lengths["validation"]) / len(lengths["train"])
    refit = more * epochs * epoch if refits else 0.0
    return Estimate(
        seconds=prepare + before + epochs * epoch + evaluations * validation + refit,
        epoch_seconds=epoch,
        evaluation_seconds=validation,
        prepare_seconds=prepare,
        start_seconds=before,
        final_seconds=held_out + 2 * measured.metrics,
        baseline_seconds=after,
        refit_seconds=refit,
        epochs=epochs,
        tokens_per_second=float(lengths["train"].sum()) / epoch,
        memory_bytes=None if memory is None else memory + (kept if in_memory else 0),
        gpu_memory_bytes=measured.gpu_memory,
        disk_bytes=_disk(classifier.parameters.trainable, training.save_total_limit)
        + (0 if in_memory else kept),
        steps=measured.steps,
        path=classifier.path_reason,
    )


def _evaluations(config: SettledConfig, epochs: float, updates: int) -> int:
    training = config.training
    count = math.ceil(epochs)
    if training.eval_strategy == "steps":
        count = max(1, int(epochs * updates) // training.eval_steps)
    # A start that may be the best is evaluated, too.
    return count + (config.model.head_init == "logistic_regression")


def _disk(trained: int, checkpoints: int) -> int:
    """Return the bytes of the run folder while one more checkpoint than are kept is in it."""
    checkpoint = trained * (_WEIGHT_BYTES + _OPTIMIZER_BYTES)
    return trained * _WEIGHT_BYTES + (checkpoints + 1) * checkpoint + _REST_OF_FOLDER
