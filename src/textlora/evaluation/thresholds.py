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


# Rows of a label in validation at which its own threshold counts half.
_PRIOR_ROWS = 40


def label_thresholds(
    probabilities: FloatArray, members: npt.NDArray[np.bool_], score: Score
) -> tuple[float, ...]:
    """Return the probability from which each label is given.

    The best threshold of a label with a handful of rows is mostly chance. So each is drawn, as
    log-odds, towards the one threshold that is best for all labels together, the more so the
    fewer rows the label has; a label without rows takes that one.

    Args:
        probabilities: of the labels, float `[n, k]`.
        members: the truth, bool `[n, k]`.
        score: as for `best_threshold`.
    """
    from scipy.special import expit, logit

    shared = _shared_threshold(probabilities, members, score)
    own = [
        best_threshold(*column, score) for column in zip(probabilities.T, members.T, strict=True)
    ]
    rows = members.sum(axis=0)
    trust = rows / (rows + _PRIOR_ROWS)
    drawn = trust * logit(np.clip(own, *_OPEN)) + (1 - trust) * logit(np.clip(shared, *_OPEN))
    return tuple(float(each) for each in expit(drawn))


_OPEN = (1e-6, 1 - 1e-6)  # log-odds are finite in here
_GRID = np.linspace(0.05, 0.95, 91)


def _shared_threshold(
    probabilities: FloatArray, members: npt.NDArray[np.bool_], score: Score
) -> float:
    """Return the threshold with the best score over the labels, each alone and all at once."""
    positive = members.sum(axis=0)
    values = np.empty(len(_GRID))
    for place, threshold in enumerate(_GRID):
        given = probabilities >= threshold
        tp = (given & members).sum(axis=0)
        fp = given.sum(axis=0) - tp
        counts = (tp, fp, positive - tp, len(members) - positive - fp)
        values[place] = score(*counts).mean() + score(*(each.sum() for each in counts))
    good = np.flatnonzero(values >= values.max() - 1e-12)
    return float(_GRID[good[np.abs(_GRID[good] - 0.5).argmin()]])


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
