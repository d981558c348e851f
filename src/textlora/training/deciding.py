"""How probabilities are scaled, and how they are used: after training, and to choose its epoch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from textlora.config import SettledEvaluation
from textlora.data.labels import Targets
from textlora.inference.evaluating import metrics_of
from textlora.inference.predictor import Predictor
from textlora.inference.scoring import Logits
from textlora.metrics.calibration import Calibration, calibrate
from textlora.metrics.decisions import choose_decision

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
