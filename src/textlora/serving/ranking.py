"""Scores of every class as Hugging Face's text-classification task has them."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from textlora.inference.answers import Probabilities, answer
from textlora.inference.scoring import Logits
from textlora.model.spec import ClassifierSpec
from textlora.serving.service import Scores

Function = Literal["softmax", "sigmoid", "none"]


def ranked(
    scores: Scores, top_k: int | None = None, function: Function | None = None
) -> list[list[dict[str, Any]]]:
    """Return label and score of the classes of every text.

    The answer by the adapter's rule stands first, which with thresholds or costs need not be
    the most probable class; the others follow by their score.

    Args:
        scores: the logits.
        top_k: only the first so many.
        function: from logits to scores; None: the adapter's own, by its temperature. A head
            with one unit has one function, its own; with "none" it gives the log-odds.
    """
    spec = scores.adapter.spec
    calibrated = scores.probabilities
    shown = calibrated if function is None else _applied(scores.logits, spec, function)
    names = spec.label_names
    return [
        [
            {"label": names[number], "score": float(row[number])}
            for number in _order(row, probable, spec)[:top_k]
        ]
        for row, probable in zip(shown, calibrated, strict=True)
    ]


def _order(row: Probabilities, probable: Probabilities, spec: ClassifierSpec) -> list[int]:
    order: list[int] = np.argsort(-row, kind="stable").tolist()
    if spec.decision.thresholds is None and spec.decision.costs is None:
        return order
    given = answer(probable, spec).label
    if not isinstance(given, str):  # unsure, or multi-label
        return order
    first = spec.label_names.index(given)
    return [first, *(number for number in order if number != first)]


def _applied(logits: Logits, spec: ClassifierSpec, function: Function) -> Logits:
    one_unit = spec.head.one_unit
    if function == "none":
        return np.concatenate([-logits, logits], axis=1) if one_unit else logits
    scaled = logits.astype(np.float64) / spec.temperature
    if one_unit:
        scaled = np.concatenate([-scaled, scaled], axis=1)
    if function == "sigmoid" or one_unit:
        return np.asarray(np.exp(-np.logaddexp(0, -scaled)), dtype=np.float32)
    shifted = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True), dtype=np.float32)
