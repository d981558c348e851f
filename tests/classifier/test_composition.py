"""Inside scikit-learn's own compositions: each runs, and answers sensibly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_validate
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from support.tiny import Reviews
from textlora import TextClassifier

Make = Callable[..., TextClassifier]
Array = np.ndarray[Any, Any]


@pytest.fixture(scope="module")
def texts(reviews: Reviews) -> Array:
    return np.array(reviews.texts)


@pytest.fixture(scope="module")
def labels(reviews: Reviews) -> Array:
    return np.array(["bad", "good"])[reviews.labels]


def words() -> Any:
    return make_pipeline(TfidfVectorizer(), LogisticRegression())


def without_a(texts: Any) -> list[str]:
    return [text.replace(" a ", " ") for text in texts]


def test_cross_validation_draws_no_report(
    make_classifier: Make, texts: Array, labels: Array, monkeypatch: pytest.MonkeyPatch
) -> None:
    def drawn(*_: Any, **__: Any) -> None:
        raise AssertionError("a report was drawn")

    monkeypatch.setattr("textlora.training.reporting.save_plots", drawn)
    monkeypatch.setattr("textlora.training.reporting.render_report", drawn)
    found = cross_validate(
        make_classifier(), texts, labels, cv=2, scoring=["accuracy", "neg_log_loss"]
    )
    assert (found["test_accuracy"] > 0.7).all()
    assert (found["test_neg_log_loss"] > -0.7).all()


def test_predictions_across_folds(make_classifier: Make, texts: Array, labels: Array) -> None:
    found = cross_val_predict(make_classifier(), list(texts), labels, cv=2, method="predict_proba")
    assert found.shape == (80, 2)
    assert (np.array(["bad", "good"])[found.argmax(axis=1)] == labels).mean() > 0.7


@pytest.mark.parametrize("jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_grid_search_in_a_pipeline(
    jobs: int, make_classifier: Make, texts: Array, labels: Array
) -> None:
    search = GridSearchCV(
        make_pipeline(FunctionTransformer(without_a), make_classifier()),
        {"textclassifier__learning_rate": np.array([1e-8, 1e-2])},
        cv=2,
        n_jobs=jobs,
        error_score="raise",
    )
    search.fit(texts, labels)
    assert search.best_params_ == {"textclassifier__learning_rate": 1e-2}
    assert search.best_score_ > 0.7
    assert search.score(texts, labels) > 0.7


@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
def test_calibration(method: str, make_classifier: Make, texts: Array, labels: Array) -> None:
    calibrated = CalibratedClassifierCV(make_classifier(), method=method, cv=2)
    calibrated.fit(texts, labels)
    assert calibrated.classes_.tolist() == ["bad", "good"]
    np.testing.assert_allclose(calibrated.predict_proba(texts).sum(axis=1), 1)
    assert calibrated.score(texts, labels) > 0.8


def test_weights_reach_the_calibrated_classifier(
    make_classifier: Make, texts: Array, labels: Array
) -> None:
    turned = np.where(labels == "good", "bad", "good")
    calibrated = CalibratedClassifierCV(make_classifier(), ensemble=False, cv=2)
    both = np.repeat(texts, 2), np.stack([labels, turned], axis=1).ravel()
    calibrated.fit(*both, sample_weight=np.tile([4.0, 0.1], 80))
    assert calibrated.score(texts, labels) > 0.8


def test_one_against_the_rest(make_classifier: Make, texts: Array, labels: Array) -> None:
    three = np.where(np.char.find(texts, "dull") >= 0, "dull", labels)
    model = OneVsRestClassifier(make_classifier()).fit(texts, three)
    assert model.classes_.tolist() == ["bad", "dull", "good"]
    assert model.predict_proba(texts).shape == (80, 3)
    assert model.score(texts, three) > 0.7


def test_several_labels_by_one_against_the_rest(
    make_classifier: Make, texts: Array, labels: Array
) -> None:
    matrix = np.stack([labels == "good", labels == "bad"], axis=1).astype(int)
    for kind in (OneVsRestClassifier, MultiOutputClassifier):
        model = kind(make_classifier()).fit(texts, matrix)
        assert model.predict(texts).shape == (80, 2)
        assert model.score(texts, matrix) > 0.7


@pytest.mark.parametrize("voting", ["hard", "soft"])
def test_voting(voting: Any, make_classifier: Make, texts: Array, labels: Array) -> None:
    model = VotingClassifier([("words", words()), ("lora", make_classifier())], voting=voting)
    assert model.fit(texts, labels).score(texts, labels) > 0.8


def test_stacking(make_classifier: Make, texts: Array, labels: Array) -> None:
    model = StackingClassifier([("words", words()), ("lora", make_classifier())], cv=2)
    assert model.fit(texts, labels).score(texts, labels) > 0.8


def test_numpy_s_numbers_as_parameters(make_classifier: Make, texts: Array, labels: Array) -> None:
    classifier = make_classifier(
        learning_rate=np.logspace(-2, -1, 2)[0],
        r=np.arange(4, 5)[0],
        random_state=np.random.RandomState(3),
        num_train_epochs=np.int64(1),
    )
    assert classifier.fit(texts, labels).config_.lora.r == 4
