"""What JSON files hold and rebuild; among it a training as it went, epoch by epoch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Self

from pydantic import TypeAdapter


class Record:
    """A dataclass that goes to JSON and back, by pydantic."""

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that JSON can hold."""
        kind: Any = type(self)
        values: dict[str, Any] = _adapter(kind).dump_python(self, mode="json")
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Rebuild from `to_dict`'s values; keys that a newer version may add are passed over.

        Raises:
            ValueError: a value is missing or no such value.
        """
        kind: Any = cls
        record: Self = _adapter(kind).validate_python(values)
        return record


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


@dataclass(frozen=True)
class EpochRecord(Record):
    """One evaluation during training.

    Args:
        epoch: passes over the training rows so far.
        step: optimizer steps so far.
        training_loss: mean since the evaluation before; None before the first step.
        validation_loss: None where there is no validation part.
        accuracy: on the validation part, as are F1 and MCC.
        f1: F1.
        mcc: Matthews' correlation coefficient.
        learning_rate: at this step.
        seconds: since the start of the training.
        best: whether this is the checkpoint that was kept.
    """

    epoch: float
    step: int
    training_loss: float | None
    validation_loss: float | None
    accuracy: float
    f1: float
    mcc: float
    learning_rate: float | None
    seconds: float
    best: bool = False


@dataclass(frozen=True)
class BeforeAfter(Record):
    """What one sentence was taken for before and after the training.

    Args:
        text: the sentence.
        before_label: label by the untrained head.
        before_probability: its probability.
        after_label: label by the trained model.
        after_probability: its probability.
        expected: the right label, where one is known.
        before_labels: multi-label: what is in `before_label`, the most probable first.
    """

    text: str
    before_label: str
    before_probability: float
    after_label: str
    after_probability: float
    expected: str | None = None
    before_labels: list[str] = field(default_factory=list)
