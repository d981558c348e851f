"""From probabilities to answers: by a threshold, by costs, or "unsure".

Without a rule the most probable class is the answer; multi-label: every label with at least
one half. A rule is chosen on the validation part and saved with the adapter.

Throughout, `probabilities` are float `[n, k]`, `targets` class numbers, int `[n]`, or for
multi-label 0 and 1, int `[n, k]`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from textlora.errors import ConfigError
from textlora.evaluation.scores import FloatArray, IntArray
from textlora.evaluation.thresholds import (
    Score,
    accuracy,
    best_threshold,
    f1,
    label_thresholds,
    macro_f1,
    mcc,
)

Threshold = Literal["default", "accuracy", "f1", "mcc"]
Costs = Mapping[str, Mapping[str, float]]

# "f1" is macro F1, as everywhere: over the two classes, or over the labels one by one.
_OF_TWO_CLASSES: dict[str, Score] = {"accuracy": accuracy, "f1": macro_f1, "mcc": mcc}
_OF_A_LABEL: dict[str, Score] = {"accuracy": accuracy, "f1": f1, "mcc": mcc}


@dataclass(frozen=True)
class Decision:
    """A rule that turns probabilities into answers.

    Args:
        thresholds: the probability from which the second of two classes is the answer, as the
            only entry; multi-label: one a label. None: the most probable class; one half.
        costs: what an answer costs, `costs[true][predicted]`; the answer is the one with the
            least expected cost. None: by probability.
        min_confidence: answers less sure than this are "unsure"; None: every text is answered.
    """

    thresholds: tuple[float, ...] | None = None
    costs: tuple[tuple[float, ...], ...] | None = None
    min_confidence: float | None = None

    def labels(self, probabilities: npt.ArrayLike, multi_label: bool = False) -> IntArray:
        """Return the answers, sure or not: class numbers `[n]`; multi-label: 0 or 1, `[n, k]`."""
        probable = np.asarray(probabilities)
        if self.costs is not None:
            # C. Elkan, The foundations of cost-sensitive learning, IJCAI 2001
            expected = probable @ np.asarray(self.costs)
            return np.asarray(expected.argmin(axis=1), dtype=np.int64)
        if self.thresholds is None:
            return predicted_labels(probable, multi_label)
        reached = (probable if multi_label else probable[:, 1:]) >= np.asarray(self.thresholds)
        return np.asarray(reached if multi_label else reached[:, 0], dtype=np.int64)

    def confidences(self, probabilities: npt.ArrayLike, multi_label: bool = False) -> FloatArray:
        """Return how probable it is that each answer is right, `[n]`.

        The answered class's probability; multi-label: that of the least sure label, where a
        label that is not given counts with the probability of its absence.
        """
        probable = np.asarray(probabilities, dtype=np.float64)
        answers = self.labels(probabilities, multi_label)
        if multi_label:
            return np.asarray(np.where(answers == 1, probable, 1 - probable).min(axis=1))
        return np.asarray(probable[np.arange(len(answers)), answers])

    def mean_cost(self, targets: npt.ArrayLike, answers: IntArray) -> float | None:
        """Return what answers, class numbers `[n]`, cost on average; None without costs."""
        if self.costs is None:
            return None
        truth = np.asarray(targets, dtype=np.int64)
        return float(np.asarray(self.costs)[truth, answers].mean())

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Decision:
        """Rebuild from the plain values that JSON holds."""
        thresholds, costs = values["thresholds"], values["costs"]
        return cls(
            thresholds=None if thresholds is None else tuple(thresholds),
            costs=None if costs is None else tuple(map(tuple, costs)),
            min_confidence=values["min_confidence"],
        )


BY_PROBABILITY = Decision()


def predicted_labels(
    probabilities: npt.ArrayLike, multi_label: bool = False, threshold: float = 0.5
) -> IntArray:
    """Decide by probabilities.

    Args:
        probabilities: float `[n, k]`.
        multi_label: whether a text may have any number of the labels.
        threshold: multi-label only: the probability from which a label is predicted.

    Returns:
        The most probable class, int `[n]` (the first of equals); multi-label: 0 or 1,
        int `[n, k]`.
    """
    probable = np.asarray(probabilities)
    chosen = probable >= threshold if multi_label else probable.argmax(axis=1)
    return np.asarray(chosen, dtype=np.int64)


def check_rule(
    label_names: Sequence[str], multi_label: bool, threshold: Threshold, costs: Costs | None
) -> None:
    """Refuse settings that do not fit the classes; ask this before training.

    Raises:
        ConfigError: costs name an unknown class, or the rule is not one for such labels.
    """
    if costs is not None:
        if multi_label:
            raise ConfigError(
                "evaluation.costs is for texts with one label; the data is multi-label.",
                "Set evaluation.threshold=f1 instead.",
            )
        cost_matrix(costs, label_names)
    if threshold != "default" and not multi_label and len(label_names) != 2:
        raise ConfigError(
            f"evaluation.threshold={threshold} takes two classes or multi-label data; "
            f"the data has {len(label_names)} classes.",
            "Leave it out, or set evaluation.costs.",
        )


def choose_decision(
    probabilities: npt.ArrayLike,
    targets: npt.ArrayLike,
    label_names: Sequence[str],
    *,
    threshold: Threshold = "default",
    costs: Costs | None = None,
    min_confidence: float | None = None,
) -> Decision:
    """Choose the rule on the validation part.

    Args:
        probabilities: of the validation part, calibrated where they will be.
        targets: its truth.
        label_names: the k class names.
        threshold: the metric by which thresholds are chosen.
        costs: `costs[true name][predicted name]`; wrong answers that are not named cost 1.
        min_confidence: goes into the rule as it is.

    Raises:
        ConfigError: the settings do not fit the classes.
    """
    truth = np.asarray(targets)
    multi_label = truth.ndim == 2
    check_rule(label_names, multi_label, threshold, costs)
    if costs is not None:
        return Decision(costs=cost_matrix(costs, label_names), min_confidence=min_confidence)
    if threshold == "default":
        return Decision(min_confidence=min_confidence)
    probable = np.asarray(probabilities, dtype=np.float64)
    if multi_label:
        thresholds = label_thresholds(probable, truth == 1, _OF_A_LABEL[threshold])
    else:
        thresholds = (best_threshold(probable[:, 1], truth == 1, _OF_TWO_CLASSES[threshold]),)
    return Decision(thresholds=thresholds, min_confidence=min_confidence)


def cost_matrix(costs: Costs, label_names: Sequence[str]) -> tuple[tuple[float, ...], ...]:
    """Return `[true][predicted]`: what is not named costs 0 if right and 1 if wrong.

    Raises:
        ConfigError: a name is no class.
    """
    for name in [*costs, *(name for row in costs.values() for name in row)]:
        if name not in label_names:
            raise ConfigError(
                f"evaluation.costs: '{name}' is no class.", f"Classes: {', '.join(label_names)}."
            )
    return tuple(
        tuple(float(costs.get(true, {}).get(taken, true != taken)) for taken in label_names)
        for true in label_names
    )


def right_answers(targets: npt.ArrayLike, answers: IntArray) -> npt.NDArray[np.bool_]:
    """Return which answers are right, bool `[n]`; multi-label: in every label."""
    same = np.asarray(np.asarray(targets) == answers, dtype=np.bool_)
    return np.asarray(same.all(axis=1), dtype=np.bool_) if same.ndim == 2 else same
