"""One module a file format: each has one reader, which streams, and one writer.

`train` loads a table (`load`), `inspect --fix` copies a file without some of its rows (`copy`), and
`score` reads it in chunks, turns each into a shard (`encode`) and makes one file of them (`join`).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from textlora.data.formats.csv import CsvFile, CsvWriter
from textlora.data.formats.jsonl import JsonLinesFile, JsonLinesWriter
from textlora.data.formats.parquet import ParquetFile, ParquetWriter
from textlora.data.formats.text import LONGEST, Chunk, Limits
from textlora.data.tables import ReadOptions
from textlora.errors import DataError

__all__ = ["LONGEST", "Chunk", "Limits"]

TableFile = CsvFile | JsonLinesFile | ParquetFile
Writer = CsvWriter | JsonLinesWriter | ParquetWriter
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
