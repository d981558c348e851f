"""CSV and TSV: records, their physical lines, and what is wrong with them."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from textlora.data.columns import find_columns, listed
from textlora.data.decoding import read_text
from textlora.data.rows import RawTable
from textlora.data.tables import ReadOptions, RejectedRow, shown
from textlora.errors import DataError

_DELIMITERS = {"\t": "tab", ";": ";", "|": "|", ",": ","}
_DELIMITER_NAMES = {"tab": "\t", "\\t": "\t"}


@dataclass(frozen=True)
class Record:
    """One record of a delimited file.

    Args:
        line: the physical line on which it starts.
        cells: its fields.
        problem: why it cannot be taken apart; None if it can.
    """

    line: int
    cells: list[str]
    problem: str | None = None


@dataclass(frozen=True)
class DelimitedFile:
    """A delimited file, taken apart.

    Args:
        names: the columns of the header.
        delimiter: what stands between two fields.
        lines: the physical lines, with their line breaks.
        records: the records below the header.
    """

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
    columns = find_columns(file.names, options, source)
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
    delimiter = _delimiter(path, source, options.delimiter)
    text = read_text(path, source, options.encoding, tolerant=options.on_bad_rows == "skip")
    lines = _physical_lines(text)
    with _fields_of_any_size():
        records = _records(lines, delimiter)
        header = next(records, None)
        if header is None or header.problem:
            problem = "no line names the columns" if header is None else header.problem
            raise DataError(
                f"the header cannot be read: {problem}.",
                source=source,
                line=1 if header is None else header.line,
                remedy="The first line must name the columns.",
            )
        names = [name.strip() for name in header.cells]
        _refuse_wrong_delimiter(names, header.line, delimiter, source, options)
        return DelimitedFile(names, delimiter, lines, list(records))


def _collect(file: DelimitedFile, chosen: list[int], source: str) -> RawTable:
    names = file.names
    lines: list[int] = []
    cells: list[list[str]] = [[] for _ in chosen]
    broken: list[RejectedRow] = []
    for record in file.records:
        problem = record.problem or _row_problem(record.cells, len(names))
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


def _row_problem(cells: Sequence[str], width: int) -> str | None:
    if len(cells) != width:
        found = "1 field" if len(cells) == 1 else f"{len(cells)} fields"
        return (
            f"the row has {found} and the header has {width} "
            "(a text with the delimiter in it needs quotes around it)"
        )
    if any("\0" in cell for cell in cells):
        return "the row has a NUL byte in it"
    return None


def _records(lines: list[str], delimiter: str) -> Iterator[Record]:
    """Yield the records; after a bad one, start again on the line below its first.

    A quote that is never closed would otherwise take the whole file with it.
    """
    position = 0
    after_bad_quote = False
    while position < len(lines):
        base = position
        reader = csv.reader(_from(lines, base), delimiter=delimiter, strict=True)
        try:
            for cells in reader:
                start, position = position, base + reader.line_num
                # The rest of a text with a bad quote can look like a row of its own.
                if after_bad_quote and sum(line.count('"') for line in lines[start:position]) % 2:
                    yield Record(start + 1, cells, "the quotes of this row do not match")
                elif cells:
                    after_bad_quote = False
                    yield Record(start + 1, cells)
        except csv.Error as error:
            after_bad_quote = True
            yield Record(position + 1, [lines[position].rstrip("\r\n")], _explain(error))
            position += 1


def _from(lines: list[str], start: int) -> Iterator[str]:
    for index in range(start, len(lines)):
        yield lines[index]


def _explain(error: csv.Error) -> str:
    message = str(error)
    if "unexpected end" in message:
        return "a quote opens in this row and is never closed"
    if "expected after" in message:
        return 'the quotes of this row do not match (a quote inside quotes is written "")'
    if "new-line" in message:
        return "a stray carriage return is in this row"
    return message


def _physical_lines(text: str) -> list[str]:
    # Editors count line feeds; only a file without any is read as one of old Mac lines.
    if "\n" in text:
        return io.StringIO(text, newline="\n").readlines()
    return [line + "\r" for line in text.removesuffix("\r").split("\r")]


def _delimiter(path: Path, source: str, given: str | None) -> str:
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


@contextmanager
def _fields_of_any_size() -> Iterator[None]:
    # The limit is the csv module's own global; too long texts are found by their bytes.
    before = csv.field_size_limit(sys.maxsize)
    try:
        yield
    finally:
        csv.field_size_limit(before)
