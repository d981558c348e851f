"""Which Arrow types the values of JSON Lines have, over a whole file."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from textlora.scoring.chunks import Rows
from textlora.scoring.texts import printable

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
