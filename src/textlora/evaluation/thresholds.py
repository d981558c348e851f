"""The probability from which an answer is "yes", chosen by a metric."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from textlora.evaluation.scores import FloatArray

Counts = npt.NDArray[Any]
Score = Callable[[Counts, Counts, Counts, Counts], FloatArray]


def best_threshold(
    probabilities: FloatArray, members: npt.NDArray[np.bool_], score: Score
) -> float:
    """Return the probability from which "yes" scores best; of equally good ones the nearest to 0.5.

    A threshold lies midway between two probabilities that occur. Without a row of each
    kind it is 0.5.

    Args:
        probabilities: of "yes", float `[n]`.
        members: the truth, bool `[n]`.
        score: from counts of true and false positives, false and true negatives.
    """
    if members.all() or not members.any():
        return 0.5
    order = np.argsort(-probabilities, kind="stable")
    falling = probabilities[order]
    # Between equal probabilities there is no cut; above a probability of 1 neither.
    upper = np.concatenate([[1.0], falling])
    lower = np.concatenate([falling, [0.0]])
    cuts = np.flatnonzero((upper > lower) | (np.arange(len(upper)) == len(falling)))
    upper, lower = upper[cuts], lower[cuts]
    hits = np.concatenate([[0], np.cumsum(members[order])])[cuts]
    misses, false = members.sum() - hits, cuts - hits
    values = score(hits, false, misses, len(members) - hits - misses - false)
    middle = (upper + lower) / 2
    middle = np.where(middle > lower, middle, upper)
    middle[(lower < 0.5) & (upper >= 0.5)] = 0.5
    good = np.flatnonzero(values >= values.max() - 1e-12)
    return float(middle[good[np.abs(middle[good] - 0.5).argmin()]])


def _ratio(part: Counts, whole: Counts) -> FloatArray:
    return np.asarray(np.where(whole > 0, part / np.where(whole > 0, whole, 1), 0.0))


def accuracy(tp: Counts, fp: Counts, fn: Counts, tn: Counts) -> FloatArray:
    """Return the share that is right."""
    return _ratio(tp + tn, tp + fp + fn + tn)


def f1(tp: Counts, fp: Counts, fn: Counts, tn: Counts) -> FloatArray:
    """Return the F1 of "yes"; 0 where there is neither a true nor a predicted one."""
    return _ratio(2 * tp, 2 * tp + fp + fn)


def macro_f1(tp: Counts, fp: Counts, fn: Counts, tn: Counts) -> FloatArray:
    """Return the mean of the F1 of "yes" and of "no"."""
    return (f1(tp, fp, fn, tn) + f1(tn, fn, fp, tp)) / 2


def mcc(tp: Counts, fp: Counts, fn: Counts, tn: Counts) -> FloatArray:
    """Return Matthews' correlation coefficient; 0 where an answer or a class is alone."""
    sides = [np.sqrt((a + b).astype(float)) for a, b in ((tp, fp), (tp, fn), (tn, fp), (tn, fn))]
    return _ratio(tp * tn - fp * fn, sides[0] * sides[1] * sides[2] * sides[3])
