"""A first line that names no columns: is it data, and which column is what?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textlora.data.columns import listed
from textlora.data.records import Record
from textlora.data.tables import ReadOptions
from textlora.errors import DataError

_ROWS_LOOKED_AT = 1_000


@dataclass(frozen=True)
class GuessedColumns:
    """What the columns of a table without a header seem to hold, by their places from 0."""

    text: int
    label: int | None


def column_names(count: int) -> list[str]:
    """Return what the columns of a table without a header are called."""
    return [f"column_{place}" for place in range(1, count + 1)]


def missing_header(
    first: Record,
    rows: Sequence[Record],
    delimiter: str,
    options: ReadOptions,
    source: str,
) -> DataError | None:
    """Return the error that names a missing header; None where line 1 can be one.

    Line 1 is data where one of its cells, such as a label, comes again further down its column.

    Args:
        first: what stands in the place of the header.
        rows: the records below it.
        delimiter: what stands between two fields.
        options: whether labels are wanted.
        source: the file's name, for messages.
    """
    rows = [row for row in rows[:_ROWS_LOOKED_AT] if len(row.cells) == len(first.cells)]
    columns = list(zip(first.cells, *(row.cells for row in rows), strict=True))
    if not any(column[0].strip() and column[0] in column[1:] for column in columns):
        return None
    guess = _guess(columns, labelled=options.labelled)
    header = column_names(len(columns))
    flags = f"--no-header --text-column {header[guess.text]}"
    told = f"column {guess.text + 1} is the text"
    header[guess.text] = "text"
    if guess.label is not None:
        flags += f" --label-column {header[guess.label]}"
        told += f" and column {guess.label + 1} the label"
        header[guess.label] = "label"
    return DataError(
        f"the line looks like data and not like names of columns ({listed(first.cells)}); by the "
        f"lines below it, {told}.",
        source=source,
        line=first.line,
        remedy=f"Add a line above it that names them: {delimiter.join(header)}; or read the file "
        f"without: {flags}",
    )


def _guess(columns: Sequence[Sequence[str]], *, labelled: bool) -> GuessedColumns:
    """Take the longest cells for texts, and of the rest those of the fewest kinds for labels."""
    text = max(range(len(columns)), key=lambda place: sum(map(len, columns[place])))
    others = [place for place in range(len(columns)) if place != text and any(columns[place])]
    if not labelled or not others:
        return GuessedColumns(text, None)
    return GuessedColumns(text, min(others, key=lambda place: len(set(columns[place]))))
