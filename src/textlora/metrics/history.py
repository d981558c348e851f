"""A training as it went: its evaluations, and sample texts before and after."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any


@dataclass(frozen=True)
class EpochRecord:
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

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that JSON can hold."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> EpochRecord:
        """Rebuild a record; keys that a newer version may have added are passed over."""
        known = {entry.name for entry in fields(cls)}
        return cls(**{name: value for name, value in values.items() if name in known})


@dataclass(frozen=True)
class BeforeAfter:
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

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that JSON can hold."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> BeforeAfter:
        """Rebuild from `to_dict`'s values."""
        return cls(**values)
