"""Logistic regression on features, its strength chosen on validation."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from textlora.metrics.comparison import Predictions
from textlora.metrics.decisions import Threshold, choose_decision
from textlora.metrics.scores import FloatArray, IntArray, log_loss
from textlora.metrics.statistics import Metric

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

    Features: TypeAlias = npt.NDArray[Any] | csr_matrix

MAX_ITERATIONS = 300
# By the usual 1e-4 a fit that goes on from another may end where it began.
TOLERANCE = 1e-5
# Fewer validation rows tell strengths apart by chance.
ENOUGH_VALIDATION = 200
FOLDS = 5
PATIENCE = 2
USUAL_STRENGTH = 0.01  # of the penalty, on scaled features, where there is nothing to choose by
_RULED_OUT = 10.0  # logits: a probability of less than 1 in 20,000


@dataclass(frozen=True)
class LogisticModel:
    """A fitted logistic regression, for one label a text or for several.

    Args:
        fitted: scikit-learn's model for one label a text; multi-label: one a label.
        classes: k.
        strength: inverse strength of the penalty.
        balanced: whether every class counts as much as another.
    """

    fitted: Any
    classes: int
    strength: float
    balanced: bool

    def refitted(
        self, features: Features, targets: npt.ArrayLike, weights: FloatArray | None
    ) -> LogisticModel:
        """Return one on other rows, `[n, features]`, with the same penalty.

        Args:
            features: dense or sparse.
            targets: class numbers `[n]`; multi-label: 0 or 1, `[n, k]`.
            weights: how much each row counts `[n]`; None: all the same.
        """
        rows, truth = features.astype(np.float32), np.asarray(targets).astype(np.int64)
        return _fit(rows, truth, self.classes, self.strength, self.balanced, weights=weights)

    def predict_proba(self, features: Features) -> FloatArray:
        """Return the probabilities `[n, k]`; a class without training rows gets 0."""
        if not isinstance(self.fitted, list):
            answers = np.zeros((features.shape[0], self.classes))
            answers[:, self.fitted.classes_] = self.fitted.predict_proba(features)
            return answers
        return np.stack([_of_label(model, features) for model in self.fitted], axis=1)

    def linear_layer(self) -> tuple[FloatArray, FloatArray]:
        """Return weights `[units, features]` and biases `[units]`: one unit for two classes.

        Otherwise one a class; a class without training rows gets a bias that rules it out.
        """
        if isinstance(self.fitted, list):
            weights = np.concatenate([model.coef_ for model in self.fitted])
            return weights, np.array([_bias_of_label(model) for model in self.fitted])
        coefficients, intercepts = _weights(self.fitted)
        present = self.fitted.classes_
        if len(present) == self.classes:
            return coefficients, intercepts
        if len(present) == 2:
            coefficients = np.concatenate([-coefficients, coefficients]) / 2
            intercepts = np.concatenate([-intercepts, intercepts]) / 2
        weights = np.zeros((self.classes, coefficients.shape[1]))
        biases = np.full(self.classes, intercepts.min() - _RULED_OUT)
        weights[present], biases[present] = coefficients, intercepts
        return weights, biases

    @property
    def size_bytes(self) -> int:
        """Coefficients and intercepts."""
        models = self.fitted if isinstance(self.fitted, list) else [self.fitted]
        return sum(array.nbytes for model in models for array in _weights(model))


def fit_logistic(
    train: Features,
    targets: npt.ArrayLike,
    validation: Features,
    validation_targets: npt.ArrayLike,
    *,
    classes: int,
    strengths: Sequence[float],
    metric: Metric = "accuracy",
    weights: FloatArray | None = None,
) -> LogisticModel:
    """Fit with every strength, and keep the one that is best by the metric.

    On the validation rows; where these are few, on rows that are each held out once of the
    training rows, too. Judged by macro F1, balanced class weights are tried as well. Among
    equals that with the lower log loss is kept. The strengths are tried in their order, and no
    further where two in a row are worse than the best.

    Args:
        train: features `[n, features]`, dense or sparse.
        targets: class numbers `[n]`; multi-label: 0 or 1, `[n, k]`.
        validation: features of the rows to choose by.
        validation_targets: their targets.
        classes: k.
        strengths: inverse strengths of the L2 penalty, scikit-learn's C, rising.
        metric: what to choose by.
        weights: how much each row to train on counts `[n]`; None: all the same.
    """
    train = train.astype(np.float32)  # twice as fast as in double precision
    truth = np.asarray(targets).astype(np.int64)
    held_out = np.asarray(validation_targets).astype(np.int64)
    everything = np.arange(len(truth))
    # To fit on and to judge by; the first model is the one that is kept.
    trials: list[tuple[IntArray, Features]] = [(everything, validation)]
    folds = _folds(truth) if len(held_out) < ENOUGH_VALIDATION else []
    trials += [(rest, train[rows]) for rest, rows in folds]
    known = np.concatenate([held_out, *(truth[rows] for _, rows in folds)])

    def fits(strength: float, balanced: bool, starts: list[LogisticModel]) -> list[LogisticModel]:
        """Fit on the rows of each trial, from where a stronger penalty ended."""
        return [
            _fit(
                *(train[rows], truth[rows], classes, strength, balanced),
                weights=None if weights is None else weights[rows],
                start=starts[number] if starts else None,
            )
            for number, (rows, _) in enumerate(trials)
        ]

    best: tuple[float, float, LogisticModel] | None = None
    for balanced in (True, False) if metric == "f1" else (False,):
        highest, worse = -np.inf, 0
        models: list[LogisticModel] = []
        for strength in strengths:
            models = fits(strength, balanced, models)
            probable = np.concatenate(
                [
                    model.predict_proba(features)
                    for model, (_, features) in zip(models, trials, strict=True)
                ]
            )
            tried = (*_quality(probable, known, metric), models[0])
            best = tried if best is None or tried[:2] > best[:2] else best
            worse = worse + 1 if tried[0] < highest else 0
            highest = max(highest, tried[0])
            if worse == PATIENCE:
                break
    assert best is not None  # noqa: S101 - there are strengths
    return best[2]


def _quality(probable: FloatArray, truth: IntArray, metric: Metric) -> tuple[float, float]:
    """Return the metric, by the rule that the answers will be given by, and minus the log loss."""
    names = [str(number) for number in range(probable.shape[1])]
    threshold: Threshold = "f1" if truth.ndim == 2 and metric == "f1" else "default"
    rule = choose_decision(probable, truth, names, threshold=threshold)
    return Predictions.of(truth, probable, rule).value(metric), -log_loss(truth, probable)


def _folds(truth: IntArray) -> list[tuple[IntArray, IntArray]]:
    """Return five times the rows to fit on and those held out, classes in proportion."""
    from sklearn.model_selection import KFold, StratifiedKFold

    counts = np.bincount(truth) if truth.ndim == 1 else np.zeros(1, np.int64)
    few = counts[counts > 0].min(initial=len(truth))
    kind = StratifiedKFold if truth.ndim == 1 and few >= FOLDS else KFold
    if len(truth) < 2 * FOLDS:
        return []
    return list(kind(FOLDS, shuffle=True, random_state=0).split(np.zeros(len(truth)), truth))


def regression_layer(
    features: FloatArray,
    targets: npt.ArrayLike,
    *,
    classes: int,
    weights: FloatArray | None = None,
) -> tuple[FloatArray, FloatArray]:
    """Return weights and biases, as `LogisticModel.linear_layer`, of a fit on scaled features.

    Args:
        features: dense, `[n, features]`, as they are.
        targets: class numbers `[n]`; multi-label: 0 or 1, `[n, k]`.
        classes: k.
        weights: how much each row counts `[n]`; None: all the same.
    """
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler()
    truth = np.asarray(targets).astype(np.int64)
    scaled = scaler.fit_transform(features)
    model = _fit(scaled, truth, classes, USUAL_STRENGTH, weights=weights)
    return unscaled(*model.linear_layer(), scaler)


def unscaled(weights: FloatArray, biases: FloatArray, scaler: Any) -> tuple[FloatArray, FloatArray]:
    """Return the linear layer that makes of features what the given one makes of scaled ones."""
    weights = weights / scaler.scale_
    return weights, biases - weights @ scaler.mean_


def cross_validated_log_loss(
    features: FloatArray,
    targets: npt.ArrayLike,
    *,
    judged: IntArray,
    always: int = 0,
    folds: int = FOLDS,
) -> float:
    """Return the log loss of rows that are each predicted by a regression on the other folds.

    Args:
        features: dense, `[n, features]`.
        targets: class numbers `[n]`; multi-label: 0 or 1, `[n, k]`.
        judged: the rows to judge by, of all that are fitted on.
        always: of the last rows so many are fitted on every time, and never held out.
        folds: how many.
    """
    from sklearn.model_selection import KFold, StratifiedKFold
    from sklearn.preprocessing import StandardScaler

    truth = np.asarray(targets).astype(np.int64)
    classes = truth.shape[1] if truth.ndim == 2 else int(truth.max()) + 1
    scaled = StandardScaler().fit_transform(features)
    probable = np.empty((len(truth), classes))
    free = len(truth) - always
    if truth.ndim == 1:
        # A class that is not in the rest cannot be predicted there.
        folds = max(2, min(folds, int(np.unique(truth[:free], return_counts=True)[1].min())))
    kind = KFold if truth.ndim == 2 else StratifiedKFold
    splits = kind(folds, shuffle=True, random_state=0).split(scaled[:free], truth[:free])
    for rest, held_out in splits:
        known = np.concatenate([rest, np.arange(free, len(truth))])
        model = _fit(scaled[known], truth[known], classes, USUAL_STRENGTH)
        probable[held_out] = model.predict_proba(scaled[held_out])
    return log_loss(truth[judged], probable[judged])


def _fit(
    features: Features,
    targets: IntArray,
    classes: int,
    strength: float,
    balanced: bool = False,
    *,
    weights: FloatArray | None = None,
    start: LogisticModel | None = None,
) -> LogisticModel:
    """Fit with one strength; `start` is a fit of the same rows with another one."""
    fit = partial(_regression, features, strength=strength, balanced=balanced, weights=weights)
    begun = None if start is None else start.fitted
    if targets.ndim == 1:
        return LogisticModel(fit(targets, start=begun), classes, strength, balanced)
    starts = [None] * classes if begun is None else begun
    fitted = [fit(column, start=each) for column, each in zip(targets.T, starts, strict=True)]
    return LogisticModel(fitted, classes, strength, balanced)


def _regression(
    features: Features,
    targets: IntArray,
    *,
    strength: float,
    balanced: bool,
    weights: FloatArray | None,
    start: Any,
) -> Any:
    from scipy.sparse import issparse
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    kinds = len(np.unique(targets))
    if kinds == 1:
        return _OneClass(targets[:1], features.shape[1])
    # Ten times faster than lbfgs on sparse words; it knows two classes alone.
    words = kinds == 2 and issparse(features)
    solver: Literal["liblinear", "lbfgs"] = "liblinear" if words else "lbfgs"
    model = LogisticRegression(
        C=strength,
        solver=solver,
        tol=TOLERANCE,
        max_iter=MAX_ITERATIONS,
        class_weight="balanced" if balanced else None,
        warm_start=start is not None and not words,
    )
    if model.warm_start:
        model.coef_, model.intercept_ = start.coef_, start.intercept_
    with warnings.catch_warnings():
        # A weak penalty may stop at the limit: validation says whether the result is any good.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(features, targets, weights)


class _OneClass:
    """Stands for a regression on rows that are all of one class, which scikit-learn refuses."""

    def __init__(self, classes: IntArray, features: int) -> None:
        self.classes_ = classes
        self.coef_, self.intercept_ = np.zeros((1, features)), np.zeros(1)

    def predict_proba(self, features: Features) -> FloatArray:
        return np.ones((features.shape[0], 1))


def _of_label(model: Any, features: Features) -> FloatArray:
    if isinstance(model, _OneClass):
        return np.full(features.shape[0], float(model.classes_[0]))
    return np.asarray(model.predict_proba(features)[:, 1])


def _bias_of_label(model: Any) -> float:
    """Return the bias; one that settles it where all training rows agree on the label."""
    if isinstance(model, _OneClass):
        return _RULED_OUT if model.classes_[0] else -_RULED_OUT
    return float(model.intercept_[0])


def _weights(model: Any) -> list[npt.NDArray[Any]]:
    return [model.coef_, model.intercept_]
