"""Accuracy by the length of the texts: whether what is cut off is missed."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from textlora.evaluation.metrics import Interval, wilson_interval

# The buckets up to max_length; one more holds what is longer.
_WITHIN = 4


@dataclass(frozen=True)
class LengthBucket:
    """The texts between two lengths, and how many of them are right.

    Args:
        low: fewest tokens of a text, special tokens included.
        high: most tokens; None: there is no upper end.
        rows: number of texts, at least 1.
        accuracy: share of them right; multi-label: with every label right.
        interval: Wilson's interval of the accuracy.
    """

    low: int
    high: int | None
    rows: int
    accuracy: float
    interval: Interval

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that JSON can hold."""
        return asdict(self)


def accuracy_by_length(
    full_lengths: npt.ArrayLike,
    targets: npt.ArrayLike,
    predicted: npt.ArrayLike,
    *,
    max_length: int,
) -> tuple[LengthBucket, ...]:
    """Sort texts by length into fixed buckets, and count the right ones in each.

    The edges are the quarters of `max_length`, so that they do not move with the data and
    runs can be compared: 0-128, 129-256, 257-384, 385-512 and more for 512.

    Args:
        full_lengths: tokens of each text before truncation, int `[n]`.
        targets: class numbers, int `[n]`; multi-label: 0 or 1, int `[n, k]`.
        predicted: what `metrics.predicted_labels` decided, in the shape of the targets.
        max_length: tokens that the model sees at once.

    Returns:
        The buckets that have texts, from short to long.

    Raises:
        ValueError: the shapes do not fit together.
    """
    lengths, truth = np.asarray(full_lengths), np.asarray(targets)
    answers = np.asarray(predicted)
    if lengths.ndim != 1 or truth.shape != answers.shape or truth.shape[:1] != lengths.shape:
        raise ValueError(
            f"lengths {lengths.shape}, targets {truth.shape} and predictions {answers.shape} "
            "do not fit together"
        )
    right = (truth == answers).reshape(len(lengths), -1).all(axis=1) if len(lengths) else truth
    edges = np.array([max_length * part // _WITHIN for part in range(1, _WITHIN + 1)])
    # Equal edges, for a max_length below four, would be buckets that no text can be in.
    edges = np.unique(edges[edges > 0])
    place = np.searchsorted(edges, lengths)
    lows = [0, *(int(edge) + 1 for edge in edges)]
    highs = [*map(int, edges), None]
    return tuple(
        _bucket(low, high, right[place == number])
        for number, (low, high) in enumerate(zip(lows, highs, strict=True))
        if (place == number).any()
    )


def _bucket(low: int, high: int | None, right: npt.NDArray[np.bool_]) -> LengthBucket:
    rows, correct = len(right), int(right.sum())
    return LengthBucket(low, high, rows, correct / rows, wilson_interval(correct, rows))
