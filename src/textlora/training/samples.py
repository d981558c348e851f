"""A few texts, and what the model makes of them before and after training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textlora.config import SampleText
from textlora.data.labels import LabelSet
from textlora.data.loading import Parts
from textlora.inference.predictor import Prediction
from textlora.metrics.history import BeforeAfter

SHOWN_ROWS = 5


@dataclass(frozen=True)
class Sample:
    """A text and the name of its right class, if known."""

    text: str
    expected: str | None


def choose(texts: Sequence[SampleText], parts: Parts) -> list[Sample]:
    """Return the configured texts, or else the first validation rows."""
    if texts:
        return [Sample(text.text, _class_name(text.labels, parts.labels)) for text in texts]
    if parts.validation is None:
        return []
    table = parts.validation.table
    expected = [
        ", ".join(str(_class_name([one], parts.labels)) for one in label) or "(none)"
        if isinstance(label, tuple)
        else _class_name([label], parts.labels)
        for label in (table.labels or [])[:SHOWN_ROWS]
    ]
    return [
        Sample(text, name) for text, name in zip(table.texts[:SHOWN_ROWS], expected, strict=True)
    ]


def compare(
    samples: Sequence[Sample], before: Sequence[Prediction], after: Sequence[Prediction]
) -> list[BeforeAfter]:
    """Set the answers before and after training side by side."""
    return [
        BeforeAfter(
            text=sample.text,
            before_label=first.shown,
            before_probability=first.probability,
            after_label=second.shown,
            after_probability=second.probability,
            expected=sample.expected,
            before_labels=_most_probable_first(first),
        )
        for sample, first, second in zip(samples, before, after, strict=True)
    ]


def _most_probable_first(prediction: Prediction) -> list[str]:
    label = prediction.label
    if not isinstance(label, list):
        return []
    return sorted(label, key=lambda name: -prediction.probabilities[name])


def _class_name(names: Sequence[str | int], labels: LabelSet) -> str | None:
    wanted = {str(name).lower() for name in names}
    for name, value in zip(labels.names, labels.values, strict=True):
        if {name.lower(), str(value).lower()} & wanted:
            return name
    return None
