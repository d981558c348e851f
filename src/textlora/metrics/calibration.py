"""Whether probabilities mean what they say, and one number that puts them right.

In every function `targets` are class numbers, int `[n]`, or for multi-label 0 and 1, int
`[n, k]`; `probabilities` are float `[n, k]`. Each label of each text of multi-label data
counts as a choice of its own between "no" and "yes"; the calibration error is taken of each
label by itself.

A tuned encoder is mostly surer than it is right. Temperature scaling divides its logits by
one number, fitted on the validation part; no answer changes by it, only how sure it sounds.

Source: C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger, On calibration of modern neural networks,
ICML 2017.

A head with one output unit is a choice between two classes, too.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from textlora.metrics.records import Record
from textlora.metrics.scores import (
    FloatArray,
    IntArray,
    as_choices,
    log_loss_of_logits,
    one_hot,
    right_rows,
    two_sided,
)

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
    probable, truth = two_sided(*checked(probabilities, targets))
    return _bins(probable.max(axis=1), right_rows(truth, probable.argmax(axis=1)), bins)


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
    probable, truth = two_sided(*checked(probabilities, targets))
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


# Beyond these a temperature says that there is nothing to learn from the rows.
LOWEST, HIGHEST = 0.05, 20.0
ALL_RIGHT = "Every validation answer is right: there is nothing to fit a temperature on."


@dataclass(frozen=True)
class ProbabilityFigures:
    """How good the probabilities of one part are; 0 is best for all three figures.

    Args:
        ece: expected calibration error; multi-label: its mean over the labels.
        brier: Brier score, 0 to 2.
        nll: mean negative log-likelihood in nats, also known as log loss.
        bins: the reliability diagram; bins without rows are left out.
    """

    ece: float
    brier: float
    nll: float
    bins: tuple[ReliabilityBin, ...]


@dataclass(frozen=True)
class PartCalibration:
    """The probabilities of one part before and after the temperature."""

    before: ProbabilityFigures
    after: ProbabilityFigures

    @classmethod
    def of(
        cls, logits: npt.ArrayLike, targets: npt.ArrayLike, temperature: float
    ) -> PartCalibration:
        """Compute both from raw logits, float `[n, units]`."""
        choices, truth = _choices(logits, targets)
        shape = np.shape(targets)
        return cls(_figures(choices, truth, shape), _figures(choices / temperature, truth, shape))


@dataclass(frozen=True)
class Calibration(Record):
    """A temperature, and what it does.

    Args:
        temperature: what logits are divided by; above 1 makes less sure.
        validation: the part that it was fitted on.
        test: the test part, which had no say; None where there is none.
        note: why the temperature is 1, where it could not be fitted.
    """

    temperature: float
    validation: PartCalibration
    test: PartCalibration | None = None
    note: str | None = None

    @property
    def lead(self) -> PartCalibration:
        """The part to report: test, else validation."""
        return self.test or self.validation

    def tested(self, logits: npt.ArrayLike, targets: npt.ArrayLike) -> Calibration:
        """Return the same with the figures of the test part, from its raw logits."""
        return replace(self, test=PartCalibration.of(logits, targets, self.temperature))


def calibrate(logits: npt.ArrayLike, targets: npt.ArrayLike) -> Calibration:
    """Fit a temperature on the validation part.

    Args:
        logits: raw logits of the validation part, float `[n, units]`.
        targets: its truth.

    Raises:
        ValueError: shapes that do not fit together, or no rows.
    """
    temperature = fit_temperature(logits, targets)
    choices, truth = _choices(logits, targets)
    note = ALL_RIGHT if _all_right(choices, truth) else None
    return Calibration(temperature, PartCalibration.of(logits, targets, temperature), note=note)


def fit_temperature(logits: npt.ArrayLike, targets: npt.ArrayLike) -> float:
    """Return the temperature with the least negative log-likelihood.

    That likelihood is convex in the inverse of the temperature, so a search between bounds finds
    its only minimum. Where every answer is right, the likelihood grows without end as the
    temperature falls: then it is 1.

    Args:
        logits: raw logits, float `[n, units]`.
        targets: the truth.

    Returns:
        A number from 0.05 to 20; never one that is worse than 1 on these rows.
    """
    from scipy.optimize import minimize_scalar

    choices, truth = _choices(logits, targets)
    if _all_right(choices, truth):
        return 1.0
    found = minimize_scalar(
        lambda power: log_loss_of_logits(truth, choices / np.exp(power)),
        bounds=(np.log(LOWEST), np.log(HIGHEST)),
        method="bounded",
        options={"xatol": 1e-6},
    )
    return float(np.exp(found.x)) if found.fun < log_loss_of_logits(truth, choices) else 1.0


def _figures(choices: FloatArray, truth: IntArray, shape: tuple[int, ...]) -> ProbabilityFigures:
    """Return the figures of choices; `shape` is that of the targets they were made from."""
    from scipy.special import softmax

    probable = softmax(choices, axis=1)
    by_label = probable[:, 1].reshape(shape) if len(shape) == 2 else probable
    return ProbabilityFigures(
        expected_calibration_error(truth.reshape(shape), by_label),
        brier_score(truth, probable),
        log_loss_of_logits(truth, choices),
        reliability_bins(truth, probable),
    )


def _all_right(choices: FloatArray, truth: IntArray) -> bool:
    return bool(right_rows(truth, choices.argmax(axis=1)).all())


def _choices(logits: npt.ArrayLike, targets: npt.ArrayLike) -> tuple[FloatArray, IntArray]:
    return as_choices(*checked(logits, targets))
