"""What the terminal and the report show beside the figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from textlora.evaluation.attributions import Explanation


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
class PartSummary:
    """What one part of the data holds.

    Args:
        part: its name: "training", "validation", "test".
        rows: number of usable rows.
        counts: rows of each class, by its name.
        rejected: rows set aside as unusable.
        dropped: rows left out because a later split has their text.
    """

    part: str
    rows: int
    counts: Mapping[str, int] = field(default_factory=dict)
    rejected: int = 0
    dropped: int = 0


@dataclass(frozen=True)
class LengthLoss:
    """What is cut off where texts may have `max_length` tokens.

    Args:
        max_length: tokens of a text that are kept, special tokens included.
        rows: texts that are longer.
        row_share: these as a share of all texts.
        token_share: tokens cut off as a share of all tokens.
    """

    max_length: int
    rows: int
    row_share: float
    token_share: float


@dataclass(frozen=True)
class FoundRow:
    """A row that shows a finding: where it stands, how it begins, what is special about it."""

    place: str
    text: str = ""
    note: str = ""


@dataclass(frozen=True)
class DataFinding:
    """One thing about the data that a person should know.

    Args:
        severity: "error" where the figures mean little because of it, "warning" where it is
            worth mending, "note" where it is good to know.
        message: what it is, as a sentence.
        count: rows that it concerns.
        remedy: what to do about it; empty if nothing.
        examples: a few of the rows.
    """

    severity: Literal["error", "warning", "note"]
    message: str
    count: int
    remedy: str = ""
    examples: tuple[FoundRow, ...] = ()
