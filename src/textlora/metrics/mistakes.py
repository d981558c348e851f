"""The wrong predictions that teach most: the surest ones, and those furthest from the truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from textlora.metrics.decisions import BY_PROBABILITY, Decision, right_answers
from textlora.metrics.explanation import Explanation
from textlora.metrics.scores import FloatArray, IntArray

if TYPE_CHECKING:
    from textlora.metrics.explanation import Explanation


@dataclass(frozen=True)
class ErrorExample:
    """A text that the model gets wrong.

    Args:
        text: the text.
        true: its label; several joined by commas for multi-label data.
        predicted: the answer, likewise.
        probability: how probable the model held its answer.
        true_probability: how probable it held the label; None: not known.
        explanation: which words spoke for the answer; None: not asked for.
    """

    text: str
    true: str
    predicted: str
    probability: float
    true_probability: float | None = None
    explanation: Explanation | None = None


@dataclass(frozen=True)
class Mistakes:
    """Wrong answers.

    Args:
        certain: those that were held most probable, the surest first.
        worst: those whose label was held least probable, the furthest first, without the ones
            above. Of two classes these are the same, so it is empty.
    """

    certain: tuple[ErrorExample, ...]
    worst: tuple[ErrorExample, ...] = ()

    def first(self, number: int) -> list[str]:
        """Return the first texts: of both kinds equally many, where there are both."""
        half = number // 2 if self.worst else 0
        chosen = (*self.certain[: number - half], *self.worst[:half])
        return [item.text for item in chosen]

    def explained(self, explanations: Mapping[str, Explanation]) -> Mistakes:
        """Return the same with the explanations that there are, by text."""
        certain, worst = (
            tuple(replace(item, explanation=explanations.get(item.text)) for item in items)
            for items in (self.certain, self.worst)
        )
        return Mistakes(certain, worst)


def find_mistakes(
    texts: Sequence[str],
    targets: npt.ArrayLike,
    probabilities: npt.ArrayLike,
    label_names: Sequence[str],
    decision: Decision = BY_PROBABILITY,
    most: int = 20,
) -> Mistakes:
    """Choose the wrong answers to show.

    Args:
        texts: the n texts.
        targets: class numbers, int `[n]`; multi-label: 0 or 1, int `[n, k]`.
        probabilities: float `[n, k]`.
        label_names: the k class names.
        decision: how probabilities become answers.
        most: how many to choose, of both kinds together.
    """
    truth, probable = np.asarray(targets), np.asarray(probabilities, dtype=np.float64)
    multi_label = truth.ndim == 2
    answers = decision.labels(probabilities, multi_label)
    answered = decision.confidences(probabilities, multi_label)
    deserved = _of_the_truth(truth, probable)
    wrong = np.flatnonzero(~right_answers(truth, answers))
    certain = wrong[np.argsort(-answered[wrong], kind="stable")]
    worst = wrong[:0]
    if multi_label or len(label_names) > 2:
        certain = certain[: (most + 1) // 2]
        furthest = wrong[np.argsort(deserved[wrong], kind="stable")]
        worst = furthest[~np.isin(furthest, certain)][: most // 2]

    def example(row: int) -> ErrorExample:
        return ErrorExample(
            text=texts[row],
            true=_named(truth[row], label_names),
            predicted=_named(answers[row], label_names),
            probability=float(answered[row]),
            true_probability=float(deserved[row]),
        )

    return Mistakes(tuple(map(example, certain[:most])), tuple(map(example, worst)))


def _of_the_truth(truth: IntArray, probable: FloatArray) -> FloatArray:
    """Return how probable the label is, `[n]`; multi-label: that of the least probable part."""
    if truth.ndim == 2:
        return np.asarray(np.where(truth == 1, probable, 1 - probable).min(axis=1))
    return np.asarray(probable[np.arange(len(truth)), truth])


def _named(label: Any, names: Sequence[str]) -> str:
    if np.ndim(label) == 0:
        return names[int(label)]
    return ", ".join(name for name, given in zip(names, label, strict=True) if given) or "(none)"
