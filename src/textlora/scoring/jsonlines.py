"""JSON Lines, in and out: a line keeps its bytes, and the new keys are put before its brace."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

from textlora.data.decoding import stream_lines
from textlora.data.jsonlines import BadLineError, parse_object, refuse_document
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

_BLANK = " \t\r\n"


@dataclass(frozen=True)
class JsonLinesSource:
    """A file with one JSON object a line that is read in chunks.

    Args:
        path: the file.
        name: what the user calls it.
        encoding: its encoding.
        columns: the keys of all lines, in the order in which they turn up.
        text_column: the one with the texts.
        rows: how many lines there are, without blank ones.
    """

    path: Path
    name: str
    encoding: str
    columns: tuple[str, ...]
    text_column: str
    rows: int

    @classmethod
    def open(cls, path: Path, name: str, options: ReadOptions) -> JsonLinesSource:
        """Find the keys and count the lines.

        Raises:
            DataError: the file cannot be read, is one JSON document, or has no object in it.
        """
        lines = stream_lines(path, name, options.encoding, LONGEST)
        start = list(islice(lines, 1))
        refuse_document("".join(start), name)
        keys: dict[str, None] = {}
        rows, first_problem = 0, ""
        for line in chain(start, lines):
            if not line.strip():
                continue
            rows += 1
            try:
                keys.update(dict.fromkeys(parse_object(line)))
            except BadLineError as bad:
                first_problem = first_problem or str(bad)
        if not keys:
            raise DataError(
                f"no line is a JSON object with a text, the first because {first_problem}."
                if first_problem
                else "no line is a JSON object with a text.",
                source=name,
                remedy='Write one object a line, such as {"text": "Good."}.',
            )
        columns = tuple(keys)
        text_column = find_columns(columns, options, name).text
        return cls(path, name, options.encoding, columns, text_column, rows)

    def chunks(self, limits: Limits) -> Iterator[Rows]:
        """Yield the rows, in their order."""
        return group(self._read(), limits)

    def _read(self) -> Iterator[Row]:
        for line in stream_lines(self.path, self.name, self.encoding, LONGEST):
            if not line.strip():
                continue
            try:
                values = parse_object(line)
            except BadLineError as bad:
                yield broken(line, self.text_column, str(bad))
            else:
                yield Row(line, values, values.get(self.text_column))


@dataclass(frozen=True)
class JsonLinesEncoder:
    """Writes JSON Lines.

    Args:
        added: the keys to add.
        keep: lines of the input are JSON, and keep their bytes.
    """

    added: AddedColumns
    keep: bool = False

    def start(self) -> bytes:
        """Return what stands before the first row: nothing."""
        return b""

    def encode(self, content: Content, predictions: Predictions) -> bytes:
        """Return the rows of a chunk with the new keys."""
        if self.keep and isinstance(content, Rows):
            heads = [_raw_head(row) for row in content.rows]
        else:
            heads = [_open_object(jsonable(values)) for values in content.values()]
        lines = []
        for head, answer in zip(heads, predictions, strict=True):
            new = json.dumps(self.added.values(*answer), ensure_ascii=False)
            lines.append(f"{head}{new[1:]}\n")
        return to_bytes("".join(lines))


def _raw_head(row: Row) -> str:
    if row.problem is not None:
        return _open_object(row.values)
    body = row.raw.rstrip(_BLANK).removesuffix("}").rstrip(_BLANK)
    return f"{body}, " if row.values else body


def _open_object(values: dict[str, object]) -> str:
    """Return an object that waits for more keys."""
    body = json.dumps(values, ensure_ascii=False).removesuffix("}")
    return f"{body}, " if values else body
