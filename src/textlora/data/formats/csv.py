"""CSV and TSV: the header, the rows; written, a row keeps its bytes but for what is changed."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from textlora.data.formats.records import Record, take_apart
from textlora.data.formats.text import (
    Chunk,
    Limits,
    Row,
    Rows,
    TextFile,
    WithColumns,
    concatenate,
    group,
    jsonable,
    load_rows,
    split_end,
    to_bytes,
)
from textlora.data.rows import RawTable
from textlora.data.tables import Columns, ReadOptions, csv_line, find_columns, listed
from textlora.errors import DataError

_DELIMITERS = {"\t": "tab", ";": ";", "|": "|", ",": ","}
_DELIMITER_NAMES = {"tab": "\t", "\\t": "\t"}
_ROWS_LOOKED_AT = 1_000
_MARK = b"\xef\xbb\xbf"
# As in a run's predictions.csv.
_DIGITS = 6
_SEPARATOR = "|"


@dataclass(frozen=True)
class CsvFile:
    """A CSV or TSV file; nothing in it is taken for a missing value.

    Args:
        text: its lines.
        delimiter: what stands between two fields.
        header: the record that names the columns; None where the file has none.
        columns: the columns; by their places where there is no header.
        end: the line break of the first record.
    """

    text: TextFile
    delimiter: str
    header: Record | None
    columns: tuple[str, ...]
    end: str

    @classmethod
    def open(cls, path: Path, name: str, options: ReadOptions, longest: int | None) -> CsvFile:
        """Read the header; the suffix chooses the delimiter if the options do not.

        Raises:
            DataError: the file cannot be read or decoded, has no header, or the delimiter is wrong.
        """
        text = TextFile.of(path, name, options, longest)
        delimiter = _delimiter_of(path, name, options.delimiter)
        records = (one for one in take_apart(text.lines(), delimiter, longest) if one.cells)
        if options.header:
            header = _header(next(records, None), delimiter, name, options)
            columns = _all_different([cell.strip() for cell in header.cells])
            return cls(text, delimiter, header, columns, split_end(header.raw)[1] or "\n")
        first = next((record for record in records if not record.problem), Record(1, [], ""))
        columns = _numbered(len(first.cells))
        return cls(text, delimiter, None, columns, split_end(first.raw)[1] or "\n")

    @property
    def name(self) -> str:
        """What the user calls it."""
        return self.text.name

    def find(self, options: ReadOptions) -> Columns:
        """Choose the columns; see `find_columns`.

        Raises:
            DataError: they are not there, perhaps because the header is missing.
        """
        try:
            return find_columns(self.columns, options, self.name)
        except DataError as problem:
            missing = self._missing_header(options)
            if missing is None:
                raise problem from None
        raise missing

    def load(self, options: ReadOptions) -> RawTable:
        """Return the cells of the chosen columns."""
        return load_rows(self._rows(), self.find(options), self.name, untyped=True)

    def count(self) -> int:
        """Return how many rows there are.

        Raises:
            DataError: there are none.
        """
        return sum(1 for _ in self._rows())

    def chunks(self, limits: Limits) -> Iterator[Rows]:
        """Yield the rows, in their order."""
        return group(self._rows(), limits)

    def copy(
        self, to: Path, gone: Container[int], column: str | None, change: Callable[[Any], Any]
    ) -> None:
        """Write the file without some rows, and with the cells of a column changed.

        Args:
            to: the copy, in the encoding of the file.
            gone: the lines on which rows start that are left out.
            column: the column to change; None: none.
            change: returns the new cell; what it leaves alone keeps its bytes.
        """
        writer = CsvWriter(self.columns, (), "", self.delimiter, self)
        self.text.rewrite(self._copied(writer, gone, column, change), to)

    def _copied(
        self,
        writer: CsvWriter,
        gone: Container[int],
        column: str | None,
        change: Callable[[Any], Any],
    ) -> Iterator[str]:
        kept = True  # a blank line goes with the row above it
        for record in self._records():
            if not self._is_row(record):
                if kept:
                    yield record.raw
                continue
            kept = record.line not in gone
            if kept:
                row = self._row(record)
                changed = {}
                if column is not None and (new := change(row.values[column])) != row.values[column]:
                    changed[column] = new
                yield writer.line(row, {}, changed)

    def _records(self) -> Iterator[Record]:
        return take_apart(self.text.lines(), self.delimiter, self.text.longest)

    def _rows(self) -> Iterator[Row]:
        rows = map(self._row, filter(self._is_row, self._records()))
        first = next(rows, None)
        if first is None:
            raise DataError(
                "the file has a header and no rows.",
                source=self.name,
                remedy="Add rows below the header.",
            )
        yield first
        yield from rows

    def _is_row(self, record: Record) -> bool:
        return bool(record.cells) and (self.header is None or record.line != self.header.line)

    def _row(self, record: Record) -> Row:
        problem = record.problem or _row_problem(record.cells, len(self.columns))
        if problem is not None:
            return Row(record.line, {}, record.raw, problem, " ".join(record.cells))
        return Row(record.line, dict(zip(self.columns, record.cells, strict=True)), record.raw)

    def _missing_header(self, options: ReadOptions) -> DataError | None:
        """Return the error that names a missing header; None where line 1 can be one.

        Line 1 is data where one of its cells, such as a label, comes again down its column.
        """
        if self.header is None:
            return None
        first = self.header.cells
        below = islice((one for one in self._records() if one.cells), 1, _ROWS_LOOKED_AT + 1)
        rows = [row.cells for row in below if len(row.cells) == len(first)]
        columns = list(zip(first, *rows, strict=True))
        if not any(column[0].strip() and column[0] in column[1:] for column in columns):
            return None
        text, label = _guess(columns, labelled=options.labelled)
        names = list(_numbered(len(columns)))
        flags = f"--no-header --text-column {names[text]}"
        told = f"column {text + 1} is the text"
        names[text] = "text"
        if label is not None:
            flags += f" --label-column {names[label]}"
            told += f" and column {label + 1} the label"
            names[label] = "label"
        return DataError(
            f"the line looks like data and not like names of columns ({listed(first)}); by the "
            f"lines below it, {told}.",
            source=self.name,
            line=self.header.line,
            remedy=f"Add a line above it that names them: {self.delimiter.join(names)}; or read "
            f"the file without: {flags}",
        )


@dataclass(frozen=True)
class CsvWriter:
    """Writes CSV or TSV, in UTF-8.

    Args:
        columns: those of the input.
        further: the columns behind them.
        text_column: in which rows stand that cannot be taken apart.
        delimiter: what stands between two fields.
        source: the file that the rows come from, if they are to keep their bytes.
    """

    columns: tuple[str, ...]
    further: tuple[str, ...]
    text_column: str
    delimiter: str
    source: CsvFile | None = None

    @classmethod
    def to(cls, out: Path, file: WithColumns, further: Iterable[str], text: str) -> CsvWriter:
        """Return what writes the rows of a file; if it is of the same suffix, with their bytes."""
        if isinstance(file, CsvFile) and file.text.path.suffix.lower() == out.suffix.lower():
            return cls(file.columns, tuple(further), text, file.delimiter, file)
        return cls(file.columns, tuple(further), text, _delimiter_of(out, str(out), None))

    def encode(self, chunk: Chunk, further: Iterable[Mapping[str, Any]]) -> bytes:
        """Return rows with their further cells."""
        return to_bytes("".join(map(self.line, chunk.rows, further)))

    def join(self, shards: Iterable[Path], out: Path) -> None:
        """Write the header and the shards."""
        mark = b""
        if self.source is not None and self.source.text.has_utf8_mark():
            mark = _MARK
        concatenate(mark + to_bytes(self._header()), shards, out)

    def line(
        self, row: Row, further: Mapping[str, Any], changed: Mapping[str, Any] | None = None
    ) -> str:
        """Return a row with its line break.

        Args:
            row: what is not changed keeps its characters, if it is of the source.
            further: the further cells.
            changed: cells that are others than in the row.
        """
        body, end = split_end(row.raw)
        more = [_answer(further[name]) for name in self.further]
        if self.source is None or row.problem is not None or changed:
            values = {**row.cells(self.text_column), **(changed or {})}
            own = [_cell(values.get(column)) for column in self.columns]
            body = csv_line([*own, *more], self.delimiter)
        elif more:
            body += self.delimiter + csv_line(more, self.delimiter)
        return body + (end if end and self.source is not None else self._end)

    @property
    def _end(self) -> str:
        return self.source.end if self.source is not None else "\n"

    def _header(self) -> str:
        if self.source is None or self.source.header is None:
            return csv_line([*self.columns, *self.further], self.delimiter) + self._end
        body, end = split_end(self.source.header.raw)
        return f"{body}{self.delimiter}{csv_line(self.further, self.delimiter)}{end or self._end}"


def _cell(value: Any) -> str:
    if value is None:
        return ""
    plain = jsonable(value)
    return plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False)


def _answer(value: Any) -> str:
    if isinstance(value, list):
        return _SEPARATOR.join(value)
    return f"{value:.{_DIGITS}f}" if isinstance(value, float) else _cell(value)


def _delimiter_of(path: Path, source: str, given: str | None) -> str:
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


def _header(record: Record | None, delimiter: str, source: str, options: ReadOptions) -> Record:
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
    return record


def _numbered(count: int) -> tuple[str, ...]:
    """Return what the columns of a table without a header are called."""
    return tuple(f"column_{place}" for place in range(1, count + 1))


def _all_different(names: Sequence[str]) -> tuple[str, ...]:
    """Return the names; empty ones that are there twice, by their places."""
    again = Counter(names)
    return tuple(
        name if name or again[name] == 1 else f"column_{place}"
        for place, name in enumerate(names, start=1)
    )


def _row_problem(cells: Sequence[str], width: int) -> str | None:
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


def _guess(columns: Sequence[Sequence[str]], *, labelled: bool) -> tuple[int, int | None]:
    """Take the longest cells for texts, and of the rest those of the fewest kinds for labels."""
    text = max(range(len(columns)), key=lambda place: sum(map(len, columns[place])))
    others = [place for place in range(len(columns)) if place != text and any(columns[place])]
    if not labelled or not others:
        return text, None
    return text, min(others, key=lambda place: len(set(columns[place])))


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
