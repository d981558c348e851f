"""What a training will take, measured by a few of its steps."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from rich.console import Console
from torch import nn

from textlora.config import RunConfig, SettledConfig
from textlora.data.loading import Parts
from textlora.data.tokenizing import TokenizedTexts
from textlora.errors import ConfigError
from textlora.inference.scoring import DEFAULT_TOKEN_BUDGET, length_batches, score
from textlora.inspection.records import Estimate
from textlora.model.forward import Forward, TokenSequences
from textlora.training.building import Classifier, build_classifier, tokenize_parts
from textlora.training.fitting import training_inputs
from textlora.training.settling import settle
from textlora.training.trial import (
    TrialSteps,
    peak_memory,
    select_sequences,
    trial_batches,
    trial_rows,
    weights_kept,
)

STEPS = 4

_WEIGHT_BYTES = 4
_OPTIMIZER_BYTES = 8  # Adam keeps two numbers a weight
_REST_OF_FOLDER = 1_000_000  # report, plots, tokenizer
_SCORED_TOKENS = 2 * DEFAULT_TOKEN_BUDGET

Cost = Callable[[Sequence[int]], int]


@dataclass(frozen=True)
class _Measured:
    """What the steps told.

    Args:
        prepare: seconds for a token through the frozen layers, where these run once; else 0.
        train: seconds for a token row of a training step, as `Forward.cost` counts them.
        validate: the same of an evaluation during training.
        final: the same of the final figures.
        memory: bytes of the process at its largest; None where the system does not tell.
        gpu_memory: bytes on the GPU; None without one.
        kept: bytes that are kept of every token, where the frozen layers run once; else 0.
    """

    prepare: float
    train: float
    validate: float
    final: float
    memory: int | None
    gpu_memory: int | None
    kept: int


def estimate_training(config: RunConfig, parts: Parts, *, steps: int = STEPS) -> Estimate:
    """Build the classifier, train it for a few steps, and reckon what the whole will take.

    It takes as long as loading the model and about six steps.

    Args:
        config: every setting of the training.
        parts: its data, with a validation part.
        steps: steps to measure, after two that are not counted.

    Raises:
        TextloraError: the model or the settings cannot be used, or there is no validation part.
    """
    if parts.validation is None:
        raise ConfigError("There are no validation rows.", "Give some with --valid.")
    settled = settle(config, parts, Console(quiet=True)).config
    classifier = build_classifier(settled, parts)
    windows = config.data.train_windows
    sequences = tokenize_parts(parts, classifier.predictor, train_windows=windows)
    return estimate_with(settled, classifier, sequences, parts.train.targets, steps=steps)


def estimate_with(
    config: SettledConfig,
    classifier: Classifier,
    sequences: Mapping[str, TokenizedTexts],
    targets: np.ndarray[Any, Any],
    *,
    steps: int = STEPS,
) -> Estimate:
    """Estimate with a classifier that is built; its weights are put back afterwards.

    Args:
        config: every setting of the training.
        classifier: the classifier to be trained.
        sequences: token ids by part, "train" and "validation" among them.
        targets: of the texts to train on.
        steps: steps to measure, after two that are not counted.
    """
    model, head = classifier.predictor.model, classifier.predictor.spec.head
    train, validation = sequences["train"], sequences["validation"]
    batches = trial_batches(train.lengths, config.training, steps + 1)
    rows = np.concatenate(batches)
    chosen = {
        "train": select_sequences(train, rows),
        "validation": select_sequences(validation, trial_rows(validation, _SCORED_TOKENS)),
    }
    text_of = np.searchsorted(train.text_offsets, rows, side="right") - 1
    started = time.perf_counter()
    with (
        weights_kept(model),
        training_inputs(config, classifier, chosen, Console(quiet=True)) as (forward, inputs),
    ):
        prepare = time.perf_counter() - started
        steps_of = TrialSteps(model, forward, head, config.training)
        train_speed = steps_of.measure(inputs["train"], targets[text_of], [len(b) for b in batches])
        memory, gpu_memory = peak_memory()
        validate = _score_speed(model, forward, inputs["validation"])
        item = inputs["train"][0]
    if classifier.prefix is None:
        measured = _Measured(0, train_speed, validate, validate, memory, gpu_memory, 0)
    else:
        final = _score_speed(model, classifier.predictor.forward, chosen["validation"])
        prepare /= sum(int(part.lengths.sum()) for part in chosen.values())
        kept = item.element_size() * item.shape[-1]
        measured = _Measured(prepare, train_speed, validate, final, memory, gpu_memory, kept)
    return _extrapolate(config, classifier, forward, sequences, measured, steps)


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
    steps: int,
) -> Estimate:
    training, lengths = config.training, {name: one.lengths for name, one in sequences.items()}
    size = training.per_device_train_batch_size
    updates = math.ceil(
        math.ceil(len(lengths["train"]) / size) / training.gradient_accumulation_steps
    )
    by_steps = training.max_steps > 0
    epochs = training.max_steps / updates if by_steps else training.num_train_epochs
    evaluations = math.ceil(epochs)
    if training.eval_strategy == "steps":
        evaluations = max(1, int(epochs * updates) // training.eval_steps)
    tokens = int(lengths["train"].sum() + lengths["validation"].sum())
    prepare = measured.prepare * tokens
    epoch = measured.train * _epoch_cost(lengths["train"], size, forward.cost)
    validation = measured.validate * _scoring_cost(lengths["validation"].tolist(), forward.cost)
    final_cost = classifier.predictor.forward.cost
    final = sum(
        measured.final * _scoring_cost(lengths[name].tolist(), final_cost)
        for name in lengths
        if name != "train"
    )
    kept = measured.kept * tokens
    in_memory = kept <= config.compute.prefix_ram_gb * 1e9
    return Estimate(
        seconds=prepare + epochs * epoch + evaluations * validation,
        epoch_seconds=epoch,
        evaluation_seconds=validation,
        prepare_seconds=prepare,
        final_seconds=final,
        epochs=epochs,
        tokens_per_second=float(lengths["train"].sum()) / epoch,
        memory_bytes=None
        if measured.memory is None
        else measured.memory + (kept if in_memory else 0),
        gpu_memory_bytes=measured.gpu_memory,
        disk_bytes=_disk(classifier.parameters.trainable, training.save_total_limit)
        + (0 if in_memory else kept),
        steps=steps,
        path=classifier.path_reason,
    )


def _disk(trained: int, checkpoints: int) -> int:
    """Return the bytes of the run folder while one more checkpoint than are kept is in it."""
    checkpoint = trained * (_WEIGHT_BYTES + _OPTIMIZER_BYTES)
    return trained * _WEIGHT_BYTES + (checkpoints + 1) * checkpoint + _REST_OF_FOLDER
