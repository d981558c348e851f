"""What the search along the strengths relies on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from textlora.baselines import logistic
from textlora.baselines.logistic import fit_logistic, regression_layer

KINDS = ("two classes", "four classes", "several labels")


def problem(kind: str) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(0)
    features = draw.normal(size=(300, 6))
    values = features[:, :4] + draw.normal(size=(300, 4)) + [0, -0.5, -1, -1.5]
    if kind == "several labels":
        return features, (values > 0.5).astype(np.int64)
    return features, values[:, : 2 if kind == "two classes" else 4].argmax(axis=1)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("form", [np.asarray, sparse.csr_matrix])
def test_going_on_from_a_stronger_penalty_ends_where_a_fresh_start_does(
    kind: str, form: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    features, targets = problem(kind)
    features = form(features)
    # The last is kept, as none is worse by this.
    order = iter(range(9))
    monkeypatch.setattr(logistic, "_quality", lambda *_: (float(next(order)), 0.0))
    found = fit_logistic(
        *(features, targets, features, targets),
        classes=2 if kind == "two classes" else 4,
        strengths=(0.01, 0.1, 1.0),
    ).predict_proba(features)
    columns = targets.T if targets.ndim == 2 else [targets]
    for label, column in enumerate(columns):
        two = len(np.unique(column)) == 2 and sparse.issparse(features)
        model = LogisticRegression(C=1.0, solver="liblinear" if two else "lbfgs")
        expected = model.fit(features, column).predict_proba(features)
        mine = found[:, [label]] if targets.ndim == 2 else found
        np.testing.assert_allclose(mine, expected[:, -mine.shape[1] :], atol=2e-3)


def test_labels_are_judged_by_the_thresholds_they_will_get() -> None:
    """Low probabilities in the right order are better than high ones in a wrong order."""
    draw = np.random.default_rng(0)
    truth = (draw.random((400, 3)) < 0.3).astype(np.int64)
    low = 0.05 + 0.3 * truth
    wrong = np.where(draw.random(truth.shape) < 0.1, 1 - truth, truth)
    high = 0.05 + 0.9 * wrong
    assert logistic._quality(low, truth, "f1") > logistic._quality(high, truth, "f1")
    assert logistic._quality(low, truth, "accuracy") < logistic._quality(high, truth, "accuracy")


def test_labels_that_never_differ_are_settled_by_their_biases() -> None:
    features = np.random.default_rng(0).normal(size=(20, 3))
    targets = np.tile([1, 0], (20, 1))
    weights, biases = regression_layer(features, targets, classes=2)
    np.testing.assert_array_equal(weights, np.zeros((2, 3)))
    assert biases[0] > 5
    assert biases[1] < -5
