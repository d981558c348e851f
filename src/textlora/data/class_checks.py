"""Labels that cannot be used as classes, all of them named at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from textlora.data.separators import likely_separator
from textlora.data.tables import Label, TextTable
from textlora.errors import DataError

MAX_CLASSES = 1_000
"""More distinct labels are taken for a wrong column (an id, a title, a score)."""

LISTED = 20
"""Classes that a message names before it says how many more there are."""

ROWS_FOR_SPLITS = 3
"""So many rows of a class are enough to split off a test and a validation part."""

_FEW_ROWS = 10
_SHOWN_KNOWN = 10


def members(label: Label) -> tuple[Label, ...]:
    """Return the classes that a label stands for: itself, or each of several."""
    return label if isinstance(label, tuple) else (label,)


def class_counts(labels: Sequence[Label]) -> Counter[Label]:
    """Return the rows of each class."""
    return Counter(member for label in labels for member in members(label))


def first_line(table: TextTable, value: Label) -> int:
    """Return the line of the first row whose label is, or contains, a value."""
    rows = zip(table.lines, table.labels or [], strict=True)
    return next(line for line, label in rows if label == value or value in members(label))


def named(entries: Sequence[str]) -> str:
    """Return entries of a list, and how many more there are."""
    more = f" and {len(entries) - LISTED} more" if len(entries) > LISTED else ""
    return ", ".join(entries[:LISTED]) + more


def is_wrong_column(counts: Mapping[Label, int], rows: int) -> bool:
    """Say whether labels look like ids or titles rather than classes."""
    all_different = rows > _FEW_ROWS and max(counts.values(), default=0) == 1
    return all_different or len(counts) > MAX_CLASSES


def refuse_joined_labels(counts: Mapping[Label, int], table: TextTable) -> None:
    """Refuse labels that cannot be classes as they stand, and can once they are taken apart.

    Raises:
        DataError: they look like several labels in one cell.
    """
    wrong_column = is_wrong_column(counts, len(table))
    usable = not wrong_column and min(counts.values(), default=2) > 1
    separator = None if usable else likely_separator(counts)
    otherwise = f"If they are classes as they stand: --min-rows-per-class {ROWS_FOR_SPLITS}."
    if wrong_column:
        otherwise = "Or name another column with --label-column."
    if separator is not None:
        raise DataError(
            f"{separator.problem}.",
            source=table.source,
            column=table.label_column,
            remedy=f"{separator.remedy} {otherwise}",
        )


def refuse_wrong_column(counts: Mapping[Label, int], table: TextTable) -> None:
    """Refuse labels that look like ids or titles rather than classes.

    Raises:
        DataError: they do.
    """
    if is_wrong_column(counts, len(table)):
        raise DataError(
            f"there are {len(counts)} different labels in {len(table)} rows; this looks like the "
            "wrong column.",
            source=table.source,
            column=table.label_column,
            remedy="Name the column with the classes: --label-column.",
        )


def refuse_few_classes(counts: Mapping[Label, int], table: TextTable) -> None:
    """Refuse fewer than two classes, and classes that cannot be split.

    Raises:
        DataError: there is one class only, or there are classes with one row.
    """
    if len(counts) < 2:
        found = repr(next(iter(counts))) if counts else "none"
        raise DataError(
            f"there is one class only ({found}).",
            source=table.source,
            column=table.label_column,
            remedy="Give rows of at least two classes, or another column with --label-column.",
        )
    single = [value for value, count in counts.items() if count == 1]
    if single:
        raise _single_rows(single, table)


def _single_rows(single: Sequence[Label], table: TextTable) -> DataError:
    lines = {value: first_line(table, value) for value in single[:LISTED]}
    several = len(single) > 1
    told = named([f"{value!r} (line {lines[value]})" if value in lines else "" for value in single])
    return DataError(
        f"{len(single)} classes have one row only: {told}."
        if several
        else f"the class {single[0]!r} has one row only.",
        source=table.source,
        line=None if several else lines[single[0]],
        column=table.label_column,
        remedy=f"Give {'them' if several else 'it'} more rows, or train without classes of so few: "
        f"--min-rows-per-class {ROWS_FOR_SPLITS} (with --rare-classes other they become one "
        "class, 'other').",
    )


def unknown_labels(table: TextTable, known: Collection[Label]) -> Counter[Label]:
    """Return the labels of a table that are no class of the training data, and their rows."""
    counts = class_counts(table.labels or [])
    unknown = Counter({label: rows for label, rows in counts.items() if label not in known})
    # One odd label turns a whole column of integers into strings: name the odd one.
    spelled = {str(value) for value in known}
    odd = Counter({label: rows for label, rows in unknown.items() if str(label) not in spelled})
    return odd or unknown


def unknown_labels_error(table: TextTable, known: Sequence[Label]) -> DataError:
    """Return the error that names every label that is no class of the training data."""
    # Of several labels to a text, where training had one, each can be known.
    unknown = unknown_labels(table, known) or Counter(
        label for label in table.labels or [] if label not in known
    )
    some = ", ".join(repr(value) for value in known[:_SHOWN_KNOWN])
    some += ", …" if len(known) > _SHOWN_KNOWN else ""
    first, *others = unknown
    line = first_line(table, first)
    if not others:
        rows = f" ({unknown[first]} rows)" if unknown[first] > 1 else ""
        problem = f"the label {first!r}{rows} is not one of the training labels ({some})."
    else:
        told = [_rows_and_line(label, unknown[label], table) for label in [*unknown][:LISTED]]
        problem = (
            f"{len(unknown)} labels are not among the training labels ({some}): "
            f"{named(told + [''] * (len(unknown) - len(told)))}."
        )
    return DataError(
        problem,
        source=table.source,
        line=None if others else line,
        column=table.label_column,
        remedy="Write labels as in the training data, or set such rows aside with "
        "--on-unknown-classes skip.",
    )


def _rows_and_line(label: Label, rows: int, table: TextTable) -> str:
    line = first_line(table, label)
    return f"{label!r} (line {line})" if rows == 1 else f"{label!r} ({rows} rows, from line {line})"
