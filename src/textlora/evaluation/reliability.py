"""Whether probabilities mean what they say: reliability, calibration error, Brier score.

In every function `targets` are class numbers, int `[n]`, or for multi-label 0 and 1, int
`[n, k]`; `probabilities` are float `[n, k]`. Each label of each text of multi-label data
counts as a choice of its own between "no" and "yes"; the calibration error is taken of each
label by itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from textlora.evaluation.scores import FloatArray, IntArray, one_hot

BINS = 15


@dataclass(frozen=True)
class ReliabilityBin:
    """Answers that are about equally sure.

    Args:
        low: their confidence is above this,
        high: and at most this.
        rows: how many they are.
        confidence: their mean confidence.
        accuracy: the share of them that is right.
    """

    low: float
    high: float
    rows: int
    confidence: float
    accuracy: float


def reliability_bins(
    targets: npt.ArrayLike, probabilities: npt.ArrayLike, bins: int = BINS
) -> tuple[ReliabilityBin, ...]:
    """Group answers by how sure they are, in bins of equal width from 0 to 1.

    An answer is the most probable class, its confidence that class's probability; multi-label:
    the more probable of "no" and "yes", for each label of each text.

    Args:
        targets: the truth.
        probabilities: float `[n, k]`.
        bins: number of bins; those without rows are left out.
    """
    probable, truth = _two_sided(probabilities, targets)
    return _bins(probable.max(axis=1), probable.argmax(axis=1) == truth, bins)


def _bins(
    confidence: FloatArray, right: npt.NDArray[np.bool_], bins: int
) -> tuple[ReliabilityBin, ...]:
    edges = np.linspace(0, 1, bins + 1)
    number = np.digitize(confidence, edges[1:-1], right=True)
    return tuple(
        ReliabilityBin(
            low=float(edges[one]),
            high=float(edges[one + 1]),
            rows=int(inside.sum()),
            confidence=float(confidence[inside].mean()),
            accuracy=float(right[inside].mean()),
        )
        for one in range(bins)
        if (inside := number == one).any()
    )


def expected_calibration_error(
    targets: npt.ArrayLike, probabilities: npt.ArrayLike, bins: int = BINS
) -> float:
    """Return the mean distance between confidence and accuracy over the reliability bins.

    Multi-label: the mean over the labels of the distance between a label's probability and how
    often it is given. In one set of bins over all labels, the many sure "no" of all of them would
    hide what one label gets wrong, and one label's too much another's too little.

    Source: M. P. Naeini, G. F. Cooper, M. Hauskrecht, Obtaining well calibrated probabilities
    using Bayesian binning, AAAI 2015; for the answered class, as Guo et al. have it; for each
    label, M. Kull et al., Beyond temperature scaling, NeurIPS 2019 (classwise ECE).

    Args:
        targets: the truth.
        probabilities: float `[n, k]`.
        bins: number of bins.
    """
    values, truth = checked(probabilities, targets)
    if truth.ndim == 1:
        return weighted_gap(reliability_bins(truth, values, bins))
    labels = zip(values.T, truth.T == 1, strict=True)
    return float(np.mean([weighted_gap(_bins(*label, bins)) for label in labels]))


def brier_score(targets: npt.ArrayLike, probabilities: npt.ArrayLike) -> float:
    """Return the mean squared distance to the truth, summed over the classes: 0 to 2.

    This is Brier's own definition, with two classes twice the one of a single probability;
    multi-label: the mean over each label of each text, "no" and "yes" summed.

    Source: G. W. Brier, Verification of forecasts expressed in terms of probability, Monthly
    Weather Review 78 (1950).

    Args:
        targets: the truth.
        probabilities: float `[n, k]`.
    """
    probable, truth = _two_sided(probabilities, targets)
    members = one_hot(truth, probable.shape[1])
    return float(np.mean(np.sum((probable - members) ** 2, axis=1)))


def weighted_gap(bins: tuple[ReliabilityBin, ...]) -> float:
    """Return the mean distance between confidence and accuracy, weighted by rows."""
    total = sum(entry.rows for entry in bins)
    return sum(entry.rows / total * abs(entry.accuracy - entry.confidence) for entry in bins)


def checked(values: npt.ArrayLike, targets: npt.ArrayLike) -> tuple[FloatArray, IntArray]:
    """Return values `[n, k]` and targets as arrays.

    Raises:
        ValueError: they do not fit together, or there are none.
    """
    numbers = np.asarray(values, dtype=np.float64)
    truth = np.asarray(targets).astype(np.int64)
    expected = numbers.shape if truth.ndim == 2 else numbers.shape[:1]
    if numbers.ndim != 2 or truth.shape != expected or not numbers.size:
        raise ValueError(f"values {numbers.shape} and targets {truth.shape} do not fit together")
    return numbers, truth


def _two_sided(probabilities: npt.ArrayLike, targets: npt.ArrayLike) -> tuple[FloatArray, IntArray]:
    """Return probabilities `[m, c]` whose rows sum to 1, and class numbers `[m]`."""
    values, truth = checked(probabilities, targets)
    if truth.ndim == 2:
        yes = values.reshape(-1, 1)
        values, truth = np.concatenate([1 - yes, yes], axis=1), truth.ravel()
    return values, truth
