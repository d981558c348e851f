"""CSV and TSV, in and out: a row keeps its bytes, and the new cells are put behind them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from textlora.data.decoding import has_utf8_mark, stream_lines
from textlora.data.delimited import (
    Record,
    column_names,
    delimiter_of,
    missing_header,
    read_header,
    row_problem,
    take_apart,
)
from textlora.data.tables import ReadOptions, find_columns
from textlora.errors import DataError
from textlora.scoring.added import AddedColumns
from textlora.scoring.chunks import (
    LONGEST,
    Content,
    Limits,
    Predictions,
    Row,
    Rows,
    broken,
    group,
    jsonable,
    to_bytes,
)

_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class DelimitedSource:
    """A CSV or TSV file that is read in chunks.

    Args:
        path: the file.
        name: what the user calls it.
        encoding: its encoding.
        delimiter: what stands between two fields.
        header: the header as it stands in the file, with its line break; for a file without, one
            that names the columns by their places.
        has_header: whether it stands in the file.
        columns: the columns.
        text_column: the one with the texts.
        rows: how many rows there are.
    """

    path: Path
    name: str
    encoding: str
    delimiter: str
    header: str
    has_header: bool
    columns: tuple[str, ...]
    text_column: str
    rows: int

    @classmethod
    def open(cls, path: Path, name: str, options: ReadOptions) -> DelimitedSource:
        """Read the header and count the rows.

        Raises:
            DataError: the file cannot be read, its columns are not there, or it has no rows.
        """
        delimiter = delimiter_of(path, name, options.delimiter)
        records = _records(path, name, options.encoding, delimiter)
        if not options.header:
            return cls._without_header(path, name, options, delimiter, records)
        header = read_header(records, delimiter, name, options)
        try:
            text_column = find_columns(header.names, options, name).text
        except DataError:
            few = list(islice(records, 100))
            record = header.record
            missing = missing_header(record, few, delimiter, options, name)
            if missing is None:
                raise
            raise missing from None
        rows = sum(1 for _ in records)
        if not rows:
            raise DataError(
                "the file has a header and no rows.",
                source=name,
                remedy="Add rows below the header.",
            )
        columns = _all_different(header.names)
        raw = header.record.raw
        return cls(path, name, options.encoding, delimiter, raw, True, columns, text_column, rows)

    @classmethod
    def _without_header(
        cls,
        path: Path,
        name: str,
        options: ReadOptions,
        delimiter: str,
        records: Iterator[Record],
    ) -> DelimitedSource:
        rows, first = 0, None
        for record in records:
            rows += 1
            if first is None and not record.problem:
                first = record
        columns = column_names(0 if first is None else len(first.cells))
        text_column = find_columns(columns, options, name).text
        end = "" if first is None else _split(first.raw)[1]
        return cls(
            path,
            name,
            options.encoding,
            delimiter,
            header=delimiter.join(columns) + end,
            has_header=False,
            columns=tuple(columns),
            text_column=text_column,
            rows=rows,
        )

    def chunks(self, limits: Limits) -> Iterator[Rows]:
        """Yield the rows, in their order."""
        return group(self._read(), limits)

    def _read(self) -> Iterator[Row]:
        records = _records(self.path, self.name, self.encoding, self.delimiter)
        if self.has_header:
            next(records)
        for record in records:
            problem = record.problem or row_problem(record.cells, len(self.columns))
            if problem is not None:
                yield broken(record.raw, self.text_column, problem)
                continue
            values = dict(zip(self.columns, record.cells, strict=True))
            yield Row(record.raw, values, values[self.text_column])


@dataclass(frozen=True)
class DelimitedEncoder:
    """Writes CSV or TSV.

    Args:
        added: the columns to add.
        columns: those of the input.
        delimiter: what stands between two fields.
        source: where the rows come from, if they are to keep their bytes.
    """

    added: AddedColumns
    columns: tuple[str, ...]
    delimiter: str
    source: DelimitedSource | None = None

    def start(self) -> bytes:
        """Return the header."""
        if self.source is None:
            return to_bytes(self._line([*self.columns, *self.added.names]) + "\n")
        mark = _MARK if has_utf8_mark(self.source.path) else b""
        body, end = _split(self.source.header)
        names = self._line(self.added.names)
        return mark + to_bytes(f"{body}{self.delimiter}{names}{end or chr(10)}")

    def encode(self, content: Content, predictions: Predictions) -> bytes:
        """Return the rows of a chunk with the new cells behind them."""
        if self.source is not None and isinstance(content, Rows):
            heads = [self._raw_head(row) for row in content.rows]
        else:
            heads = [(self._head(values), "\n") for values in content.values()]
        return to_bytes(
            "".join(
                f"{head}{self.delimiter}{self._line(self.added.texts(*answer))}{end}"
                for (head, end), answer in zip(heads, predictions, strict=True)
            )
        )

    def _raw_head(self, row: Row) -> tuple[str, str]:
        body, end = _split(row.raw)
        own = body if row.problem is None else self._head(row.values)
        return own, end or (_split(self.source.header)[1] if self.source else "") or "\n"

    def _head(self, values: dict[str, Any]) -> str:
        return self._line([_cell(values.get(column)) for column in self.columns])

    def _line(self, cells: Sequence[str]) -> str:
        return self.delimiter.join(_quoted(cell, self.delimiter) for cell in cells)


def _records(path: Path, name: str, encoding: str, delimiter: str) -> Iterator[Record]:
    return take_apart(stream_lines(path, name, encoding, LONGEST), delimiter, LONGEST)


def _split(raw: str) -> tuple[str, str]:
    """Return a record without its line break, and the line break."""
    body = raw.removesuffix("\n").removesuffix("\r")
    return body, raw[len(body) :]


def _quoted(cell: str, delimiter: str) -> str:
    if not any(mark in cell for mark in (delimiter, '"', "\n", "\r")):
        return cell
    return '"' + cell.replace('"', '""') + '"'


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    plain = jsonable(value)
    return plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False)


def _all_different(names: Sequence[str]) -> tuple[str, ...]:
    """Return the names, of which only empty ones can be there twice, with a number on those."""
    again = Counter(names)
    return tuple(
        name if again[name] == 1 else f"column_{place}" for place, name in enumerate(names, start=1)
    )
