"""A table of texts and the rows set aside, as readers hand them on; how its columns are found."""

from __future__ import annotations

import csv
import difflib
import io
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from textlora.errors import DataError
from textlora.files import write_text

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


def shortened(text: str, width: int) -> str:
    """Return a text in at most `width` characters, the last of them … where there were more."""
    return text if len(text) <= width else text[: width - 1].rstrip() + "…"


def shown(text: object, length: int = _SHOWN_CHARACTERS) -> str:
    """Return what a message or `rejected.csv` shows of a cell: encodable, and not endless."""
    plain = text if isinstance(text, str) else "" if text is None else str(text)
    return shortened(printable(plain[: length + 2]), length + 1)


def printable(text: str) -> str:
    """Return a text that every file can hold: bytes that did not decode, as an escape."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def csv_line(cells: Iterable[object], delimiter: str = ",") -> str:
    """Return cells as a line of CSV, without its line break."""
    line = io.StringIO(newline="")
    # The writer quotes what has a character of its line break in it, and so both that there are.
    csv.writer(line, delimiter=delimiter, lineterminator="\r\n").writerow(cells)
    return line.getvalue().removesuffix("\r\n")


def csv_text(rows: Iterable[Iterable[object]]) -> str:
    """Return rows as the text of a CSV file of ours: commas, and line feeds."""
    return "".join(csv_line(row) + "\n" for row in rows)


def write_rejected(rows: Sequence[RejectedRow], path: Path) -> None:
    """Write the rows set aside as CSV: source, line, column, reason, text.

    Args:
        rows: the rows, in the order in which they are written.
        path: the file; an existing one is replaced.

    Raises:
        StorageError: it cannot be written.
    """
    cells = [(row.source, row.line, row.column or "", row.reason, row.text) for row in rows]
    write_text(path, csv_text([_REJECTED_HEADER, *cells]))


TEXT_NAMES = ("text", "sentence", "review", "content")
LABEL_NAMES = ("label", "labels", "target", "sentiment")

_SHOWN_COLUMNS = 20
_SHOWN_NAME = 40


@dataclass(frozen=True)
class Columns:
    """The columns to read.

    Args:
        text: name of the column with the texts.
        label: name of the column with the labels; None where none are wanted.
    """

    text: str
    label: str | None

    @property
    def chosen(self) -> list[str]:
        """Their names."""
        return [self.text] if self.label is None else [self.text, self.label]


def find_columns(names: Sequence[str], options: ReadOptions, source: str) -> Columns:
    """Choose the text and the label column of a table.

    Args:
        names: the table's columns, in order.
        options: the columns the user named, and whether labels are wanted.
        source: where the table comes from, for messages.

    Returns:
        The chosen columns.

    Raises:
        DataError: two columns share a name; a named column does not exist; no
            column, or more than one, has a known name.
    """
    _refuse_duplicates(names, source)
    text = _given(names, options.text_column, "--text-column", source)
    label = _given(names, options.label_column, "--label-column", source)
    text = text or _known(names, label, TEXT_NAMES, "text", source)
    if not options.labelled:
        return Columns(text, None)
    label = label or _known(names, text, LABEL_NAMES, "label", source)
    if text == label:
        raise DataError(
            f"the column '{text}' is named for the texts and for the labels.",
            source=source,
            remedy="Give --text-column and --label-column two different columns.",
        )
    return Columns(text, label)


def listed(names: Sequence[str]) -> str:
    """Return the columns as a message shows them."""
    more = f", and {len(names) - _SHOWN_COLUMNS} more" if len(names) > _SHOWN_COLUMNS else ""
    return ", ".join(f"'{shown(name, _SHOWN_NAME)}'" for name in names[:_SHOWN_COLUMNS]) + more


def _refuse_duplicates(names: Sequence[str], source: str) -> None:
    # An empty name, such as that of a saved pandas index, cannot be asked for.
    counts = Counter(name for name in names if name)
    twice = [name for name, count in counts.items() if count > 1]
    if twice:
        raise DataError(
            f"the header has the column {listed(twice[:1])} more than once ({listed(names)}).",
            source=source,
            remedy="Rename or remove one of the two columns.",
        )


def _given(names: Sequence[str], name: str | None, flag: str, source: str) -> str | None:
    if name is None or name in names:
        return name
    lowered = {known.lower(): known for known in names}
    close = difflib.get_close_matches(name.lower(), lowered, n=1, cutoff=0.5)
    hint = f"Did you mean {flag} {lowered[close[0]]}? " if close else ""
    raise DataError(
        f"there is no column '{name}'.",
        source=source,
        remedy=f"{hint}The columns are: {listed(names)}.",
    )


def _known(
    names: Sequence[str], taken: str | None, known: Sequence[str], what: str, source: str
) -> str:
    found = [name for name in names if name.strip().lower() in known and name != taken]
    if len(found) == 1:
        return found[0]
    if found:
        raise DataError(
            f"more than one column could hold the {what}s: {listed(found)} "
            f"(all columns: {listed(names)}).",
            source=source,
            remedy=f"Name the right one with --{what}-column.",
        )
    raise DataError(
        f"no column has one of the usual names for {what}s ({', '.join(known)}); "
        f"the columns are: {listed(names)}.",
        source=source,
        remedy=f"Name the right one with --{what}-column.",
    )
