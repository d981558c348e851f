"""What the report says of the data: rows, findings, lengths."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


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
