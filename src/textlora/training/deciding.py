"""How probabilities are scaled and used, after training and for each epoch; failed trainings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from textlora.config import SettledConfig, SettledEvaluation, SettledTraining
from textlora.data.labels import Targets
from textlora.inference.evaluating import metrics_of
from textlora.inference.logits import Logits
from textlora.inference.predictor import Predictor
from textlora.metrics.calibration import Calibration, calibrate
from textlora.metrics.classification import ClassificationMetrics
from textlora.metrics.decisions import choose_decision
from textlora.metrics.records import EpochRecord
from textlora.report.wording import points

Metrics = Callable[[Targets, Logits], dict[str, float]]
"""Metrics by name, of targets and raw logits `[texts, units]`."""


@dataclass(frozen=True)
class Decided:
    """A trained classifier with its temperature and its rule.

    Args:
        predictor: the classifier; its spec holds both.
        calibration: the temperature and its figures on the validation part; None if not asked for.
    """

    predictor: Predictor
    calibration: Calibration | None

    def tested(self, logits: Logits, targets: Targets) -> Calibration | None:
        """Return the calibration with the figures of the test part, from its raw logits."""
        return None if self.calibration is None else self.calibration.tested(logits, targets)


def decide(
    predictor: Predictor, logits: Logits, targets: Targets, settings: SettledEvaluation
) -> Decided:
    """Fit the temperature, then choose the rule by the calibrated probabilities.

    Args:
        predictor: the trained classifier.
        logits: its raw logits of the validation part, [texts, units].
        targets: the truth of the validation part.
        settings: what is asked for.

    Raises:
        ConfigError: the rule does not fit the classes.
    """
    calibration = calibrate(logits, targets) if settings.calibrate else None
    if calibration is not None:
        predictor = predictor.with_temperature(calibration.temperature)
    decision = choose_decision(
        predictor.probabilities_of(logits),
        targets,
        predictor.spec.label_names,
        threshold=settings.threshold,
        costs=settings.costs,
        min_confidence=settings.min_confidence,
    )
    return Decided(predictor.with_decision(decision), calibration)


def validation_metrics(predictor: Predictor, settings: SettledEvaluation) -> Metrics:
    """Return what computes the metrics that choose a checkpoint.

    A checkpoint is judged by the temperature and the rule that it would get, as the one that is
    kept will be: with one half for every label, rare labels would have no say in the choice.

    Args:
        predictor: the classifier that is trained.
        settings: how temperature and rule are chosen.
    """

    def metrics(targets: Targets, logits: Logits) -> dict[str, float]:
        decided = decide(predictor, logits, targets, settings).predictor
        values = metrics_of(decided, targets, logits)
        return {"accuracy": values.accuracy, "f1": values.macro_f1, "mcc": values.mcc}

    return metrics


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
