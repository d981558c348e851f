"""CSV and TSV: records, their physical lines, their header, and what is wrong with them."""

from __future__ import annotations

import csv
import io
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from textlora.data.decoding import read_text
from textlora.data.rows import RawTable
from textlora.data.tables import ReadOptions, RejectedRow, find_columns, listed, shown
from textlora.errors import DataError


@dataclass(frozen=True)
class Record:
    """One record of a delimited file.

    Args:
        line: the physical line on which it starts.
        cells: its fields.
        raw: the physical lines that it is made of, with their line breaks.
        problem: why it cannot be taken apart; None if it can.
    """

    line: int
    cells: list[str]
    raw: str
    problem: str | None = None


def take_apart(
    lines: Iterable[str], delimiter: str, longest: int = sys.maxsize
) -> Iterator[Record]:
    """Yield the records; after a bad one, start again on the line below its first.

    A quote that is never closed would otherwise take the whole file with it. Blank lines are
    passed over.

    Args:
        lines: the physical lines, with their line breaks.
        delimiter: what stands between two fields.
        longest: characters that a record may have. No more than these are held, so that a file of
            any size goes through. A record with more is taken for one whose quote is not closed.
    """
    window = _Window(lines, longest)
    line = 1
    after_bad_quote = False
    with _fields_of_any_size():
        while True:
            reader = csv.reader(window, delimiter=delimiter, strict=True)
            try:
                for cells in reader:
                    taken = window.take()
                    raw = "".join(taken)
                    # The rest of a text with a bad quote can look like a row of its own.
                    if after_bad_quote and raw.count('"') % 2:
                        yield Record(line, cells, raw, "the quotes of this row do not match")
                    elif cells:
                        after_bad_quote = False
                        yield Record(line, cells, raw)
                    line += len(taken)
                return
            except (csv.Error, _TooLongError) as error:
                after_bad_quote = True
                raw = window.take_first()
                yield Record(line, [raw.rstrip("\r\n")], raw, _explain(error))
                line += 1


def row_problem(cells: Sequence[str], width: int) -> str | None:
    """Return why a record is no row of a table with so many columns; None if it is one."""
    if len(cells) != width:
        found = "1 field" if len(cells) == 1 else f"{len(cells)} fields"
        return (
            f"the row has {found} and the header has {width} "
            "(a text with the delimiter in it needs quotes around it)"
        )
    if any("\0" in cell for cell in cells):
        return "the row has a NUL byte in it"
    return None


class _TooLongError(Exception):
    """A record is longer than any may be."""


class _Window:
    """Lines of which those since the last `take` can be had again."""

    def __init__(self, lines: Iterable[str], longest: int) -> None:
        self._lines = iter(lines)
        self._again: deque[str] = deque()
        self._held: list[str] = []
        self._size = 0
        self._longest = longest

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else next(self._lines)
        self._held.append(line)
        self._size += len(line)
        if self._size > self._longest:
            raise _TooLongError
        return line

    def take(self) -> list[str]:
        """Return the lines since the last time; they will not come again."""
        taken, self._held, self._size = self._held, [], 0
        return taken

    def take_first(self) -> str:
        """Return the first line since the last time; those below it will come again."""
        first, *rest = self.take()
        self._again.extendleft(reversed(rest))
        return first


def _explain(error: csv.Error | _TooLongError) -> str:
    message = str(error)
    if isinstance(error, _TooLongError) or "unexpected end" in message:
        return "a quote opens in this row and is never closed"
    if "expected after" in message:
        return 'the quotes of this row do not match (a quote inside quotes is written "")'
    if "new-line" in message:
        return "a stray carriage return is in this row"
    return message


@contextmanager
def _fields_of_any_size() -> Iterator[None]:
    # The limit is the csv module's own global; too long texts are found by their bytes.
    before = csv.field_size_limit(sys.maxsize)
    try:
        yield
    finally:
        csv.field_size_limit(before)


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
