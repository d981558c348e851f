"""Several labels per text as a matrix of 0 and 1, in scikit-learn's manner."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

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
