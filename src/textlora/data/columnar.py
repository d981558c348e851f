"""Arrow tables: Parquet files, and datasets saved to a folder or loaded from the Hub."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from textlora.data.decoding import first_line, unreadable
from textlora.data.rows import RawTable
from textlora.data.tables import ReadOptions, find_columns
from textlora.errors import DataError

_UNLABELLED_CLASS = -1


def read_parquet(path: Path, source: str, options: ReadOptions) -> RawTable:
    """Read the chosen columns of a Parquet file.

    Args:
        path: the file.
        source: its name, for messages.
        options: the columns.

    Returns:
        The cells; the lines are 1-based row numbers.

    Raises:
        DataError: the file cannot be read, is no Parquet, or lacks the columns.
    """
    with open_parquet(path, source) as file:
        schema = file.schema_arrow
        columns = find_columns(schema.names, options, source)
        wanted = [name for name in (columns.text, columns.label) if name is not None]
        table = file.read(columns=wanted)
    names = _names_in_metadata(schema.metadata or {}, columns.label)
    return _from_arrow(table, source, columns.text, columns.label, names)


@contextmanager
def open_parquet(path: Path, source: str, **options: Any) -> Iterator[Any]:
    """Open a Parquet file; what goes wrong while it is read is the user's to mend.

    Args:
        path: the file.
        source: its name, for messages.
        options: of `pyarrow.parquet.ParquetFile`.

    Yields:
        The `ParquetFile`.

    Raises:
        DataError: it cannot be read, is empty, or is no Parquet.
    """
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


def rows_of_dataset(dataset: Any, source: str, options: ReadOptions) -> RawTable:
    """Take the chosen columns out of a `datasets.Dataset`.

    Args:
        dataset: the dataset.
        source: its name, for messages.
        options: the columns.

    Returns:
        The cells; the lines are 1-based row numbers.

    Raises:
        DataError: it lacks the columns.
    """
    columns = find_columns(dataset.column_names, options, source)
    wanted = [name for name in (columns.text, columns.label) if name is not None]
    # The Arrow format follows the indices of a shuffled or selected dataset.
    table = dataset.select_columns(wanted).with_format("arrow")[:]
    names = _names_of_feature(dataset.features.get(columns.label))
    return _from_arrow(table, source, columns.text, columns.label, names)


def _from_arrow(
    table: Any, source: str, text: str, label: str | None, names: list[str] | None
) -> RawTable:
    labels = None if label is None else table.column(label).to_pylist()
    if labels is not None and names is not None:
        # Datasets with named classes mark rows without a label, such as GLUE's tests, by -1.
        labels = [None if value == _UNLABELLED_CLASS else value for value in labels]
    return RawTable(
        source=source,
        text_column=text,
        label_column=label,
        lines=range(1, table.num_rows + 1),
        texts=table.column(text).to_pylist(),
        labels=labels,
        label_names=names,
    )


def _names_of_feature(feature: Any) -> list[str] | None:
    inner = getattr(feature, "feature", feature)
    names: Sequence[str] | None = getattr(inner, "names", None)
    return list(names) if names else None


def _names_in_metadata(metadata: dict[bytes, bytes], label: str | None) -> list[str] | None:
    # Files written by `datasets` say what the class numbers mean; others have no such entry.
    try:
        features = json.loads(metadata[b"huggingface"])["info"]["features"]
        feature = features[label]
        names = feature.get("feature", feature)["names"]
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
    return [str(name) for name in names] if isinstance(names, list) and names else None
