"""Seeded splits and subsets, as arrays of row indices."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from textlora.data.class_checks import ROWS_FOR_SPLITS, named
from textlora.errors import DataError

Indices = npt.NDArray[np.int64]


class Split(NamedTuple):
    """Two disjoint sets of rows that together are all of them.

    Args:
        keep: the rows that stay, in their order.
        held_out: the rows that were taken out, in their order.
    """

    keep: Indices
    held_out: Indices


def rows_of_share(size: float, total: int) -> int:
    """Return a share (below 1) or a number of rows as a number of rows, rounded up."""
    return math.ceil(size * total) if size < 1 else int(size)


def stratified_split(
    targets: npt.NDArray[Any],
    size: float,
    seed: int,
    *,
    names: Sequence[str] | None = None,
    source: str = "the rows",
) -> Split:
    """Take rows out at random, with the classes in the same proportion in both sets.

    Multi-label rows are split at random, without regard to their classes.

    Args:
        targets: class ids `[rows]`, or multi-label indicators `[rows, classes]`.
        size: share (below 1) or number of rows to take out.
        seed: the same seed gives the same split.
        names: names of the classes, for messages.
        source: where the rows come from, for messages.

    Returns:
        The two sets of indices.

    Raises:
        DataError: too many rows are asked for, or a class is too small to be in both sets.
    """
    total = len(targets)
    count = rows_of_share(size, total)
    stratified = targets.ndim == 1
    if not 0 < count < total:
        raise DataError(
            f"{count} of {total} rows cannot be split off.",
            source=source,
            remedy="Give a smaller data.validation_size or data.test_size, or more rows.",
        )
    if stratified:
        _refuse_small_classes(targets, count, names, source)
    # Imported here: it takes most of a second, and only training needs it.
    from sklearn.model_selection import train_test_split

    keep, held_out = train_test_split(
        np.arange(total, dtype=np.int64),
        test_size=count,
        random_state=seed,
        stratify=targets if stratified else None,
    )
    return Split(np.sort(keep), np.sort(held_out))


def random_subset(total: int, count: int, seed: int) -> Indices:
    """Return `count` of `total` row indices, drawn at random, in their order.

    Args:
        total: the number of rows.
        count: how many to draw; all, if there are no more.
        seed: the same seed draws the same rows.

    Returns:
        The sorted indices.
    """
    if count >= total:
        return np.arange(total, dtype=np.int64)
    drawn = np.random.default_rng(seed).choice(total, size=count, replace=False)
    return np.sort(drawn).astype(np.int64)


def _refuse_small_classes(
    targets: npt.NDArray[Any], count: int, names: Sequence[str] | None, source: str
) -> None:
    classes, members = np.unique(targets, return_counts=True)
    single = [int(one) for one in classes[members < 2]]
    if single:
        called = [repr(str(one) if names is None else names[one]) for one in single]
        several = len(single) > 1
        told = f"the classes {named(called)} have" if several else f"the class {called[0]} has"
        raise DataError(
            f"{told} one row left, too few to be in both parts of a split.",
            source=source,
            remedy=f"Train without classes of so few rows: --min-rows-per-class {ROWS_FOR_SPLITS}; "
            "or give files with --valid and --test.",
        )
    if min(count, len(targets) - count) < len(classes):
        raise DataError(
            f"a split into {len(targets) - count} and {count} rows is too small to hold each of "
            f"the {len(classes)} classes.",
            source=source,
            remedy=f"Split off more, as with --set data.validation_size={len(classes)} "
            f"--set data.test_size={len(classes)}, or give files with --valid and --test.",
        )
