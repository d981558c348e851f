"""One module a file format: each has one reader, which streams, and one writer.

`train` loads a table, `inspect --fix` copies a file without some of its rows, and `score` reads
chunks and writes shards; all of them go through here.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from textlora.data.formats.csv import CsvFile, CsvWriter
from textlora.data.formats.jsonl import JsonLinesFile, JsonLinesWriter
from textlora.data.formats.parquet import ParquetFile, ParquetWriter
from textlora.data.formats.text import LONGEST, Limits, Row
from textlora.data.rows import RawTable
from textlora.data.tables import Columns, ReadOptions
from textlora.errors import DataError

__all__ = ["LONGEST", "Chunk", "Limits", "Row", "TableFile", "Writer"]

Format = type[CsvFile] | type[JsonLinesFile] | type[ParquetFile]

_FORMATS: dict[str, Format] = {
    ".csv": CsvFile,
    ".tsv": CsvFile,
    ".jsonl": JsonLinesFile,
    ".ndjson": JsonLinesFile,
    ".json": JsonLinesFile,
    ".parquet": ParquetFile,
}
SUFFIXES = ".csv, .tsv, .jsonl, .ndjson, .json (one object a line), .parquet"
"""The suffixes as a message lists them."""


class Chunk(Protocol):
    """Rows that are read, answered and written together."""

    def __len__(self) -> int: ...

    @property
    def rows(self) -> Sequence[Row]:
        """The rows."""
        ...

    def cells(self, column: str) -> Sequence[Any]:
        """Return a cell of every row; None where it has none."""
        ...

    def problems(self) -> Sequence[str | None]:
        """Return why rows cannot be taken apart."""
        ...


class TableFile(Protocol):
    """A file of a table, in whatever format."""

    @property
    def name(self) -> str:
        """What the user calls it."""
        ...

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns."""
        ...

    def find(self, options: ReadOptions) -> Columns:
        """Choose the columns; see `find_columns`."""
        ...

    def load(self, options: ReadOptions) -> RawTable:
        """Return the cells of the chosen columns."""
        ...

    def count(self) -> int:
        """Return how many rows there are."""
        ...

    def chunks(self, limits: Limits) -> Iterator[Chunk]:
        """Yield the rows, in their order, cut in the same way every time."""
        ...

    def copy(
        self, to: Path, gone: Container[int], column: str | None, change: Callable[[Any], Any]
    ) -> None:
        """Write the file without some rows, and with the cells of a column changed.

        Args:
            to: the copy, in the format and encoding of the file.
            gone: the lines, or numbers, of the rows that are left out.
            column: the column to change; None: none.
            change: returns the new cell; what it leaves alone keeps its bytes.
        """
        ...


class Writer(Protocol):
    """Writes the rows of a file with further columns."""

    def encode(self, chunk: Chunk, further: Sequence[Mapping[str, Any]]) -> bytes:
        """Return a shard: the rows of a chunk, each with its further cells."""
        ...

    def join(self, shards: Iterable[Path], out: Path) -> None:
        """Write the shards as one file."""
        ...


def format_of(name: str | Path) -> Format | None:
    """Return the format of a file, by its suffix; None where that says nothing."""
    return _FORMATS.get(Path(name).suffix.lower())


def open_file(
    path: Path,
    name: str,
    options: ReadOptions,
    *,
    longest: int | None = None,
    accepted: str = f"Accepted are {SUFFIXES}.",
) -> TableFile:
    """Open a file in the format of its suffix.

    Args:
        path: the file.
        name: what the user calls it.
        options: delimiter, encoding, header.
        longest: characters that a line or record may have; None: any number.
        accepted: the remedy where the suffix says nothing.

    Raises:
        DataError: the suffix says nothing, or the file cannot be read.
    """
    known = format_of(path)
    if known is None:
        suffix = path.suffix.lower()
        what = f"the file type {suffix}" if suffix else "a file without a suffix"
        raise DataError(f"{what} is not known.", source=name, remedy=accepted)
    return known.open(path, name, options, longest)


def writer_for(
    file: TableFile, out: Path, text_column: str, further: Mapping[str, type], limits: Limits
) -> Writer:
    """Return what writes the rows of a file in the format of the output's suffix.

    Where both are of one format, rows keep their bytes, and columns their types.

    Args:
        file: where the rows come from.
        out: the output.
        text_column: where rows stand that cannot be taken apart.
        further: the further columns, as `str`, `float`, or `list` (of strings).
        limits: of the chunks, where all rows have to be looked at first.
    """
    known = format_of(out)
    if known is CsvFile:
        return CsvWriter.to(out, file, further, text_column)
    if known is JsonLinesFile:
        return JsonLinesWriter(text_column, keep=isinstance(file, JsonLinesFile))
    return ParquetWriter.to(file, further, text_column, limits)
