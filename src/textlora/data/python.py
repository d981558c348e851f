"""Parts of a run from Python values: lists, columns, and a matrix of 0 and 1 for several labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from textlora.config import DataConfig
from textlora.data.labels import LabelSet
from textlora.data.loading import Parts, Weights, parts_from_tables
from textlora.data.sources import table_from_python
from textlora.data.tables import ReadOptions, TextTable, find_columns
from textlora.errors import DataError

IntArray = npt.NDArray[np.int64]

_SOURCE = "labels"
_REMEDY = "Give a matrix of 0 and 1 with one column per label, or a list of lists of label names."


@dataclass(frozen=True)
class Indicators:
    """Which labels each text has.

    Args:
        values: 0 or 1, int `[texts, labels]`.
        names: what the columns are called; None where they are only numbered.
    """

    values: IntArray
    names: tuple[str, ...] | None

    def aligned(self, names: Sequence[str]) -> Indicators:
        """Return the same with the columns in the order of `names`.

        Raises:
            DataError: the columns are others.
        """
        found = self.names or tuple(names)
        if sorted(found) != sorted(names) or len(names) != self.values.shape[1]:
            raise DataError(
                f"the matrix has {self.values.shape[1]} columns"
                + (f" ({', '.join(found)})" if self.names else "")
                + f"; the labels are {', '.join(names)}.",
                source=_SOURCE,
                remedy="Give one column for each of these labels.",
            )
        order = [found.index(name) for name in names]
        return Indicators(self.values[:, order], tuple(names))

    def label_lists(self) -> list[list[str]]:
        """Return the names of each text's labels."""
        names = self.names or numbered(self.values.shape[1])
        return [[names[column] for column in np.flatnonzero(row)] for row in self.values]


def numbered(columns: int) -> tuple[str, ...]:
    """Return the names of columns that have none."""
    return tuple(map(str, range(columns)))


def indicators_of(labels: Any) -> Indicators | None:
    """Return labels that are a matrix as one, and None for one label, or one list, per text.

    Args:
        labels: a 2-D array, a sparse matrix, a DataFrame with more than one column; or a list of
            lists of 0 and 1, all of one length: as names, 0 and 1 would mean the same labels for
            every text.

    Raises:
        DataError: it is a matrix of something else than 0 and 1, or two columns share a name.
    """
    from scipy.sparse import issparse

    names: tuple[str, ...] | None = None
    if hasattr(labels, "columns"):
        names, values = tuple(map(str, labels.columns)), labels.to_numpy()
    elif issparse(labels):
        values = labels.toarray()
    elif getattr(labels, "ndim", 1) == 2 or _are_rows_of_flags(labels):
        values = np.asarray(labels)
    else:
        return None
    _check(values, names)
    return Indicators(values.astype(np.int64), names)


def truth_of(labels: Any, names: Sequence[str]) -> IntArray:
    """Return a matrix, or lists of label names, as 0 and 1 `[texts, labels]`.

    A list with a label that is none of `names` becomes a row of -1, which no prediction equals.

    Raises:
        DataError: a matrix has other columns.
    """
    matrix = indicators_of(labels)
    if matrix is not None:
        return matrix.aligned(names).values
    rows = [[row] if isinstance(row, str) or not np.iterable(row) else row for row in labels]
    members = [{str(label) for label in row} for row in rows]
    truth = np.array([[int(name in row) for name in names] for row in members], np.int64)
    truth = truth.reshape(len(members), len(names))
    truth[[not row <= set(names) for row in members]] = -1
    return truth


def _are_rows_of_flags(labels: Any) -> bool:
    if not isinstance(labels, list | tuple) or not labels:
        return False
    if not all(isinstance(row, list | tuple | np.ndarray) for row in labels):
        return False
    return len(labels[0]) > 1 and all(
        len(row) == len(labels[0])
        and all(not isinstance(flag, str) and flag in (0, 1) for flag in row)
        for row in labels
    )


def _check(values: npt.NDArray[Any], names: tuple[str, ...] | None) -> None:
    if names is not None and len(set(names)) < len(names):
        raise DataError(
            f"two columns have the same name ({', '.join(names)}).",
            source=_SOURCE,
            remedy="Give every label a column name of its own.",
        )
    wrong = np.argwhere(~np.isin(values, (0, 1)))
    if len(wrong):
        row, column = map(int, wrong[0])
        raise DataError(
            f"{values[row, column]!r} is neither 0 nor 1.",
            source=_SOURCE,
            line=row,
            column=str(column) if names is None else names[column],
            remedy=_REMEDY,
        )
    if not values.any():
        raise DataError("no text has a label.", source=_SOURCE, remedy=_REMEDY)


_FRAME = "the DataFrame"


@dataclass(frozen=True)
class _Rows:
    """Texts with one label each, or with several as a matrix."""

    texts: Any
    labels: Any
    matrix: Indicators | None

    @classmethod
    def of(cls, texts: Any, labels: Any, data: DataConfig) -> _Rows:
        """Find the columns of a DataFrame; anything else stays as it is."""
        texts, labels = _columns_of(texts, labels, data)
        labels = _without_a_second_dimension(labels)
        _refuse_continuous(labels)
        return cls(_one_dimensional(texts), labels, indicators_of(labels))

    def aligned(self, names: Sequence[str]) -> _Rows:
        """Return the same with a matrix' columns in this order."""
        return self if self.matrix is None else replace(self, matrix=self.matrix.aligned(names))

    def table(self, data: DataConfig) -> TextTable:
        """Check every row."""
        return table_from_python(
            self.texts,
            self.labels if self.matrix is None else self.matrix.label_lists(),
            on_bad_rows=data.on_bad_rows,
            strip_html=data.strip_html,
        )


def parts_from_python(
    texts: Any,
    labels: Any,
    validation: tuple[Any, Any] | None,
    data: DataConfig,
    sample_weight: Any = None,
) -> Parts:
    """Check and label texts in memory; without validation rows some are split off.

    Args:
        texts: list, array or Series of strings, or a DataFrame whose columns are found by name.
        labels: one label, or one list of labels, per text; or a matrix of 0 and 1, whose columns
            are all classes, even one without a text; None takes those of the DataFrame.
        validation: texts and labels, or None.
        data: the settings; its sources are not read. No test part is made.
        sample_weight: how much each text counts, `[texts]`; those of weight 0 are left out.

    Raises:
        DataError: a text, label or weight cannot be used.
    """
    rows = _Rows.of(texts, labels, data)
    classes = None
    if rows.matrix is not None:
        columns = rows.matrix.values.shape[1]
        names = rows.matrix.names or tuple(data.label_names or numbered(columns))
        rows, classes = rows.aligned(names), LabelSet(names, True, names)
    train, weights = rows.table(data), None
    if sample_weight is not None:
        train, weights = _weighted(train, checked_weights(sample_weight, len(rows.texts)))
    classes = classes or LabelSet.from_table(train, data.label_names)
    held_out = None
    if validation is not None:
        held_out = _Rows.of(*validation, data).aligned(classes.names).table(data)
    return parts_from_tables(
        train,
        held_out,
        None,
        data.model_copy(update={"test_size": 0.0}),
        labels=classes,
        weights=weights,
    )


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
    listed = list(_one_dimensional(texts))
    for row, text in enumerate(listed):
        if not isinstance(text, str):
            raise DataError(
                f"the text with index {row} is no string but a {type(text).__name__}.",
                source="texts",
                remedy="Drop it, or make it a string.",
            )
    return [str(text) for text in listed]


def checked_weights(weights: Any, rows: int) -> Weights:
    """Return weights as an array `[rows]`.

    Raises:
        DataError: they are not one finite, non-negative number per row, or all are 0.
    """

    def error(problem: str, line: int | None = None) -> DataError:
        remedy = "Give one number per text, 0 or more; 2 counts as if the text were there twice."
        return DataError(problem, source="sample_weight", line=line, remedy=remedy)

    try:
        found = np.asarray(weights, dtype=np.float64)
    except (TypeError, ValueError):
        raise error("these are no numbers.") from None
    if found.ndim != 1:
        raise error(f"these have the shape {found.shape}, not one dimension.")
    if len(found) != rows:
        raise error(f"there are {rows} texts and {len(found)} weights.")
    wrong = np.flatnonzero(~(np.isfinite(found) & (found >= 0)))
    if len(wrong):
        raise error(f"{found[wrong[0]]:g} is no weight.", int(wrong[0]))
    if not found.any():
        raise error("all weights are 0; at least one non-zero number is needed.")
    return found


def _weighted(table: TextTable, weights: Weights) -> tuple[TextTable, Weights]:
    """Leave out the rows of weight 0; a row set aside while reading has no weight either."""
    weights = weights[table.lines]
    counted = np.flatnonzero(weights)
    return replace(table.select(counted), rejected=table.rejected), weights[counted]


def _columns_of(texts: Any, labels: Any, data: DataConfig) -> tuple[Any, Any]:
    """Return text and label column of a DataFrame; anything else as it is."""
    if not hasattr(texts, "columns"):
        if labels is None:
            raise DataError(
                "there are no labels: fit requires y to be passed, but the target y is None.",
                source="texts",
                remedy="Give one label per text, or a DataFrame with a column of labels.",
            )
        return texts, labels
    options = ReadOptions(
        text_column=data.text_column,
        label_column=data.label_column if labels is None else None,
        labelled=labels is None,
    )
    columns = find_columns([str(name) for name in texts.columns], options, _FRAME)
    return texts[columns.text], texts[columns.label] if labels is None else labels


def _one_dimensional(texts: Any) -> Any:
    """Return texts as a list, Series or array of one dimension; one column counts as one.

    Raises:
        DataError: they are one string, or a table.
    """
    if isinstance(texts, str | bytes):
        raise DataError("the texts are no list.", source="texts", remedy="Give a list of texts.")
    texts = _as_array(texts)
    shape = getattr(texts, "shape", None)
    if isinstance(texts, np.ndarray) and len(texts.shape) == 2 and texts.shape[1] == 1:
        return texts[:, 0]
    if shape is not None and len(shape) != 1:
        raise DataError(
            f"the texts are an array of shape {tuple(shape)}, not a list of strings.",
            source="texts",
            remedy="Give one string per text; in a Pipeline, put a step that makes texts first.",
        )
    return texts


def _refuse_continuous(labels: Any) -> None:
    """Refuse an array of numbers with a fraction, which are no classes.

    Raises:
        DataError: it is one.
    """
    if getattr(getattr(labels, "dtype", None), "kind", "") != "f":
        return
    numbers = np.asarray(labels).ravel()
    wrong = numbers[np.isfinite(numbers) & (numbers != np.floor(numbers))]
    if len(wrong):
        raise DataError(
            f"these are continuous numbers such as {wrong[0]:g}, not classes.",
            source="labels",
            remedy="Give integers or strings; for regression take another model.",
        )


def _as_array(values: Any) -> Any:
    """Return what can only become an array as one."""
    known = hasattr(values, "tolist") or hasattr(values, "columns")
    return np.asarray(values) if hasattr(values, "__array__") and not known else values


def _without_a_second_dimension(labels: Any) -> Any:
    """Return labels that are a single column as one label per text."""
    labels = _as_array(labels)
    if getattr(labels, "ndim", 1) != 2 or labels.shape[1] != 1:
        return labels
    if hasattr(labels, "iloc"):
        return labels.iloc[:, 0]
    from sklearn.utils import column_or_1d

    return column_or_1d(labels.toarray() if hasattr(labels, "toarray") else labels, warn=True)
