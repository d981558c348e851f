"""JSON Lines: one object a line; written, a line keeps its bytes but for what is changed."""

from __future__ import annotations

import json
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from textlora.data.formats.text import (
    Chunk,
    Limits,
    Row,
    Rows,
    TextFile,
    concatenate,
    group,
    jsonable,
    load_rows,
    split_end,
    to_bytes,
)
from textlora.data.rows import RawTable
from textlora.data.tables import Columns, ReadOptions, find_columns
from textlora.errors import DataError

_BLANK = " \t\r\n"


@dataclass(frozen=True)
class JsonLinesFile:
    """A file with one JSON object a line; blank lines are passed over.

    Args:
        text: its lines.
        columns: the keys of all lines, in the order in which they turn up.
        rows: how many lines there are.
    """

    text: TextFile
    columns: tuple[str, ...]
    rows: int

    @classmethod
    def open(
        cls, path: Path, name: str, options: ReadOptions, longest: int | None
    ) -> JsonLinesFile:
        """Find the keys and count the lines.

        Raises:
            DataError: the file cannot be read, is one JSON document, or has no object in it.
        """
        text = TextFile.of(path, name, options, longest)
        columns: dict[str, None] = {}
        rows, first = 0, None
        for row in _rows(text):
            rows += 1
            if first is None:
                first = row
                _refuse_document(row.raw.strip(), name)
            columns.update(dict.fromkeys(row.values))
        if not columns and first is not None and first.problem is not None:
            label = ', "label": 1' if options.labelled else ""
            raise DataError(
                f"no line is a JSON object, the first because {first.problem}.",
                source=name,
                line=first.line,
                remedy=f'Write one object a line, such as {{"text": "Good."{label}}}.',
            )
        return cls(text, tuple(columns), rows)

    @property
    def name(self) -> str:
        """What the user calls it."""
        return self.text.name

    def find(self, options: ReadOptions) -> Columns:
        """Choose the columns; see `find_columns`."""
        return find_columns(self.columns, options, self.name)

    def load(self, options: ReadOptions) -> RawTable:
        """Return the values of the chosen keys; one that a line lacks is a missing value."""
        return load_rows(_rows(self.text), self.find(options), self.name, untyped=False)

    def count(self) -> int:
        """Return how many rows there are."""
        return self.rows

    def chunks(self, limits: Limits) -> Iterator[Rows]:
        """Yield the rows, in their order."""
        return group(_rows(self.text), limits)

    def copy(
        self, to: Path, gone: Container[int], column: str | None, change: Callable[[Any], Any]
    ) -> None:
        """Write the file without some rows, and with the cells of a column changed: as CSV's."""
        self.text.rewrite(self._copied(gone, column, change), to)

    def _copied(
        self, gone: Container[int], column: str | None, change: Callable[[Any], Any]
    ) -> Iterator[str]:
        for row in _rows(self.text):
            if row.line in gone:
                continue
            old = None if column is None else row.values.get(column)
            new = None if column is None else change(old)
            if column is not None and new != old:
                values, ascii_only = {**row.values, column: new}, "\\u" in row.raw
                yield json.dumps(values, ensure_ascii=ascii_only) + "\n"
            else:
                # The last line often has no line break: the next one must not grow onto it.
                yield row.raw if split_end(row.raw)[1] else row.raw + "\n"


@dataclass(frozen=True)
class JsonLinesWriter:
    """Writes JSON Lines, in UTF-8.

    Args:
        text_column: the key under which rows stand that cannot be taken apart.
        keep: the rows are of JSON Lines, and keep their bytes.
    """

    text_column: str
    keep: bool

    def encode(self, chunk: Chunk, further: Iterable[Mapping[str, Any]]) -> bytes:
        """Return rows with their further keys."""
        return to_bytes("".join(map(self._line, chunk.rows, further)))

    def join(self, shards: Iterable[Path], out: Path) -> None:
        """Write the shards."""
        concatenate(b"", shards, out)

    def _line(self, row: Row, further: Mapping[str, Any]) -> str:
        values = row.cells(self.text_column)
        if self.keep and row.problem is None:
            body = row.raw.rstrip(_BLANK)
        else:
            body = json.dumps(jsonable(values), ensure_ascii=False)
        body = body.removesuffix("}").rstrip(_BLANK) + (", " if values else "")
        return f"{body}{json.dumps(further, ensure_ascii=False)[1:]}\n"


def _rows(text: TextFile) -> Iterator[Row]:
    for number, line in enumerate(text.lines(), start=1):
        if not line.strip():
            continue
        try:
            yield Row(number, _parse(split_end(line)[0]), line)
        except _BadLineError as bad:
            yield Row(number, {}, line, str(bad), line.strip())


class _BadLineError(ValueError):
    """A line that is no JSON object; its message is the reason."""


def _parse(line: str) -> dict[str, Any]:
    try:
        value = _DECODER.decode(line)
    except _BadLineError:
        raise
    except json.JSONDecodeError as error:
        raise _BadLineError(
            f"the line is not valid JSON ({error.msg} at character {error.colno})"
        ) from None
    except (ValueError, RecursionError):
        raise _BadLineError(
            "the line is not valid JSON (it is nested too deep, or has an endless number)"
        ) from None
    if not isinstance(value, dict):
        raise _BadLineError("the line is not a JSON object")
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise _BadLineError(f"the key '{twice}' occurs more than once in the line")
    return value


def _refuse_document(first: str, source: str) -> None:
    """Refuse a file that is one JSON document: its first line is a lone brace, or a bracket."""
    if first != "{" and not first.startswith("["):
        return
    raise DataError(
        "the file is one JSON document, and JSON Lines (one object a line) is expected.",
        source=source,
        line=1,
        remedy="Convert it, for instance with: jq -c '.[]' old.json > new.jsonl",
    )


_DECODER = json.JSONDecoder(object_pairs_hook=_object)
