"""Parts of a run from Python values, in place of files."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from textlora.config import DataConfig
from textlora.data.loading import Parts, parts_from_tables
from textlora.data.reading import table_from_python
from textlora.errors import DataError


def parts_from_python(
    texts: Sequence[str],
    labels: Sequence[Any],
    validation: tuple[Sequence[str], Sequence[Any]] | None,
    data: DataConfig,
) -> Parts:
    """Check and label texts in memory; without validation rows some are split off.

    Args:
        texts: lists, arrays or Series of strings.
        labels: a label a text.
        validation: texts and labels, or None.
        data: the settings; its sources are not read. No test part is made.

    Raises:
        DataError: a text or label cannot be used.
    """
    read = partial(table_from_python, on_bad_rows=data.on_bad_rows, strip_html=data.strip_html)
    train = read(texts, labels)
    held_out = None if validation is None else read(*validation)
    return parts_from_tables(train, held_out, None, data.model_copy(update={"test_size": 0.0}))


def texts_from_python(texts: Sequence[str]) -> list[str]:
    """Return texts to predict as a list.

    Args:
        texts: list, array or Series of strings.

    Raises:
        DataError: it is something else, or one of the texts is no string.
    """
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
