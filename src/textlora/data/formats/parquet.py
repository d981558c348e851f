"""Parquet and Arrow: columns stay as they are, nested or dictionary; further ones come behind."""

from __future__ import annotations

import json
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textlora.data.formats.json_types import survey_types, table_of
from textlora.data.formats.jsonl import JsonLinesFile
from textlora.data.formats.text import Chunk, Limits, Row, WithColumns, first_line, unreadable
from textlora.data.rows import RawTable
from textlora.data.tables import Columns, ReadOptions, find_columns
from textlora.errors import DataError

if TYPE_CHECKING:
    import pyarrow


_UNLABELLED_CLASS = -1
# Few rows are decoded at a time, because a row may be a megabyte; and through a buffer, so that a
# row group of any size is never held as a whole.
_BATCH_ROWS = 256
_READ_BUFFER = 1 << 20
# Row groups of the output: large enough for quick readers, small enough for memory.
_GROUP_ROWS = 65_536
_GROUP_BYTES = 64_000_000


@dataclass(frozen=True)
class Batch:
    """A chunk of a Parquet file."""

    table: pyarrow.Table
    first: int

    def __len__(self) -> int:
        return int(self.table.num_rows)

    @property
    def rows(self) -> list[Row]:
        """The rows."""
        names = self.table.column_names
        columns = [_python_values(column) for column in self.table.columns]
        cells = zip(*columns, strict=True)
        return [
            Row(line, dict(zip(names, row, strict=True)))
            for line, row in enumerate(cells, start=self.first)
        ]

    def cells(self, column: str) -> Sequence[Any]:
        """Return a cell of every row."""
        return _python_values(self.table.column(column))

    def problems(self) -> list[str | None]:
        """Return that every row can be taken apart."""
        return [None] * len(self)


@dataclass(frozen=True)
class ParquetFile:
    """A Parquet file; its lines are 1-based row numbers.

    Args:
        path: the file.
        name: what the user calls it.
        schema: its Arrow schema.
        rows: how many rows there are.
    """

    path: Path
    name: str
    schema: pyarrow.Schema
    rows: int

    @classmethod
    def open(
        cls, path: Path, name: str, options: ReadOptions, longest: int | None = None
    ) -> ParquetFile:
        """Read the schema.

        Raises:
            DataError: the file cannot be read, is empty, or is no Parquet.
        """
        with _opened(path, name) as file:
            return cls(path, name, file.schema_arrow, int(file.metadata.num_rows))

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns."""
        return tuple(self.schema.names)

    def find(self, options: ReadOptions) -> Columns:
        """Choose the columns; see `find_columns`."""
        return find_columns(self.columns, options, self.name)

    def load(self, options: ReadOptions) -> RawTable:
        """Return the cells of the chosen columns."""
        columns = self.find(options)
        with _opened(self.path, self.name) as file:
            table = file.read(columns=columns.chosen)
        names = _names_in_metadata(self.schema.metadata or {}, columns.label)
        return raw_table(table, self.name, columns, names)

    def count(self) -> int:
        """Return how many rows there are.

        Raises:
            DataError: there are none.
        """
        if not self.rows:
            raise DataError("there are no rows in it.", source=self.name, remedy="Add some rows.")
        return self.rows

    def chunks(self, limits: Limits) -> Iterator[Batch]:
        """Yield the rows, in their order."""
        import pyarrow

        held: list[Any] = []
        first, rows, size = 1, 0, 0
        with _opened(self.path, self.name, buffer_size=_READ_BUFFER) as file:
            for batch in file.iter_batches(batch_size=min(_BATCH_ROWS, limits.rows)):
                full = rows + batch.num_rows > limits.rows or size >= limits.characters
                if rows and full:
                    yield Batch(pyarrow.Table.from_batches(held), first)
                    held, first, rows, size = [], first + rows, 0, 0
                held.append(batch)
                rows += batch.num_rows
                size += batch.nbytes
        if held:
            yield Batch(pyarrow.Table.from_batches(held), first)

    def copy(
        self, to: Path, gone: Container[int], column: str | None, change: Callable[[Any], Any]
    ) -> None:
        """Write the file without some rows, and with the cells of a column changed: as CSV's."""
        with _opened(self.path, self.name) as file:
            schema = file.read_row_groups([]).schema  # with all metadata, unlike `schema_arrow`
        tables = (chunk.table for chunk in self.chunks(Limits()))
        copy_tables(tables, schema, to, gone, column, change)


def copy_tables(
    tables: Iterable[pyarrow.Table],
    schema: pyarrow.Schema,
    to: Path,
    gone: Container[int],
    column: str | None,
    change: Callable[[Any], Any],
) -> None:
    """Write tables as one Parquet file; as `CsvFile.copy`."""
    import pyarrow

    def copied() -> Iterator[pyarrow.Table]:
        first = 1
        for table in tables:
            stay = [row for row in range(table.num_rows) if first + row not in gone]
            first += table.num_rows
            table = table.take(stay)
            if column is not None:
                place = schema.get_field_index(column)
                cells = [change(cell) for cell in table.column(place).to_pylist()]
                field = schema.field(place)
                table = table.set_column(place, field, pyarrow.array(cells, field.type))
            yield table

    _write(copied(), schema, to)


def raw_table(
    table: pyarrow.Table, source: str, columns: Columns, names: list[str] | None
) -> RawTable:
    """Return the cells of the chosen columns; the lines are 1-based row numbers.

    Args:
        table: the table.
        source: its name, for messages.
        columns: the columns.
        names: names of the classes 0, 1, 2 …, where they are known.
    """
    labels = None if columns.label is None else _python_values(table.column(columns.label))
    if labels is not None and names is not None:
        # Datasets with named classes mark rows without a label, such as GLUE's tests, by -1.
        labels = [None if value == _UNLABELLED_CLASS else value for value in labels]
    return RawTable(
        source=source,
        text_column=columns.text,
        label_column=columns.label,
        lines=range(1, table.num_rows + 1),
        texts=_python_values(table.column(columns.text)),
        labels=labels,
        label_names=names,
    )


@dataclass(frozen=True)
class ParquetWriter:
    """Writes Arrow streams as shards, and Parquet of them.

    Args:
        schema: of the input's columns.
        further: the columns behind them, as `str`, `float`, or `list` (of strings).
        text_column: in which rows stand that cannot be taken apart.
    """

    schema: pyarrow.Schema
    further: Mapping[str, type]
    text_column: str

    @classmethod
    def to(
        cls, file: WithColumns, further: Mapping[str, type], text_column: str, limits: Limits
    ) -> ParquetWriter:
        """Return what writes the rows of a file; Parquet keeps its types, CSV is strings."""
        import pyarrow

        if isinstance(file, ParquetFile):
            schema = file.schema
        elif isinstance(file, JsonLinesFile):
            schema = survey_types(file.columns, file.chunks(limits), text_column)
        else:
            schema = pyarrow.schema([(name, "string") for name in file.columns])
        return cls(schema, further, text_column)

    def encode(self, chunk: Chunk, further: Sequence[Mapping[str, Any]]) -> bytes:
        """Return the rows of a chunk with their further cells, as an Arrow stream."""
        import pyarrow

        if isinstance(chunk, Batch):
            table = chunk.table
        else:
            table = table_of([row.cells(self.text_column) for row in chunk.rows], self.schema)
        for field in self._further_fields():
            column = pyarrow.array([row[field.name] for row in further], type=field.type)
            table = table.append_column(field, column)
        sink = pyarrow.BufferOutputStream()
        options = pyarrow.ipc.IpcWriteOptions(compression="zstd", unify_dictionaries=True)
        with pyarrow.ipc.new_stream(sink, table.schema, options=options) as writer:
            writer.write_table(table)
        return bytes(sink.getvalue())

    def join(self, shards: Iterable[Path], out: Path) -> None:
        """Write the shards as one Parquet file."""
        _write(_tables_of(shards), self._whole_schema(), out)

    def _further_fields(self) -> list[pyarrow.Field]:
        import pyarrow

        types = {str: pyarrow.string(), float: pyarrow.float32()}
        types[list] = pyarrow.list_(pyarrow.string())
        return [pyarrow.field(name, types[kind]) for name, kind in self.further.items()]

    def _whole_schema(self) -> pyarrow.Schema:
        schema = self.schema
        for field in self._further_fields():
            schema = schema.append(field)
        metadata = dict(schema.metadata or {})
        features = _with_features(metadata.pop(b"huggingface", None), self.further)
        return schema.with_metadata({**metadata, **features} or None)


@contextmanager
def _opened(path: Path, source: str, **options: Any) -> Iterator[Any]:
    """Open a Parquet file; what goes wrong while it is read is the user's to mend."""
    import pyarrow
    import pyarrow.parquet

    try:
        if path.stat().st_size == 0:
            raise DataError("the file is empty.", source=source, remedy="Write it again.")
        with pyarrow.parquet.ParquetFile(path, **options) as file:
            yield file
    except (pyarrow.ArrowException, OSError) as error:
        # Arrow raises an OSError for damaged pages, too: only the system's have a number.
        if getattr(error, "errno", None) is not None:
            raise unreadable(error, source) from None
        raise DataError(
            f"it is not a Parquet file, or a damaged one ({first_line(error)}).",
            source=source,
            remedy="Write it again.",
        ) from None


def _write(tables: Iterable[pyarrow.Table], schema: pyarrow.Schema, out: Path) -> None:
    """Write tables as one Parquet file, in row groups of a bounded size."""
    import pyarrow.parquet

    def write(held: list[Any]) -> None:
        table = pyarrow.concat_tables(held).unify_dictionaries().cast(schema)
        writer.write_table(table, row_group_size=len(table))

    held: list[Any] = []
    rows = size = 0
    with out.open("wb") as file, pyarrow.parquet.ParquetWriter(file, schema) as writer:
        for table in tables:
            held.append(table)
            rows += table.num_rows
            size += table.nbytes
            if rows >= _GROUP_ROWS or size >= _GROUP_BYTES:
                write(held)
                held, rows, size = [], 0, 0
        if rows:
            write(held)


def _tables_of(shards: Iterable[Path]) -> Iterator[pyarrow.Table]:
    import pyarrow

    for path in shards:
        with pyarrow.OSFile(str(path)) as file, pyarrow.ipc.open_stream(file) as stream:
            yield stream.read_all()


def _with_features(features: bytes | None, further: Mapping[str, type]) -> dict[bytes, bytes]:
    """Return what `datasets` says of the columns in a file's metadata, with the new ones.

    Without them it would refuse the file.
    """
    try:
        known = json.loads(features or b"")
        columns = known["info"]["features"]
    except (ValueError, KeyError, TypeError):
        return {}
    text = {"dtype": "string", "_type": "Value"}
    known_as = {
        str: text,
        float: {"dtype": "float32", "_type": "Value"},
        list: {"feature": text, "_type": "List"},
    }
    columns.update({name: known_as[kind] for name, kind in further.items()})
    return {b"huggingface": json.dumps(known).encode()}


def _python_values(column: pyarrow.ChunkedArray) -> list[Any]:
    """Return a column's values; strings that are no UTF-8 keep their bytes as lone surrogates."""
    import pyarrow

    try:
        return list(column.to_pylist())
    except UnicodeDecodeError:
        if pyarrow.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        cells = column.cast(pyarrow.large_binary()).to_pylist()
        return [None if cell is None else cell.decode("utf-8", "surrogateescape") for cell in cells]


def _names_in_metadata(metadata: dict[bytes, bytes], label: str | None) -> list[str] | None:
    # Files written by `datasets` say what the class numbers mean; others have no such entry.
    try:
        features = json.loads(metadata[b"huggingface"])["info"]["features"]
        feature = features[label]
        names = feature.get("feature", feature)["names"]
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
    return [str(name) for name in names] if isinstance(names, list) and names else None
