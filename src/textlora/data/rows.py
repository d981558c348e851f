"""Check every row: what a text may be, what a label may be, and what becomes of bad rows."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from textlora.data.cleaning import strip_html
from textlora.data.tables import Label, ReadOptions, RejectedRow, TextTable, shown
from textlora.errors import DataError

MAX_TEXT_BYTES = 1_000_000
"""Longer texts are taken for a mistake (a quote that swallowed the file, a pasted log)."""

SKIP_REMEDY = "Mend the row, or set such rows aside with --on-bad-rows skip."
SURROGATE_REASON = "half of a character (a lone surrogate), which is no valid text"

MISSING_TEXT = "the text is missing"
BLANK_TEXT = "the text is blank"
ONLY_HTML = "the text is blank without its HTML"
NO_TEXT = (MISSING_TEXT, BLANK_TEXT, ONLY_HTML)
"""The reasons of rows that lack a text."""

_CLIPPED = 40

# Only the way Python itself writes an integer: "01" or "+1" could be codes, not numbers.
_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,17}")


class BadCellError(ValueError):
    """A cell that cannot be used; its message is the reason."""


class NoLabelsError(DataError):
    """Every row lacks its label: the source is unlabelled."""


@dataclass(frozen=True)
class RawTable:
    """Cells as a reader found them, before any check.

    Args:
        source: where they come from, as the user named it.
        text_column: name of the text column; None where there are no columns.
        label_column: name of the label column; None if unlabelled.
        lines: line, row or index of every cell.
        texts: the text cells.
        labels: the label cells; None if unlabelled.
        broken: rows that could not even be taken apart.
        label_names: names of the classes 0, 1, 2 …, where the source knows them.
        untyped: the cells come from a text file, in which everything is a string.
        remedy: what to do about a bad row.
    """

    source: str
    text_column: str | None
    label_column: str | None
    lines: Sequence[int]
    texts: Sequence[object]
    labels: Sequence[object] | None
    broken: list[RejectedRow] = field(default_factory=list)
    label_names: list[str] | None = None
    untyped: bool = False
    remedy: str = SKIP_REMEDY


def check_rows(raw: RawTable, options: ReadOptions) -> TextTable:
    """Turn raw cells into texts and labels, and set bad rows aside.

    Args:
        raw: the cells.
        options: on_bad_rows, strip_html and label_separator are used.

    Returns:
        The good rows in their order, and the rejected ones by line.

    Raises:
        DataError: there are no rows; a row is bad and bad rows are errors; no
            good row is left; labels are partly numbers and partly strings.
        NoLabelsError: no row has a label.
    """
    refuse_unlabelled(raw)
    table = collect_rows(raw, options)
    _refuse_rejected(raw, table.rejected, kept=len(table), on_bad_rows=options.on_bad_rows)
    return replace(table, labels=settle_labels(table, raw))


def collect_rows(raw: RawTable, options: ReadOptions) -> TextTable:
    """Turn raw cells into texts and labels, and set bad rows aside, without refusing any table.

    Args:
        raw: the cells.
        options: as in `check_rows`; with on_bad_rows="error" nothing below the first bad row is
            looked at.

    Returns:
        The good rows in their order, with labels as they are, and the rejected ones by line.
    """
    texts: list[str] = []
    labels: list[Label] = []
    lines: list[int] = []
    rejected = list(raw.broken)
    for index, line in enumerate(raw.lines):
        column = raw.text_column
        try:
            text = read_text_cell(raw.texts[index], options.strip_html)
            column = raw.label_column
            if raw.labels is not None:
                separator = options.label_separator
                labels.append(read_label_cell(raw.labels[index], separator, raw.untyped))
        except BadCellError as bad:
            told = shown(raw.texts[index])
            rejected.append(RejectedRow(raw.source, line, column, told, str(bad)))
            if options.on_bad_rows == "error":
                break
            continue
        texts.append(text)
        lines.append(line)
    rejected.sort(key=lambda row: row.line)
    return TextTable(
        source=raw.source,
        texts=texts,
        labels=None if raw.labels is None else labels,
        lines=lines,
        rejected=rejected,
        label_names=raw.label_names,
        label_column=raw.label_column,
    )


def read_text_cell(value: object, without_html: bool = False) -> str:
    """Return a cell as a text.

    Args:
        value: the cell.
        without_html: strip HTML before the text is found blank or not.

    Raises:
        BadCellError: it is missing, blank, no string, too long, or holds characters
            that no text has.
    """
    if is_missing(value) or value == "":
        raise BadCellError(MISSING_TEXT)
    if not isinstance(value, str):
        raise BadCellError(f"the text is not a string but {_kind(value)}")
    _check_characters(value, "text")
    if not value.strip():
        raise BadCellError(BLANK_TEXT)
    text = strip_html(value) if without_html else str(value)
    if not text.strip():
        raise BadCellError(ONLY_HTML)
    return text


def readable_texts(texts: Sequence[str], without_html: bool = False) -> list[str]:
    """Return texts that are to be answered as they are read.

    Raises:
        DataError: one cannot be used; see `read_text_cell`.
    """
    read = []
    for number, text in enumerate(texts, start=1):
        try:
            read.append(read_text_cell(text, without_html))
        except BadCellError as bad:
            place = f"text {number:,} of {len(texts):,}"
            raise DataError(f"{bad}.", source=place, remedy="Leave it out.") from None
    return read


def rows_of_html(table: TextTable) -> list[RejectedRow]:
    """Return the rows of which nothing is left without their HTML."""
    found = []
    for text, line in zip(table.texts, table.lines, strict=True):
        try:
            read_text_cell(text, without_html=True)
        except BadCellError as bad:
            found.append(RejectedRow(table.source, line, None, shown(text), str(bad)))
    return found


def read_label_cell(value: object, separator: str | None, untyped: bool) -> Label:
    """Return a cell as a label.

    Args:
        value: the cell.
        separator: splits a string into several labels; None: one label a cell.
        untyped: the cell comes from a text file: white space around it means nothing.

    Raises:
        BadCellError: it is missing, or no integer, string or list of these.
    """
    if isinstance(value, list | tuple | set | frozenset):
        return tuple(sorted({_one_name(item) for item in value}))
    if isinstance(value, str):
        _check_characters(value, "label")
        if separator is not None:
            names = {part.strip() for part in value.split(separator)} - {""}
            if not names:
                raise BadCellError("the label is missing")
            return tuple(sorted(names))
    label = _one_label(value, untyped)
    return label if separator is None else (str(label),)


def is_missing(value: object) -> bool:
    """Say whether a typed cell holds nothing: None, NaN, pandas' NA or NaT."""
    if isinstance(value, float):
        return math.isnan(value)
    return value is None or type(value).__name__ in ("NAType", "NaTType")


def bad_row_error(row: RejectedRow, remedy: str = SKIP_REMEDY) -> DataError:
    """Return the error that says why one row cannot be used."""
    return DataError(
        f"{row.reason}.", source=row.source, line=row.line, column=row.column, remedy=remedy
    )


def _check_characters(text: str, what: str) -> None:
    if "\0" in text:
        raise BadCellError(f"the {what} has a NUL byte in it")
    try:
        size = len(text.encode("utf-8"))
    except UnicodeEncodeError as error:
        undecoded = 0xDC80 <= ord(text[error.start]) <= 0xDCFF
        found = "bytes in it that the encoding does not have" if undecoded else SURROGATE_REASON
        raise BadCellError(f"the {what} has {found}") from None
    if size > MAX_TEXT_BYTES:
        raise BadCellError(f"the {what} is {size:,} bytes long, more than {MAX_TEXT_BYTES:,}")


def _one_name(item: object) -> str:
    if isinstance(item, str):
        _check_characters(item, "label")
    return str(_one_label(item, untyped=False))


def _one_label(value: object, untyped: bool) -> Label:
    if is_missing(value):
        raise BadCellError("the label is missing")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if not isinstance(value, str):
        raise BadCellError(f"the label is {_kind(value)}, not a string, an integer or a list")
    if not value.strip():
        raise BadCellError("the label is missing")
    return value.strip() if untyped else str(value)


def _kind(value: object) -> str:
    """Return what a value is, and what it looks like."""
    names = {
        bool: "a truth value", int: "a number", float: "a number", dict: "an object", list: "a list"
    }  # fmt: skip
    kind = names.get(type(value), f"of the type {type(value).__name__}")
    return f"{kind} ({shown(value, _CLIPPED)})"


def refuse_unlabelled(raw: RawTable) -> None:
    """Refuse cells of which none is a label.

    Raises:
        NoLabelsError: there are labels, and all are missing.
    """
    if raw.labels and all(is_missing(label) or label == "" for label in raw.labels):
        raise NoLabelsError(
            "no row has a label.",
            source=raw.source,
            column=raw.label_column,
            remedy="Give data with labels, or another column with --label-column.",
        )


def _refuse_rejected(
    raw: RawTable, rejected: list[RejectedRow], *, kept: int, on_bad_rows: str
) -> None:
    if rejected and on_bad_rows == "error":
        raise bad_row_error(rejected[0], raw.remedy)
    if kept:
        return
    if not rejected:
        raise DataError("there are no rows in it.", source=raw.source, remedy="Add some rows.")
    first = rejected[0]
    raise DataError(
        f"all {len(rejected)} rows are bad, the first because {first.reason}.",
        source=raw.source,
        line=first.line,
        column=first.column,
        remedy="Check the delimiter, the encoding and the columns.",
    )


def settle_labels(table: TextTable, raw: RawTable) -> list[Label] | None:
    """Return the labels of a table as one kind: all integers, all strings, or all tuples.

    Args:
        table: what `collect_rows` made.
        raw: the cells it made it of.

    Raises:
        DataError: some labels are numbers and some are strings.
    """
    if table.labels is None:
        return None
    labels, lines = table.labels, table.lines
    if any(isinstance(label, tuple) for label in labels):
        return [label if isinstance(label, tuple) else (str(label),) for label in labels]
    kinds = {isinstance(label, int): index for index, label in reversed(list(enumerate(labels)))}
    if len(kinds) == 2:
        number, name = kinds[True], kinds[False]
        later, earlier = max(number, name), min(number, name)
        raise DataError(
            f"the label {labels[later]!r} and the label {labels[earlier]!r} (line "
            f"{lines[earlier]}) are of two kinds, a number and a string.",
            source=raw.source,
            line=lines[later],
            column=raw.label_column,
            remedy="Write all labels as numbers, or all as strings.",
        )
    if raw.untyped and all(isinstance(one, str) and _INTEGER.fullmatch(one) for one in labels):
        return [int(label) for label in labels if isinstance(label, str)]
    return labels
