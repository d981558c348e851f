"""The values that readers hand on: a table of texts, and the rows set aside."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from textlora.run import write_text

Label = str | int | tuple[str, ...]
"""A class name, a class number, or the names of all classes that apply (multi-label)."""

OTHER = "other"
"""What rare classes are called once they are merged."""

OnBadRows = Literal["error", "skip"]

_REJECTED_HEADER = ("source", "line", "column", "reason", "text")
_SHOWN_CHARACTERS = 1_000


@dataclass(frozen=True)
class ReadOptions:
    """How a source is to be read.

    Args:
        text_column: column with the texts; found by name if None.
        label_column: column with the labels; found by name if None.
        delimiter: field delimiter of a text table; None: by the file's suffix.
        header: whether its first line names the columns; else they are column_1, column_2 ….
        encoding: text encoding of CSV, TSV and JSON Lines.
        label_separator: splits a cell into several labels (multi-label).
        on_bad_rows: "error" stops at the first bad row, "skip" sets bad rows aside.
        strip_html: remove tags and decode entities before the texts are checked.
        split: split of a saved DatasetDict or a Hub dataset; None: train, or the only one.
        dataset_config: configuration name of a Hub dataset.
        dataset_revision: commit, tag or branch of a Hub dataset.
        labelled: whether labels are wanted; if not, label columns are ignored.
    """

    text_column: str | None = None
    label_column: str | None = None
    delimiter: str | None = None
    header: bool = True
    encoding: str = "utf-8"
    label_separator: str | None = None
    on_bad_rows: OnBadRows = "error"
    strip_html: bool = False
    split: str | None = None
    dataset_config: str | None = None
    dataset_revision: str | None = None
    labelled: bool = True


@dataclass(frozen=True)
class RejectedRow:
    """A row that cannot be used, and why.

    Args:
        source: where it comes from, as the user named it.
        line: line of a text file (where the record starts), or row of a table.
        column: the column at fault; None where the whole row is.
        text: what can be shown of the row's text.
        reason: why, as a clause without capital and full stop.
    """

    source: str
    line: int
    column: str | None
    text: str
    reason: str


@dataclass(frozen=True)
class TextTable:
    """Texts with their labels and the places they come from.

    Args:
        source: where the rows come from, as the user named it.
        texts: the texts, unchanged but for HTML stripping.
        labels: one a text, or None for an unlabelled table.
        lines: the line (of a file), row (of a table) or index (of a list) of each text.
        rejected: rows set aside while reading.
        label_names: names of the classes 0, 1, 2 …, where the source knows them.
        label_column: the column of the labels, for messages.
    """

    source: str
    texts: list[str]
    labels: list[Label] | None
    lines: list[int]
    rejected: list[RejectedRow]
    label_names: list[str] | None
    label_column: str | None = None

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.texts)

    def select(self, indices: Iterable[int]) -> TextTable:
        """Return the rows at `indices`, in that order; rejected rows do not come along."""
        chosen = [int(index) for index in indices]
        return replace(
            self,
            texts=[self.texts[index] for index in chosen],
            labels=None if self.labels is None else [self.labels[index] for index in chosen],
            lines=[self.lines[index] for index in chosen],
            rejected=[],
        )

    def joined(self, other: TextTable) -> TextTable:
        """Return the rows and, after them, those of a table that is labelled as this one is."""
        labels = None if self.labels is None else [*self.labels, *(other.labels or [])]
        texts, lines = [*self.texts, *other.texts], [*self.lines, *other.lines]
        return replace(self, texts=texts, labels=labels, lines=lines, rejected=[])


def shown(text: object) -> str:
    """Return what a message or `rejected.csv` shows of a cell: encodable, and not endless."""
    plain = text if isinstance(text, str) else "" if text is None else str(text)
    # Undecodable bytes arrive as lone surrogates, which no file can hold.
    plain = plain[: _SHOWN_CHARACTERS + 1].encode("utf-8", "backslashreplace").decode("utf-8")
    return plain if len(plain) <= _SHOWN_CHARACTERS else plain[:_SHOWN_CHARACTERS] + "…"


def write_rejected(rows: Sequence[RejectedRow], path: Path) -> None:
    """Write the rows set aside as CSV: source, line, column, reason, text.

    Args:
        rows: the rows, in the order in which they are written.
        path: the file; an existing one is replaced.

    Raises:
        StorageError: it cannot be written.
    """
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(_REJECTED_HEADER)
    for row in rows:
        writer.writerow((row.source, row.line, row.column or "", row.reason, row.text))
    write_text(path, buffer.getvalue())
