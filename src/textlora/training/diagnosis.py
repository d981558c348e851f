"""Whether a training did what it is for: trainings that collapsed, or ended too early."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor

from textlora.config import SettledConfig, SettledTraining
from textlora.data.labels import Targets
from textlora.metrics.classification import ClassificationMetrics
from textlora.metrics.records import EpochRecord
from textlora.report.wording import points

# Of the loss that answering by the classes' shares alone has: above it nothing was learnt.
FLAT = 0.97
# The best epoch is the last, and the training loss fell by more than this share in it.
STILL_FALLING = 0.25
SECOND_TRY_FACTOR = 0.25  # of the learning rate
_NAMED = 5


def trivial_loss(targets: Targets, classes: int, class_weights: Tensor | None) -> float:
    """Return the least training loss that one answer to every text has.

    Args:
        targets: class numbers `[rows]`, or 0/1 `[rows, classes]`.
        classes: k.
        class_weights: as in `classification_loss`.
    """
    weights = None if class_weights is None else class_weights.double().numpy()
    if targets.ndim == 2:
        present = targets.mean(axis=0, dtype=np.float64)
        counted = np.stack([1 - present, present])
        counted = counted if weights is None else counted * weights
        return float(_entropy(counted).sum() / classes)
    counted = np.bincount(targets.astype(np.int64), minlength=classes) / len(targets)
    counted = counted if weights is None else counted * weights
    return float(_entropy(counted[:, None]).sum() / counted.sum())


def _entropy(counted: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return the cross-entropy `[columns]` of shares `[kinds, columns]` with themselves."""
    shares = counted / counted.sum(axis=0)
    logs = np.log(shares, out=np.zeros_like(shares), where=shares > 0)
    return np.asarray(-(counted * logs).sum(axis=0))


def is_flat(history: Sequence[EpochRecord], trivial: float) -> bool:
    """Return whether the training loss never got below that of one answer to every text."""
    losses = [each.training_loss for each in history if each.training_loss is not None]
    return bool(losses) and min(losses) > FLAT * trivial


def kept_its_start(history: Sequence[EpochRecord]) -> bool:
    """Return whether no epoch was better on validation than where the training began."""
    return any(record.best and record.step == 0 for record in history)


def second_try_of(config: SettledConfig) -> SettledConfig:
    """Return the settings of the second try: a lower learning rate, and no third."""
    rate = config.training.learning_rate * SECOND_TRY_FACTOR
    again = {"learning_rate": rate, "second_try": False}
    return config.model_copy(update={"training": config.training.model_copy(update=again)})


def notices(
    history: Sequence[EpochRecord],
    metrics: ClassificationMetrics,
    trivial: float,
    training: SettledTraining,
) -> list[str]:
    """Return what is wrong with a training, a sentence each, with the setting to change.

    Args:
        history: its evaluations.
        metrics: of the split that leads.
        trivial: what `trivial_loss` gives.
        training: its settings.
    """
    found = []
    rate = f"--learning-rate (now {training.learning_rate:g})"
    if is_flat(history, trivial):
        found.append(
            f"The training loss never fell below {trivial:.3f}, that of one answer to every "
            f"text: nothing was learnt. Change {rate}."
        )
    elif kept_its_start(history):
        found.append(
            "No epoch was better on validation than the start, the logistic regression on the "
            f"frozen encoder; the start is kept. Lower {rate}, or label more rows."
        )
    elif worse := _worse_than_start(history):
        found.append(
            f"On validation the kept epoch is {worse} below the start, the logistic regression on "
            "the frozen encoder, which so few rows cannot tell from chance. More validation rows "
            "can (--valid)."
        )
    elif _still_falling(history):
        found.append(
            "The last epoch was the best and its training loss still fell: more epochs may do "
            f"better. Raise --epochs (now {training.num_train_epochs:g})."
        )
    missed = [each for each in metrics.per_class if each.support and not each.recall]
    if missed:
        names = ", ".join(f"'{each.name}'" for each in missed[:_NAMED])
        more = f" and {len(missed) - _NAMED} more" if len(missed) > _NAMED else ""
        remedy = "Label more of them"
        if training.class_weight is None:
            remedy += ", or set --class-weight balanced"
        found.append(
            f"{len(missed)} of {len(metrics.per_class)} classes are never found: "
            f"{names}{more}. {remedy}."
        )
    return found


def _still_falling(history: Sequence[EpochRecord]) -> bool:
    if len(history) < 3 or not history[-1].best:
        return False
    before, last = history[-2].training_loss, history[-1].training_loss
    return before is not None and last is not None and last < (1 - STILL_FALLING) * before


def _worse_than_start(history: Sequence[EpochRecord]) -> str:
    """Return by how much accuracy and F1 both are lower than at the start, in words, or nothing."""
    start, kept = history[0], next((each for each in history if each.best), history[-1])
    if start.step or kept.accuracy >= start.accuracy or kept.f1 >= start.f1:
        return ""
    return (
        f"{points(start.accuracy - kept.accuracy)} points of accuracy and "
        f"{points(start.f1 - kept.f1)} of macro F1"
    )
