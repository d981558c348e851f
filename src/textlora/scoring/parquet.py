"""Parquet, in and out: columns stay as they are, nested or dictionary, and new ones come behind."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textlora.data.columnar import open_parquet
from textlora.data.decoding import first_line
from textlora.data.tables import ReadOptions, find_columns
from textlora.errors import DataError
from textlora.scoring.added import AddedColumns
from textlora.scoring.chunks import Content, Limits, Predictions, Rows, printable

if TYPE_CHECKING:
    import pyarrow


def survey_types(columns: Iterable[str], chunks: Iterable[Rows]) -> pyarrow.Schema:
    """Return a schema that all rows fit.

    A column whose values are of kinds that do not go together, or of one that Parquet does not
    have, is a string column: what is no string in it is written as JSON.

    Args:
        columns: the keys.
        chunks: all rows.
    """
    import pyarrow

    types: dict[str, Any] = dict.fromkeys(columns, pyarrow.null())
    for chunk in chunks:
        values = chunk.values()
        for name, known in types.items():
            types[name] = _common(known, [storable(row.get(name)) for row in values])
    return pyarrow.schema(list(types.items()))


def storable(value: Any) -> Any:
    """Return a value whose strings Arrow can hold."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, dict):
        return {printable(key): storable(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [storable(inner) for inner in value]
    return value


def _common(known: pyarrow.DataType, values: list[Any]) -> pyarrow.DataType:
    import pyarrow

    try:
        found = pyarrow.array(values).type
        schemas = [pyarrow.schema([("value", one)]) for one in (known, found)]
        both = pyarrow.unify_schemas(schemas, promote_options="permissive").field(0).type
    except (pyarrow.ArrowException, TypeError, ValueError, OverflowError):
        return pyarrow.string()
    return pyarrow.string() if _has_empty_object(both) else both


def _has_empty_object(kind: pyarrow.DataType) -> bool:
    import pyarrow

    if pyarrow.types.is_struct(kind):
        return kind.num_fields == 0 or any(_has_empty_object(field.type) for field in kind)
    return bool(pyarrow.types.is_list(kind)) and _has_empty_object(kind.value_type)


# Few rows are decoded at a time, because a row may be a megabyte.
_BATCH_ROWS = 256
_READ_BUFFER = 1 << 20
# Row groups of the output: large enough for quick readers, small enough for memory.
_GROUP_ROWS = 65_536
_GROUP_BYTES = 64_000_000


@dataclass(frozen=True)
class TableContent:
    """A chunk of a Parquet file."""

    table: pyarrow.Table
    text_column: str

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def values(self) -> list[dict[str, Any]]:
        """Return the cells of every row, by column."""
        names = self.table.column_names
        columns = [_python_values(column) for column in self.table.columns]
        return [dict(zip(names, cells, strict=True)) for cells in zip(*columns, strict=True)]

    def texts(self) -> Sequence[object]:
        """Return the cell of the text column of every row."""
        return _python_values(self.table.column(self.text_column))

    def problems(self) -> list[str | None]:
        """Return that every row can be taken apart."""
        return [None] * len(self)


@dataclass(frozen=True)
class ParquetSource:
    """A Parquet file that is read in chunks.

    Args:
        path: the file.
        name: what the user calls it.
        schema: its Arrow schema.
        text_column: the column with the texts.
        rows: how many rows there are.
    """

    path: Path
    name: str
    schema: pyarrow.Schema
    text_column: str
    rows: int

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns."""
        return tuple(self.schema.names)

    @classmethod
    def open(cls, path: Path, name: str, options: ReadOptions) -> ParquetSource:
        """Read the schema.

        Raises:
            DataError: the file cannot be read, its columns are not there, or it has no rows.
        """
        with open_parquet(path, name) as file:
            schema, rows = file.schema_arrow, int(file.metadata.num_rows)
        text_column = find_columns(schema.names, options, name).text
        if not rows:
            raise DataError("there are no rows in it.", source=name, remedy="Add some rows.")
        return cls(path, name, schema, text_column, rows)

    def chunks(self, limits: Limits) -> Iterator[TableContent]:
        """Yield the rows, in their order."""
        import pyarrow

        held: list[Any] = []
        rows = size = 0
        with self._opened() as file:
            for batch in file.iter_batches(batch_size=min(_BATCH_ROWS, limits.rows)):
                if rows and rows + batch.num_rows > limits.rows:
                    yield self._content(pyarrow.Table.from_batches(held))
                    held, rows, size = [], 0, 0
                held.append(batch)
                rows += batch.num_rows
                size += batch.nbytes
                if rows >= limits.rows or size >= limits.characters:
                    yield self._content(pyarrow.Table.from_batches(held))
                    held, rows, size = [], 0, 0
        if held:
            yield self._content(pyarrow.Table.from_batches(held))

    def _opened(self) -> AbstractContextManager[Any]:
        # Through a buffer, so that a row group of any size is never held as a whole.
        return open_parquet(self.path, self.name, buffer_size=_READ_BUFFER)

    def _content(self, table: pyarrow.Table) -> TableContent:
        return TableContent(table, self.text_column)


@dataclass(frozen=True)
class ParquetEncoder:
    """Writes Arrow streams as shards, and Parquet of them.

    Args:
        added: the columns to add.
        schema: of the input's columns.
    """

    added: AddedColumns
    schema: pyarrow.Schema

    def encode(self, content: Content, predictions: Predictions) -> bytes:
        """Return the rows of a chunk with the new columns, as an Arrow stream."""
        import pyarrow

        if isinstance(content, TableContent):
            table = content.table
        else:
            table = _table_of(content.values(), self.schema)
        rows = [self.added.values(*answer) for answer in predictions]
        for field in self._added_fields():
            column = pyarrow.array([row[field.name] for row in rows], type=field.type)
            table = table.append_column(field, column)
        sink = pyarrow.BufferOutputStream()
        options = pyarrow.ipc.IpcWriteOptions(compression="zstd", unify_dictionaries=True)
        with pyarrow.ipc.new_stream(sink, table.schema, options=options) as writer:
            writer.write_table(table)
        return bytes(sink.getvalue())

    def join(self, shards: Iterable[Path], out: Path) -> None:
        """Write the shards as one Parquet file."""
        import pyarrow.parquet

        schema = self._whole_schema()
        with out.open("wb") as file, pyarrow.parquet.ParquetWriter(file, schema) as writer:
            for table in _row_groups(shards):
                writer.write_table(table.cast(schema), row_group_size=len(table))

    def _added_fields(self) -> list[pyarrow.Field]:
        import pyarrow

        label = pyarrow.list_(pyarrow.string()) if self.added.multi_label else pyarrow.string()
        shares = [pyarrow.field(name, pyarrow.float32()) for name in self.added.probabilities]
        error = pyarrow.field(self.added.error, pyarrow.string())
        return [pyarrow.field(self.added.label, label), *shares, error]

    def _whole_schema(self) -> pyarrow.Schema:
        schema = self.schema
        for field in self._added_fields():
            schema = schema.append(field)
        metadata = dict(schema.metadata or {})
        features = _with_features(metadata.get(b"huggingface"), self.added)
        metadata.pop(b"huggingface", None)
        return schema.with_metadata({**metadata, **features} or None)


def _row_groups(shards: Iterable[Path]) -> Iterator[pyarrow.Table]:
    import pyarrow

    held: list[Any] = []
    rows = size = 0
    for path in shards:
        with pyarrow.OSFile(str(path)) as file, pyarrow.ipc.open_stream(file) as stream:
            table = stream.read_all()
        held.append(table)
        rows += table.num_rows
        size += table.nbytes
        if rows >= _GROUP_ROWS or size >= _GROUP_BYTES:
            yield pyarrow.concat_tables(held).unify_dictionaries()
            held, rows, size = [], 0, 0
    if held:
        yield pyarrow.concat_tables(held).unify_dictionaries()


def _table_of(rows: list[dict[str, Any]], schema: pyarrow.Schema) -> pyarrow.Table:
    """Return rows of a text file as a table; values of a string column are strings or JSON."""
    import pyarrow

    columns = []
    for field in schema:
        values = [storable(row.get(field.name)) for row in rows]
        if field.type == pyarrow.string():
            values = [_as_string(value) for value in values]
        columns.append(_array(values, field))
    return pyarrow.Table.from_arrays(columns, schema=schema)


def _as_string(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def _array(values: list[Any], field: pyarrow.Field) -> pyarrow.Array:
    import pyarrow

    try:
        return pyarrow.array(values, type=field.type)
    except (pyarrow.ArrowException, TypeError, ValueError, OverflowError) as error:
        raise DataError(
            f"a value does not fit a column of the type {field.type} ({first_line(error)}).",
            source="--out",
            column=field.name,
            remedy="Write .jsonl, which keeps every value as it is.",
        ) from None


def _with_features(features: bytes | None, added: AddedColumns) -> dict[bytes, bytes]:
    """Return what `datasets` says of the columns in a file's metadata, with the new ones.

    Without them it would refuse the file.
    """
    try:
        known = json.loads(features or b"")
        columns = known["info"]["features"]
    except (ValueError, KeyError, TypeError):
        return {}
    text: Any = {"dtype": "string", "_type": "Value"}
    label = {"feature": text, "_type": "List"} if added.multi_label else text
    share = {"dtype": "float32", "_type": "Value"}
    columns[added.label] = label
    columns.update(dict.fromkeys(added.probabilities, share))
    columns[added.error] = text
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
