"""scikit-learn's scores on arrays, for single-label and multi-label truth alike.

In every function `truth` and `predicted` are class numbers, int `[n]`, or for
multi-label 0 and 1, int `[n, k]`; `probable` is float `[n, k]`. A score without
any row to go by is 0, as `zero_division=0` has it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]


def right_rows(truth: npt.ArrayLike, predicted: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Return which rows are right, bool `[n]`; multi-label: in every label."""
    same = np.asarray(truth) == np.asarray(predicted)
    return np.asarray(same.all(axis=1) if same.ndim == 2 else same, np.bool_)


def probability_of(labels: npt.ArrayLike, probabilities: npt.ArrayLike) -> FloatArray:
    """Return how probable labels are, `[n]`, by probabilities `[n, k]`.

    Multi-label: that of the least probable one, where a label that is not given counts with the
    probability of its absence.
    """
    given, probable = np.asarray(labels), np.asarray(probabilities, dtype=np.float64)
    if given.ndim == 2:
        return np.asarray(np.where(given > 0, probable, 1 - probable).min(axis=1))
    return np.asarray(probable[np.arange(len(given)), given])


def each_class(
    truth: IntArray, predicted: IntArray, classes: int
) -> list[tuple[float, float, float, int]]:
    """Return precision, recall, F1 and support of each class."""
    members, guesses = one_hot(truth, classes), one_hot(predicted, classes)
    return [
        (*_binary(members[:, number], guesses[:, number]), int(members[:, number].sum()))
        for number in range(classes)
    ]


def macro(truth: IntArray, predicted: IntArray) -> tuple[float, float, float]:
    """Return macro precision, recall and F1.

    Single-label: over the classes that are among the true or the predicted ones, which is
    scikit-learn's default; multi-label: over all.
    """
    from sklearn.metrics import precision_recall_fscore_support

    if truth.ndim == 2:
        # not through scikit-learn's average: it takes a single column for a binary target
        columns = [entry[:3] for entry in each_class(truth, predicted, truth.shape[1])]
        precision, recall, f1 = np.mean(columns, axis=0)
    else:
        precision, recall, f1, _ = precision_recall_fscore_support(
            truth, predicted, average="macro", zero_division=0
        )
    return float(precision), float(recall), float(f1)


def micro_f1(truth: IntArray, predicted: IntArray) -> float:
    """Return the F1 over all labels of all texts at once."""
    return _binary(truth.ravel() == 1, predicted.ravel() == 1)[2]


def mcc(truth: IntArray, predicted: IntArray) -> float:
    """Return Matthews' correlation coefficient; multi-label: its mean over the labels."""
    from sklearn.metrics import matthews_corrcoef

    if truth.ndim == 2:
        return float(np.mean([mcc(*column) for column in zip(truth.T, predicted.T, strict=True)]))
    if len(np.unique(truth)) == 1 or len(np.unique(predicted)) == 1:
        return 0.0  # scikit-learn's value too, but it warns on the way
    return float(matthews_corrcoef(truth, predicted))


def roc_auc(truth: IntArray, probable: FloatArray) -> float | None:
    """Return the area under the ROC curve; None where a class has no row, or all rows.

    Of the second of two classes; otherwise the one-versus-rest macro mean.
    """
    from sklearn.metrics import roc_auc_score

    members = one_hot(truth, probable.shape[1])
    if not (members.any(axis=0) & ~members.all(axis=0)).all():
        return None
    if truth.ndim == 1 and probable.shape[1] == 2:
        return float(roc_auc_score(truth, probable[:, 1]))
    return float(roc_auc_score(members, probable, average="macro"))


def log_loss(truth: IntArray, probable: FloatArray) -> float:
    """Return the mean cross-entropy in nats; multi-label: of each label of each text.

    Probabilities have lost the digits of what is nearly certain: where there are logits, ask
    `log_loss_of_logits`. Here a probability counts as at least 2e-16, as in scikit-learn.
    """
    # scikit-learn's own warns of probabilities in float32, whose sums are 1 to seven digits.
    values, numbers = two_sided(probable, truth)
    right = values[np.arange(len(numbers)), numbers]
    return float(-np.log(right.clip(np.finfo(np.float64).eps, 1)).mean())


def log_loss_of_logits(truth: IntArray, logits: npt.ArrayLike) -> float:
    """Return the same from logits `[n, units]`, exactly."""
    from scipy.special import log_softmax

    values, numbers = as_choices(logits, truth)
    return float(-log_softmax(values, axis=1)[np.arange(len(numbers)), numbers].mean())


def two_sided(probabilities: npt.ArrayLike, truth: IntArray) -> tuple[FloatArray, IntArray]:
    """Return probabilities `[m, c]` whose rows sum to 1, and class numbers `[m]`.

    For multi-label each label of each text is a choice of its own, between "no" and "yes".
    """
    values = np.asarray(probabilities, dtype=np.float64)
    if truth.ndim == 2:
        yes = values.reshape(-1, 1)
        values, truth = np.concatenate([1 - yes, yes], axis=1), truth.ravel()
    return values, truth


def as_choices(logits: npt.ArrayLike, truth: IntArray) -> tuple[FloatArray, IntArray]:
    """Return logits `[m, c]` and class numbers `[m]`: a sigmoid unit is a softmax over [0, z].

    For multi-label each label of each text is a choice of its own, between "no" and "yes".
    """
    values = np.asarray(logits, dtype=np.float64)
    if truth.ndim == 2:
        values, truth = values.reshape(-1, 1), truth.ravel()
    if values.shape[1] == 1:
        values = np.concatenate([np.zeros_like(values), values], axis=1)
    return values, truth


def confusion(truth: IntArray, predicted: IntArray, classes: int) -> tuple[tuple[int, ...], ...]:
    """Return counts, rows true and columns predicted, `[k][k]`."""
    from sklearn.metrics import confusion_matrix

    matrix = confusion_matrix(truth, predicted, labels=range(classes))
    return tuple(tuple(int(count) for count in row) for row in matrix)


def one_hot(targets: IntArray, classes: int) -> npt.NDArray[np.bool_]:
    """Return which text has which label, bool `[n, k]`, from int `[n]` or `[n, k]`."""
    if targets.ndim == 2:
        return targets.astype(bool)
    members: npt.NDArray[np.bool_] = targets[:, None] == np.arange(classes)
    return members


def ratio(part: npt.NDArray[Any], whole: npt.NDArray[Any]) -> FloatArray:
    """Return part / whole; 0 where the whole is nothing."""
    nothing = np.zeros(np.shape(whole))
    return np.asarray(np.divide(part, whole, out=nothing, where=np.asarray(whole) > 0))


def _binary(
    member: npt.NDArray[np.bool_], guess: npt.NDArray[np.bool_]
) -> tuple[float, float, float]:
    from sklearn.metrics import precision_recall_fscore_support

    precision, recall, f1, _ = precision_recall_fscore_support(
        member, guess, average="binary", zero_division=0
    )
    return float(precision), float(recall), float(f1)
