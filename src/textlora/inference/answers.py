"""From logits to answers, as an adapter's description has it: temperature, then the rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from textlora.inference.scoring import Logits
from textlora.model.heads import probabilities
from textlora.model.spec import ClassifierSpec

Probabilities = np.ndarray[Any, np.dtype[np.float32]]
UNSURE = "unsure"


@dataclass(frozen=True)
class Prediction:
    """One answer.

    Args:
        label: the class, for multi-label data the classes, that the rule gives: without a rule
            the most probable class, or every class with at least one half. None: unsure.
        probability: how probable it is that this is right: the class's own; for multi-label data
            that of the least sure class, given or not. If unsure, of the answer withheld.
        probabilities: of every class, by name.
        unsure: whether the answer is withheld, because it is less sure than it has to be.
    """

    label: str | list[str] | None
    probability: float
    probabilities: dict[str, float]
    unsure: bool = False

    @property
    def shown(self) -> str:
        """The answer in words."""
        if self.label is None:
            return UNSURE
        return self.label if isinstance(self.label, str) else ", ".join(self.label) or "(none)"


def probabilities_of(logits: Logits, spec: ClassifierSpec) -> Probabilities:
    """Turn raw logits [texts, units] into probabilities [texts, classes], by temperature."""
    answers: Probabilities = probabilities(
        torch.from_numpy(logits), spec.head, spec.temperature
    ).numpy()
    return answers


def answers(rows: Probabilities, spec: ClassifierSpec) -> list[Prediction]:
    """Turn the probabilities [texts, classes] into answers."""
    if not len(rows):
        return []
    rule, multi_label = spec.decision, spec.head.multi_label
    chosen = rule.labels(rows, multi_label)
    confidences = rule.confidences(rows, multi_label)
    return [
        _answer(row, float(confidence), label, spec)
        for row, confidence, label in zip(rows, confidences, chosen, strict=True)
    ]


def answer(row: Probabilities, spec: ClassifierSpec) -> Prediction:
    """Turn the probabilities [classes] of one text into an answer."""
    return answers(row[None], spec)[0]


def _answer(
    row: Probabilities, probability: float, chosen: Any, spec: ClassifierSpec
) -> Prediction:
    names, least = spec.label_names, spec.decision.min_confidence
    by_name = {name: float(value) for name, value in zip(names, row, strict=True)}
    if least is not None and probability < least:
        return Prediction(None, probability, by_name, unsure=True)
    if not spec.head.multi_label:
        return Prediction(names[int(chosen)], probability, by_name)
    given = [name for name, is_set in zip(names, chosen, strict=True) if is_set]
    return Prediction(given, probability, by_name)
