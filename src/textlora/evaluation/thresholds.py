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
# What the line that labels are drawn towards is chosen among: its slopes, and the shares of all
# choices that would be "yes".
_SLOPES = (0.0, 0.25, 0.5, 0.75, 1.0)
_SHARES = np.geomspace(0.001, 0.5, 80)
_OPEN = (1e-6, 1 - 1e-6)  # log-odds are finite in here


def label_thresholds(
    probabilities: FloatArray, members: npt.NDArray[np.bool_], score: Score
) -> tuple[float, ...]:
    """Return the probability from which each label is given.

    The best threshold of a label with a handful of rows is mostly chance. So each is drawn, as
    log-odds, towards a line on which all labels lie, the more so the fewer rows the label has;
    a label without rows lies on it. The line is a level plus a slope times how often the label is
    expected (its mean probability, as log-odds): rare labels have low probabilities, and one
    threshold for all would never give them. Level and slope are the best for all labels together.

    Args:
        probabilities: of the labels, float `[n, k]`.
        members: the truth, bool `[n, k]`.
        score: as for `best_threshold`.
    """
    from scipy.special import expit

    line = _line(_log_odds(probabilities), _log_odds(probabilities.mean(axis=0)), members, score)
    own = [
        best_threshold(*column, score) for column in zip(probabilities.T, members.T, strict=True)
    ]
    rows = members.sum(axis=0)
    trust = rows / (rows + _PRIOR_ROWS)
    drawn = trust * _log_odds(np.array(own)) + (1 - trust) * line
    return tuple(float(each) for each in expit(drawn))


def _line(
    values: FloatArray, expected: FloatArray, members: npt.NDArray[np.bool_], score: Score
) -> FloatArray:
    """Return each label's threshold on the best line `[k]`; probabilities are log-odds."""
    best, found = -np.inf, expected
    for slope in _SLOPES:
        above = values - slope * expected
        levels = np.quantile(above, 1 - _SHARES)
        total = _scores_at(above, levels, members, score)
        if total.max() > best + 1e-12:
            best, equal = total.max(), np.flatnonzero(total >= total.max() - 1e-12)
            found = levels[equal[len(equal) // 2]] + slope * expected
    return found


def _scores_at(
    values: FloatArray, levels: FloatArray, members: npt.NDArray[np.bool_], score: Score
) -> FloatArray:
    """Return what falling levels score as a threshold: the labels' mean, plus all at once."""
    rows, labels = members.shape
    # How many of the levels a value misses; a histogram of that by label gives all counts.
    missed = len(levels) - np.searchsorted(levels[::-1], values, side="right")
    cell = missed + (len(levels) + 1) * np.arange(labels)
    shape = (labels, len(levels) + 1)

    def reached(weights: Counts | None) -> Counts:
        flat = None if weights is None else weights.ravel()
        counts = np.bincount(cell.ravel(), flat, minlength=shape[0] * shape[1])
        return np.asarray(counts.reshape(shape).cumsum(axis=1)[:, :-1].T)

    hits, given = reached(members), reached(None)
    false, misses = given - hits, members.sum(axis=0) - hits
    counts = (hits, false, misses, rows - hits - false - misses)
    together = score(*(each.sum(axis=1) for each in counts))
    return np.asarray(score(*counts).mean(axis=1) + together)


def _log_odds(probabilities: FloatArray) -> FloatArray:
    from scipy.special import logit

    return np.asarray(logit(np.clip(probabilities, *_OPEN)))


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
