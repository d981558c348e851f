"""Rows of a text file as an Arrow table: the types that their values have."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from textlora.data.formats.text import Chunk, first_line
from textlora.data.tables import printable
from textlora.errors import DataError

if TYPE_CHECKING:
    import pyarrow


def survey_types(
    columns: Iterable[str], chunks: Iterable[Chunk], text_column: str
) -> pyarrow.Schema:
    """Return a schema that all rows fit.

    A column whose values are of kinds that do not go together, or of one that Parquet does not
    have, is a string column: what is no string in it is written as JSON.
    """
    import pyarrow

    types: dict[str, Any] = dict.fromkeys(columns, pyarrow.null())
    for chunk in chunks:
        values = [row.cells(text_column) for row in chunk.rows]
        for name, known in types.items():
            types[name] = _common(known, [_storable(row.get(name)) for row in values])
    return pyarrow.schema(list(types.items()))


def _storable(value: Any) -> Any:
    """Return a value whose strings Arrow can hold."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, dict):
        return {printable(key): _storable(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_storable(inner) for inner in value]
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


def table_of(rows: list[dict[str, Any]], schema: pyarrow.Schema) -> pyarrow.Table:
    """Return rows of a text file as a table; values of a string column are strings or JSON."""
    import pyarrow

    columns = []
    for field in schema:
        values = [_storable(row.get(field.name)) for row in rows]
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
