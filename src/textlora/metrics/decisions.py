"""From probabilities to predictions: by a threshold, by costs, or "unsure".

Without a rule the most probable class is the answer; multi-label: every label with at least
one half. A rule is chosen on the validation part and saved with the adapter.

Throughout, `probabilities` are float `[n, k]`, `targets` class numbers, int `[n]`, or for
multi-label 0 and 1, int `[n, k]`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from textlora.errors import ConfigError
from textlora.metrics.records import Record
from textlora.metrics.scores import FloatArray, IntArray, probability_of, ratio

Counts = npt.NDArray[Any]
Bounded = Annotated[float, Field(ge=-1e12, le=1e12)]
"""A threshold or a cost: sums of them stay finite."""
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


def accuracy(tp: Counts, fp: Counts, fn: Counts, tn: Counts) -> FloatArray:
    """Return the share that is right."""
    return ratio(tp + tn, tp + fp + fn + tn)


def f1(tp: Counts, fp: Counts, fn: Counts, tn: Counts) -> FloatArray:
    """Return the F1 of "yes"; 0 where there is neither a true nor a predicted one."""
    return ratio(2 * tp, 2 * tp + fp + fn)


def macro_f1(tp: Counts, fp: Counts, fn: Counts, tn: Counts) -> FloatArray:
    """Return the mean of the F1 of "yes" and of "no"."""
    return (f1(tp, fp, fn, tn) + f1(tn, fn, fp, tp)) / 2


def mcc(tp: Counts, fp: Counts, fn: Counts, tn: Counts) -> FloatArray:
    """Return Matthews' correlation coefficient; 0 where an answer or a class is alone."""
    sides = [np.sqrt((a + b).astype(float)) for a, b in ((tp, fp), (tp, fn), (tn, fp), (tn, fn))]
    return ratio(tp * tn - fp * fn, sides[0] * sides[1] * sides[2] * sides[3])


Threshold = Literal["default", "accuracy", "f1", "mcc"]
Costs = Mapping[str, Mapping[str, float]]

# "f1" is macro F1, as everywhere: over the two classes, or over the labels one by one.
_OF_TWO_CLASSES: dict[str, Score] = {"accuracy": accuracy, "f1": macro_f1, "mcc": mcc}
_OF_A_LABEL: dict[str, Score] = {"accuracy": accuracy, "f1": f1, "mcc": mcc}


@dataclass(frozen=True)
class Decision(Record):
    """A rule that turns probabilities into answers.

    Args:
        thresholds: the probability from which the second of two classes is the answer, as the
            only entry; multi-label: one a label. None: the most probable class; one half.
        costs: what an answer costs, `costs[true][predicted]`; the answer is the one with the
            least expected cost. None: by probability.
        min_confidence: answers less sure than this are "unsure"; None: every text is answered.
    """

    thresholds: tuple[Bounded, ...] | None = None
    costs: tuple[tuple[Bounded, ...], ...] | None = None
    min_confidence: float | None = None

    def labels(self, probabilities: npt.ArrayLike, multi_label: bool = False) -> IntArray:
        """Return the answers, sure or not: class numbers `[n]`; multi-label: 0 or 1, `[n, k]`."""
        probable = np.asarray(probabilities)
        if self.costs is not None:
            # C. Elkan, The foundations of cost-sensitive learning, IJCAI 2001
            expected = probable @ np.asarray(self.costs)
            return np.asarray(expected.argmin(axis=1), dtype=np.int64)
        if self.thresholds is None:
            return predicted_labels(probable, multi_label)
        reached = (probable if multi_label else probable[:, 1:]) >= np.asarray(self.thresholds)
        return np.asarray(reached if multi_label else reached[:, 0], dtype=np.int64)

    def confidences(self, probabilities: npt.ArrayLike, multi_label: bool = False) -> FloatArray:
        """Return how probable it is that each answer is right, `[n]`.

        The answered class's probability; multi-label: that of the least sure label, where a
        label that is not given counts with the probability of its absence.
        """
        return probability_of(self.labels(probabilities, multi_label), probabilities)

    def mean_cost(self, targets: npt.ArrayLike, answers: IntArray) -> float | None:
        """Return what answers, class numbers `[n]`, cost on average; None without costs."""
        if self.costs is None:
            return None
        truth = np.asarray(targets, dtype=np.int64)
        return float(np.asarray(self.costs)[truth, answers].mean())


BY_PROBABILITY = Decision()


def predicted_labels(
    probabilities: npt.ArrayLike, multi_label: bool = False, threshold: float = 0.5
) -> IntArray:
    """Decide by probabilities.

    Args:
        probabilities: float `[n, k]`.
        multi_label: whether a text may have any number of the labels.
        threshold: multi-label only: the probability from which a label is predicted.

    Returns:
        The most probable class, int `[n]` (the first of equals); multi-label: 0 or 1,
        int `[n, k]`.
    """
    probable = np.asarray(probabilities)
    chosen = probable >= threshold if multi_label else probable.argmax(axis=1)
    return np.asarray(chosen, dtype=np.int64)


def label_text(label: str | Sequence[str]) -> str:
    """Return a label as text: several are joined by commas, none is "(none)"."""
    return label if isinstance(label, str) else ", ".join(label) or "(none)"


def check_rule(
    label_names: Sequence[str], multi_label: bool, threshold: Threshold, costs: Costs | None
) -> None:
    """Refuse settings that do not fit the classes; ask this before training.

    Raises:
        ConfigError: costs name an unknown class, or the rule is not one for such labels.
    """
    if costs is not None:
        if multi_label:
            raise ConfigError(
                "evaluation.costs is for texts with one label; the data is multi-label.",
                "Set evaluation.threshold=f1 instead.",
            )
        cost_matrix(costs, label_names)
    if threshold != "default" and not multi_label and len(label_names) != 2:
        raise ConfigError(
            f"evaluation.threshold={threshold} takes two classes or multi-label data; "
            f"the data has {len(label_names)} classes.",
            "Leave it out, or set evaluation.costs.",
        )


def choose_decision(
    probabilities: npt.ArrayLike,
    targets: npt.ArrayLike,
    label_names: Sequence[str],
    *,
    threshold: Threshold = "default",
    costs: Costs | None = None,
    min_confidence: float | None = None,
) -> Decision:
    """Choose the rule on the validation part.

    Args:
        probabilities: of the validation part, calibrated where they will be.
        targets: its truth.
        label_names: the k class names.
        threshold: the metric by which thresholds are chosen.
        costs: `costs[true name][predicted name]`; wrong answers that are not named cost 1.
        min_confidence: goes into the rule as it is.

    Raises:
        ConfigError: the settings do not fit the classes.
    """
    truth = np.asarray(targets)
    multi_label = truth.ndim == 2
    check_rule(label_names, multi_label, threshold, costs)
    if costs is not None:
        return Decision(costs=cost_matrix(costs, label_names), min_confidence=min_confidence)
    if threshold == "default":
        return Decision(min_confidence=min_confidence)
    probable = np.asarray(probabilities, dtype=np.float64)
    if multi_label:
        thresholds = label_thresholds(probable, truth == 1, _OF_A_LABEL[threshold])
    else:
        thresholds = (best_threshold(probable[:, 1], truth == 1, _OF_TWO_CLASSES[threshold]),)
    return Decision(thresholds=thresholds, min_confidence=min_confidence)


def cost_matrix(costs: Costs, label_names: Sequence[str]) -> tuple[tuple[float, ...], ...]:
    """Return `[true][predicted]`: what is not named costs 0 if right and 1 if wrong.

    Raises:
        ConfigError: a name is no class.
    """
    for name in [*costs, *(name for row in costs.values() for name in row)]:
        if name not in label_names:
            raise ConfigError(
                f"evaluation.costs: '{name}' is no class.", f"Classes: {', '.join(label_names)}."
            )
    return tuple(
        tuple(float(costs.get(true, {}).get(taken, true != taken)) for taken in label_names)
        for true in label_names
    )
