"""CSV and TSV: records, their physical lines, and what is wrong with them."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from textlora.data.columns import find_columns, listed
from textlora.data.decoding import read_text
from textlora.data.headers import column_names, missing_header
from textlora.data.records import Record, row_problem, take_apart
from textlora.data.rows import RawTable
from textlora.data.tables import ReadOptions, RejectedRow, shown
from textlora.errors import DataError

_DELIMITERS = {"\t": "tab", ";": ";", "|": "|", ",": ","}
_DELIMITER_NAMES = {"tab": "\t", "\\t": "\t"}


@dataclass(frozen=True)
class Header:
    """The header of a delimited file.

    Args:
        names: the columns.
        record: how it stands in the file.
    """

    names: list[str]
    record: Record


@dataclass(frozen=True)
class DelimitedFile:
    """A delimited file, taken apart.

    Args:
        header: the record that names the columns; None where the file has none.
        names: the columns.
        delimiter: what stands between two fields.
        lines: the physical lines, with their line breaks.
        records: the records below the header.
    """

    header: Record | None
    names: list[str]
    delimiter: str
    lines: list[str]
    records: list[Record]


def read_delimited(path: Path, source: str, options: ReadOptions) -> RawTable:
    """Read a CSV or TSV file; nothing in it is taken for a missing value.

    Args:
        path: the file; its suffix chooses the delimiter if the options do not.
        source: its name, for messages.
        options: delimiter, encoding, columns.

    Returns:
        The cells of the chosen columns; rows that cannot be taken apart are in `broken`.

    Raises:
        DataError: the file cannot be read or decoded, the delimiter is wrong, or
            the columns are not there.
    """
    file = read_records(path, source, options)
    try:
        columns = find_columns(file.names, options, source)
    except DataError:
        if file.header is None:
            raise
        missing = missing_header(file.header, file.records, file.delimiter, options, source)
        if missing is None:
            raise
        raise missing from None
    wanted = [name for name in (columns.text, columns.label) if name is not None]
    return _collect(file, [file.names.index(name) for name in wanted], source)


def read_records(path: Path, source: str, options: ReadOptions) -> DelimitedFile:
    """Take a CSV or TSV file apart into lines and records, whatever its columns are.

    Args:
        path: the file; its suffix chooses the delimiter if the options do not.
        source: its name, for messages.
        options: delimiter and encoding.

    Raises:
        DataError: the file cannot be read or decoded, has no header, or the delimiter is wrong.
    """
    delimiter = delimiter_of(path, source, options.delimiter)
    text = read_text(path, source, options.encoding, tolerant=options.on_bad_rows == "skip")
    lines = _physical_lines(text)
    records = take_apart(lines, delimiter)
    if not options.header:
        rows = list(records)
        width = next((len(row.cells) for row in rows if not row.problem), 0)
        return DelimitedFile(None, column_names(width), delimiter, lines, rows)
    header = read_header(records, delimiter, source, options)
    return DelimitedFile(header.record, header.names, delimiter, lines, list(records))


def read_header(
    records: Iterator[Record], delimiter: str, source: str, options: ReadOptions
) -> Header:
    """Take the first record for the header.

    Args:
        records: all records; what is left of them are the rows.
        delimiter: what stands between two fields.
        source: the file's name, for messages.
        options: the text column, of which there may be no other.

    Raises:
        DataError: there is no header, or the delimiter is wrong.
    """
    record = next(records, None)
    if record is None or record.problem:
        problem = "no line names the columns" if record is None else record.problem
        raise DataError(
            f"the header cannot be read: {problem}.",
            source=source,
            line=1 if record is None else record.line,
            remedy="The first line must name the columns.",
        )
    names = [name.strip() for name in record.cells]
    _refuse_wrong_delimiter(names, record.line, delimiter, source, options)
    return Header(names, record)


def _collect(file: DelimitedFile, chosen: list[int], source: str) -> RawTable:
    names = file.names
    lines: list[int] = []
    cells: list[list[str]] = [[] for _ in chosen]
    broken: list[RejectedRow] = []
    for record in file.records:
        problem = record.problem or row_problem(record.cells, len(names))
        if problem:
            told = shown(" ".join(record.cells))
            broken.append(RejectedRow(source, record.line, None, told, problem))
            continue
        lines.append(record.line)
        for column, index in zip(cells, chosen, strict=True):
            column.append(record.cells[index])
    if not lines and not broken:
        raise DataError(
            "the file has a header and no rows.", source=source, remedy="Add rows below the header."
        )
    label_column = names[chosen[1]] if len(chosen) == 2 else None
    return RawTable(
        source=source,
        text_column=names[chosen[0]],
        label_column=label_column,
        lines=lines,
        texts=cells[0],
        labels=cells[1] if label_column is not None else None,
        broken=broken,
        untyped=True,
    )


def _physical_lines(text: str) -> list[str]:
    # Editors count line feeds; only a file without any is read as one of old Mac lines.
    if "\n" in text:
        return io.StringIO(text, newline="\n").readlines()
    return [line + "\r" for line in text.removesuffix("\r").split("\r")]


def delimiter_of(path: Path, source: str, given: str | None) -> str:
    """Return the delimiter that was given, or else that of the file's suffix.

    Raises:
        DataError: the given one is not one character.
    """
    if given is None:
        return "\t" if path.suffix.lower() == ".tsv" else ","
    delimiter = _DELIMITER_NAMES.get(given, given)
    if len(delimiter) != 1 or delimiter in '"\r\n':
        raise DataError(
            f"the delimiter {given!r} is not one character.",
            source=source,
            remedy="Give one such as --delimiter ';' or --delimiter tab.",
        )
    return delimiter


def _refuse_wrong_delimiter(
    names: list[str], line: int, delimiter: str, source: str, options: ReadOptions
) -> None:
    if len(names) != 1 or names[0] == options.text_column:
        return
    counts = {other: names[0].count(other) for other in _DELIMITERS if other != delimiter}
    likely = max(counts, key=lambda other: counts[other])
    if counts[likely]:
        name = _DELIMITERS[likely]
        raise DataError(
            f"the header is one column, {listed(names)}, and has the delimiter "
            f"{name if name == 'tab' else repr(name)} in it.",
            source=source,
            line=line,
            remedy=f"Give --delimiter {name if name == 'tab' else repr(name)}.",
        )
