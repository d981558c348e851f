"""Which texts are copies, and seeded splits and subsets, as arrays of row indices."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from textlora.data.classes import ROWS_FOR_SPLITS, named
from textlora.errors import DataError


def plain_form(text: str) -> str:
    """Return a text with its white space collapsed: copies agree in it."""
    return " ".join(text.split())


def copied_in(texts: Iterable[str], *others: Iterable[str]) -> npt.NDArray[np.bool_]:
    """Return which texts have a copy in any of the others, bool `[texts]`."""
    known = {plain_form(text) for other in others for text in other}
    return np.array([plain_form(text) in known for text in texts], dtype=np.bool_)


def text_groups(texts: Sequence[str]) -> npt.NDArray[np.int64]:
    """Return the row of each text's first copy, int64 `[texts]`; it is the same for all copies."""
    first: dict[str, int] = {}
    rows = [first.setdefault(plain_form(text), row) for row, text in enumerate(texts)]
    return np.array(rows, dtype=np.int64)


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
    groups: Indices | None = None,
    names: Sequence[str] | None = None,
    source: str = "the rows",
) -> Split:
    """Take rows out at random, with the classes in the same proportion in both sets.

    Multi-label rows are split at random, without regard to their classes. Rows of one group stay
    together, and a group too large for the rows to take out stays with the rest. Where whole
    groups do not even fill half of these rows, groups are torn apart.

    Args:
        targets: class ids `[rows]`, or multi-label indicators `[rows, classes]`.
        size: share (below 1) or number of rows to take out.
        seed: the same seed gives the same split.
        groups: a number a row, the same for copies of one text; None: every row by itself.
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
    if groups is not None and len(np.unique(groups)) < total:
        classes = targets.astype(np.int64) if stratified else np.zeros(total, np.int64)
        held_out = _whole_groups(groups, classes, count, seed)
        if 2 * len(held_out) >= count:
            return Split(np.setdiff1d(np.arange(total), held_out), held_out)
    # Imported here: it takes most of a second, and only training needs it.
    from sklearn.model_selection import train_test_split

    keep, held_out = train_test_split(
        np.arange(total, dtype=np.int64),
        test_size=count,
        random_state=seed,
        stratify=targets if stratified else None,
    )
    return Split(np.sort(keep), np.sort(held_out))


def _whole_groups(groups: Indices, classes: Indices, count: int, seed: int) -> Indices:
    """Return about `count` rows, all of their groups, with the classes in proportion."""
    _, first, inverse, sizes = np.unique(
        groups, return_index=True, return_inverse=True, return_counts=True
    )
    of_class = classes[first]
    room = _shares(np.bincount(classes), count)
    taken = np.zeros(len(first), np.bool_)
    for group in np.random.default_rng(seed).permutation(len(first)):
        if sizes[group] <= room[of_class[group]]:
            room[of_class[group]] -= sizes[group]
            taken[group] = True
    return np.flatnonzero(taken[inverse]).astype(np.int64)


def _shares(members: Indices, count: int) -> Indices:
    """Return `count` dealt out in proportion, the largest remainders rounded up."""
    exact = members * count / members.sum()
    shares: Indices = np.floor(exact).astype(np.int64)
    largest = np.argsort(shares - exact, kind="stable")[: count - shares.sum()]
    shares[largest] += 1
    return shares


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
