"""Parts of a run from Python values, in place of files."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from textlora.config import DataConfig
from textlora.data.columns import find_columns
from textlora.data.loading import Parts, parts_from_tables
from textlora.data.reading import table_from_python
from textlora.data.tables import ReadOptions
from textlora.errors import DataError

_FRAME = "the DataFrame"


def parts_from_python(
    texts: Any,
    labels: Sequence[Any] | None,
    validation: tuple[Sequence[str], Sequence[Any]] | None,
    data: DataConfig,
) -> Parts:
    """Check and label texts in memory; without validation rows some are split off.

    Args:
        texts: list, array or Series of strings, or a DataFrame whose columns are found by name.
        labels: a label a text; None takes those of the DataFrame.
        validation: texts and labels, or None.
        data: the settings; its sources are not read. No test part is made.

    Raises:
        DataError: a text or label cannot be used.
    """
    read = partial(table_from_python, on_bad_rows=data.on_bad_rows, strip_html=data.strip_html)
    train = read(*_columns_of(texts, labels, data))
    held_out = None if validation is None else read(*_columns_of(*validation, data))
    return parts_from_tables(train, held_out, None, data.model_copy(update={"test_size": 0.0}))


def _columns_of(texts: Any, labels: Any, data: DataConfig) -> tuple[Any, Any]:
    """Return text and label column of a DataFrame; anything else as it is."""
    if not hasattr(texts, "columns"):
        if labels is None:
            raise DataError("there are no labels.", source="texts", remedy="Give a label a text.")
        return texts, labels
    options = ReadOptions(
        text_column=data.text_column,
        label_column=data.label_column if labels is None else None,
        labelled=labels is None,
    )
    columns = find_columns([str(name) for name in texts.columns], options, _FRAME)
    return texts[columns.text], texts[columns.label] if labels is None else labels


def texts_from_python(texts: Any, text_column: str | None = None) -> list[str]:
    """Return texts to predict as a list.

    Args:
        texts: list, array or Series of strings, or a DataFrame with a text column.
        text_column: the DataFrame's column of texts; found by name if None.

    Raises:
        DataError: it is something else, or one of the texts is no string.
    """
    if hasattr(texts, "columns"):
        columns = find_columns(
            list(texts.columns), ReadOptions(text_column=text_column, labelled=False), _FRAME
        )
        texts = texts[columns.text]
    if isinstance(texts, str) or getattr(texts, "ndim", 1) != 1:
        raise DataError("the texts are no list.", source="texts", remedy="Give a list of texts.")
    listed = list(texts)
    for row, text in enumerate(listed):
        if not isinstance(text, str):
            raise DataError(
                f"the text with index {row} is no string but a {type(text).__name__}.",
                source="texts",
                remedy="Drop it, or make it a string.",
            )
    return [str(text) for text in listed]
