"""Out-of-fold probabilities: every row answered by a model that did not see it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from textlora.data.copies import text_groups
from textlora.data.labels import Targets
from textlora.data.splitting import Indices
from textlora.errors import ConfigError, DataError

Probabilities = npt.NDArray[np.float64]
FitPredict = Callable[[Indices, Indices], npt.NDArray[Any]]
"""Trains on the rows of the first argument, returns `[rows, classes]` for those of the second."""


@dataclass(frozen=True)
class Folds:
    """Which rows are answered together.

    Args:
        of_row: the fold of every row, int64 `[rows]`.
        count: how many folds there are.
    """

    of_row: Indices
    count: int

    def rest(self, fold: int) -> Indices:
        """Return the rows to train on before a fold is answered."""
        return np.flatnonzero(self.of_row != fold).astype(np.int64)

    def held_out(self, fold: int) -> Indices:
        """Return the rows of a fold."""
        return np.flatnonzero(self.of_row == fold).astype(np.int64)


def make_folds(
    texts: Sequence[str],
    targets: Targets,
    count: int,
    seed: int,
    *,
    names: Sequence[str],
    source: str,
) -> Folds:
    """Deal rows into folds, with the classes in the same proportion in each.

    Rows with the same text go into the same fold, or the model would have seen the text and,
    mostly, the same wrong label. Multi-label rows are dealt without regard to their classes.

    Args:
        texts: one a row.
        targets: class ids `[rows]`, or multi-label indicators `[rows, classes]`.
        count: how many folds.
        seed: the same seed gives the same folds.
        names: the class names, for messages.
        source: where the rows come from, for messages.

    Raises:
        ConfigError: fewer than two folds.
        DataError: a class has fewer different texts than there are folds.
    """
    from sklearn import model_selection

    if count < 2:
        raise ConfigError(f"--folds {count}: at least two are needed.", "5 is usual.")
    group = text_groups(texts)
    all_different = len(np.unique(group)) == len(group)
    _refuse_small_classes(group, targets, count, names, source)
    how: dict[str, Any] = {"n_splits": count, "shuffle": True, "random_state": seed}
    splitter: Any
    if targets.ndim == 2:
        splitter = model_selection.GroupKFold(**how)
    elif all_different:
        splitter = model_selection.StratifiedKFold(**how)
    else:
        splitter = model_selection.StratifiedGroupKFold(**how)
    of_row = np.full(len(group), -1, np.int64)
    # Where every text is another, groups would be ignored, with a warning.
    groups = None if all_different and targets.ndim == 1 else group
    for fold, (_, held_out) in enumerate(splitter.split(group, targets, groups)):
        of_row[held_out] = fold
    return Folds(of_row, count)


def cross_fit(fit_predict: FitPredict, folds: Folds, classes: int) -> Probabilities:
    """Return the probabilities `[rows, classes]` that each row gets from the other folds.

    Args:
        fit_predict: trains a fresh model on rows, and answers others.
        folds: which rows are answered together.
        classes: the number of classes.
    """
    answers = np.full((len(folds.of_row), classes), np.nan)
    for fold in range(folds.count):
        held_out = folds.held_out(fold)
        answers[held_out] = fit_predict(folds.rest(fold), held_out)
    return answers


def _refuse_small_classes(
    group: Indices, targets: Targets, count: int, names: Sequence[str], source: str
) -> None:
    different = np.unique(group)
    if len(different) < count:
        raise _too_few(f"there are {len(different)} different texts", count, source)
    if targets.ndim == 2:
        return
    for number in np.unique(targets):
        texts = len(np.unique(group[targets == number]))
        if texts < count:
            found = f"the class '{names[int(number)]}' has {texts} different texts"
            raise _too_few(found, count, source)


def _too_few(found: str, count: int, source: str) -> DataError:
    return DataError(
        f"{found}, fewer than the {count} folds.",
        source=source,
        remedy="Take fewer --folds, or give more rows.",
    )
