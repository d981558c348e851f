"""Whether probabilities mean what they say, and one number that mends them.

A tuned encoder is mostly surer than it is right. Temperature scaling divides its logits by
one number, fitted on the validation part; no answer changes by it, only how sure it sounds.

Source: C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger, On calibration of modern neural networks,
ICML 2017.

In every function `targets` are class numbers, int `[n]`, or for multi-label 0 and 1, int
`[n, k]`. Each label of each text then counts as a choice of its own between "no" and "yes".
A head with one output unit is a choice between two classes, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from textlora.evaluation.reliability import (
    ReliabilityBin,
    brier_score,
    checked,
    expected_calibration_error,
    reliability_bins,
)
from textlora.evaluation.scores import FloatArray, IntArray, as_choices, log_loss_of_logits

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

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ProbabilityFigures:
        """Rebuild from plain values."""
        return cls(**{**values, "bins": tuple(ReliabilityBin(**entry) for entry in values["bins"])})


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

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> PartCalibration:
        """Rebuild from plain values."""
        return cls(*(ProbabilityFigures.from_dict(values[name]) for name in ("before", "after")))


@dataclass(frozen=True)
class Calibration:
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

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that JSON can hold."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Calibration:
        """Rebuild from `to_dict`'s values, also after a trip through JSON."""
        test = values["test"]
        return cls(
            temperature=values["temperature"],
            validation=PartCalibration.from_dict(values["validation"]),
            test=None if test is None else PartCalibration.from_dict(test),
            note=values["note"],
        )


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
    return bool((choices.argmax(axis=1) == truth).all())


def _choices(logits: npt.ArrayLike, targets: npt.ArrayLike) -> tuple[FloatArray, IntArray]:
    return as_choices(*checked(logits, targets))
