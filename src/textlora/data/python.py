"""Parts of a run from Python values, in place of files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from textlora.config import DataConfig
from textlora.data.loading import Parts, parts_from_tables
from textlora.data.reading import table_from_python


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
    train = table_from_python(texts, labels)
    held_out = None if validation is None else table_from_python(*validation)
    return parts_from_tables(train, held_out, None, data.model_copy(update={"test_size": 0.0}))
