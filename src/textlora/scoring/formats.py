"""Which format a file has, what reads it, and what writes it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from textlora.data.delimited import delimiter_of
from textlora.data.reading import find_file
from textlora.data.tables import ReadOptions
from textlora.errors import ConfigError, DataError
from textlora.scoring.added import AddedColumns
from textlora.scoring.chunks import Content, Limits, Predictions
from textlora.scoring.delimited import DelimitedEncoder, DelimitedSource
from textlora.scoring.jsonlines import JsonLinesEncoder, JsonLinesSource
from textlora.scoring.parquet import ParquetEncoder, ParquetSource, survey_types

Kind = Literal["delimited", "jsonlines", "parquet"]

_KINDS: dict[str, Kind] = {
    ".csv": "delimited",
    ".tsv": "delimited",
    ".jsonl": "jsonlines",
    ".ndjson": "jsonlines",
    ".json": "jsonlines",
    ".parquet": "parquet",
}


def is_delimited(name: str) -> bool:
    """Say whether a file is a text table, by its suffix."""
    return _KINDS.get(Path(name).suffix.lower()) == "delimited"


class Source(Protocol):
    """A file that is read in chunks."""

    @property
    def name(self) -> str:
        """What the user calls it."""
        ...

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns."""
        ...

    @property
    def text_column(self) -> str:
        """The column with the texts."""
        ...

    @property
    def rows(self) -> int:
        """How many rows there are."""
        ...

    def chunks(self, limits: Limits) -> Iterator[Content]:
        """Yield the rows, in their order, cut in the same way every time."""
        ...


@dataclass(frozen=True)
class Output:
    """How the output is written.

    Args:
        encode: turns a chunk and its answers into the bytes of a shard.
        join: writes the shards as one file.
    """

    encode: Callable[[Content, Predictions], bytes]
    join: Callable[[Iterable[Path], Path], None]


def open_source(name: str, options: ReadOptions) -> Source:
    """Open the file to score, and look through it once.

    Raises:
        DataError: it cannot be read, or lacks the column.
    """
    path = find_file(name)
    kind = _KINDS.get(path.suffix.lower())
    if kind is None:
        raise DataError(
            f"the file type {path.suffix or '(none)'} is not known.",
            source=name,
            remedy="Accepted are .csv, .tsv, .jsonl, .ndjson, .json (one object a line), .parquet.",
        )
    if kind == "delimited":
        return DelimitedSource.open(path, name, options)
    if kind == "jsonlines":
        return JsonLinesSource.open(path, name, options)
    return ParquetSource.open(path, name, options)


def check_output(out: Path) -> None:
    """Refuse a suffix that names no format.

    Raises:
        ConfigError: it does not.
    """
    if out.suffix.lower() not in _KINDS:
        raise ConfigError(
            f"--out {out}: the suffix says how the output is written, and this one says nothing.",
            "Accepted are .csv, .tsv, .jsonl, .ndjson, .json (one object a line), .parquet.",
        )


def make_output(source: Source, out: Path, added: AddedColumns, limits: Limits) -> Output:
    """Return what writes the rows of a source in the format of the output's suffix.

    Where both are of one format, rows keep their bytes, and columns their types.
    """
    kind = _KINDS[out.suffix.lower()]
    if kind == "parquet":
        parquet = _parquet(source, added, limits)
        return Output(parquet.encode, parquet.join)
    if kind == "jsonlines":
        lines = JsonLinesEncoder(added, keep=isinstance(source, JsonLinesSource))
        return Output(lines.encode, _concatenation(lines.start()))
    table = _delimited(source, out, added)
    return Output(table.encode, _concatenation(table.start()))


def _delimited(source: Source, out: Path, added: AddedColumns) -> DelimitedEncoder:
    if isinstance(source, DelimitedSource) and source.path.suffix.lower() == out.suffix.lower():
        return DelimitedEncoder(added, source.columns, source.delimiter, source)
    return DelimitedEncoder(added, source.columns, delimiter_of(out, str(out), None))


def _parquet(source: Source, added: AddedColumns, limits: Limits) -> ParquetEncoder:
    import pyarrow

    if isinstance(source, ParquetSource):
        return ParquetEncoder(added, source.schema)
    if isinstance(source, JsonLinesSource):
        return ParquetEncoder(added, survey_types(source.columns, source.chunks(limits)))
    return ParquetEncoder(added, pyarrow.schema([(name, "string") for name in source.columns]))


def _concatenation(start: bytes) -> Callable[[Iterable[Path], Path], None]:
    def join(shards: Iterable[Path], out: Path) -> None:
        with out.open("wb") as whole:
            whole.write(start)
            for shard in shards:
                with shard.open("rb") as part:
                    shutil.copyfileobj(part, whole, 1 << 20)

    return join
