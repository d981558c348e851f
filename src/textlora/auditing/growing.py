"""Subsets that grow: each holds the one before, and all have the classes in proportion."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from textlora.data.labels import Targets
from textlora.data.splitting import Indices
from textlora.errors import ConfigError, DataError

SHARES = (0.1, 0.2, 0.4, 0.7, 1.0)


def nested_order(targets: Targets, seed: int) -> Indices:
    """Return the rows in an order of which every beginning is a stratified subset.

    Within a class the order is random. Row i of the n rows of a class stands at (i + 1/2) / n of
    the whole, so that every beginning holds each class in proportion, to within one row.
    Multi-label rows stand in random order.

    Args:
        targets: class ids `[rows]`, or multi-label indicators `[rows, classes]`.
        seed: the same seed gives the same order.
    """
    draw = np.random.default_rng(seed)
    rows = draw.permutation(len(targets)).astype(np.int64)
    if targets.ndim == 2:
        return rows
    place = np.empty(len(targets))
    for number in np.unique(targets):
        members = rows[targets[rows] == number]
        place[members] = (np.arange(len(members)) + 0.5) / len(members)
    # The order of `rows` decides between classes that stand at the same place.
    return rows[np.argsort(place[rows], kind="stable")]


def sizes_of(shares: Sequence[float], total: int) -> list[int]:
    """Return shares of the rows as growing numbers of rows.

    Raises:
        ConfigError: a share is not above 0 and at most 1, or there are fewer than two sizes.
    """
    wrong = next((share for share in shares if not 0 < share <= 1), None)
    if wrong is not None:
        raise ConfigError(
            f"--shares: {wrong:g} is no share of the rows.",
            "Give shares above 0 and up to 1, such as 0.1,0.2,0.4,0.7,1.",
        )
    sizes = sorted({max(1, round(share * total)) for share in shares})
    if len(sizes) < 2:
        raise ConfigError(
            f"--shares: of {total} rows these are {len(sizes)} different sizes.",
            "Give at least two shares that are further apart.",
        )
    return sizes


def check_smallest(
    targets: Targets, order: Indices, size: int, names: Sequence[str], source: str
) -> None:
    """Refuse a smallest subset in which a class is missing.

    Raises:
        DataError: naming the class.
    """
    if targets.ndim == 2:
        return
    missing = np.setdiff1d(np.unique(targets), targets[order[:size]])
    if len(missing):
        raise DataError(
            f"the smallest subset, of {size} rows, has none of the class "
            f"'{names[int(missing[0])]}'.",
            source=source,
            remedy="Begin with a larger share, as with --shares 0.2,0.4,0.6,0.8,1.",
        )
