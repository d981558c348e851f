"""TextClassifier works wherever scikit-learn takes an estimator."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from support.tiny import Reviews
from textlora import TextClassifier
from textlora.errors import ConfigError, DataError, RunError

Make = Callable[..., TextClassifier]


@pytest.fixture(scope="module")
def make(make_classifier: Make) -> Make:
    return make_classifier


@pytest.fixture(scope="module")
def fitted(make: Make, reviews: Reviews) -> TextClassifier:
    labels = [["bad", "good"][label] for label in reviews.labels]
    return make().fit(reviews.texts[:64], labels[:64])


def test_fit_predict_score(fitted: TextClassifier, reviews: Reviews) -> None:
    assert fitted.classes_.tolist() == ["bad", "good"]
    labels = [["bad", "good"][label] for label in reviews.labels[64:]]
    predicted = fitted.predict(reviews.texts[64:])
    found = fitted.predict_proba(reviews.texts[64:])
    assert found.shape == (16, 2)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)
    assert (predicted == fitted.classes_[found.argmax(axis=1)]).all()
    assert fitted.score(reviews.texts[64:], labels) == np.mean(predicted == labels) >= 0.8
    assert [record.epoch for record in fitted.history_] == [0, 1, 2, 3]
    assert fitted.predict([]).shape == (0,)


@pytest.mark.parametrize("labels", [[3, 7], [True, False]], ids=["integers", "booleans"])
def test_labels_come_back_as_they_were_given(
    labels: list[Any], make: Make, reviews: Reviews
) -> None:
    y = np.array([labels[label] for label in reviews.labels])
    classifier = make(num_train_epochs=1).fit(np.array(reviews.texts), y)
    assert set(classifier.classes_.tolist()) == set(labels)
    assert set(classifier.predict(pd.Series(reviews.texts)).tolist()) <= set(labels)
    assert classifier.score(reviews.texts, y) == np.mean(classifier.predict(reviews.texts) == y)


def test_a_data_frame_gives_its_columns(
    make: Make, fitted: TextClassifier, reviews: Reviews
) -> None:
    labels = [["bad", "good"][label] for label in reviews.labels]
    frame = pd.DataFrame({"review": reviews.texts, "stars": 5, "sentiment": labels})
    from_frame = make().fit(frame[:64])
    expected = fitted.predict_proba(reviews.texts[64:])
    np.testing.assert_array_equal(from_frame.predict_proba(frame[64:]), expected)
    with pytest.raises(DataError, match="there are no labels"):
        make().fit(reviews.texts)


def test_a_named_column_holds_for_fit_and_predict(make: Make, reviews: Reviews) -> None:
    frame = pd.DataFrame({"comment": reviews.texts, "label": reviews.labels})
    named = make(settings={"data.text_column": "comment"}).fit(frame[:64])
    assert named.predict(frame[64:]).shape == (16,)


def test_multi_label(make: Make, reviews: Reviews) -> None:
    y = [["good"] if label else ["bad", "dull"] for label in reviews.labels]
    classifier = make().fit(reviews.texts, y)
    assert classifier.classes_.tolist() == ["bad", "dull", "good"]
    found = classifier.predict(reviews.texts)
    assert found.shape == (80, 3)
    assert set(np.unique(found)) <= {0, 1}
    expected = np.array([[0, 0, 1] if label else [1, 1, 0] for label in reviews.labels])
    assert classifier.score(reviews.texts, y) == (found == expected).all(axis=1).mean()


def test_save_and_load(fitted: TextClassifier, reviews: Reviews, tmp_path: Path) -> None:
    fitted.save(tmp_path / "saved")
    loaded = TextClassifier.load(tmp_path / "saved")
    assert loaded.classes_.tolist() == fitted.classes_.tolist()
    np.testing.assert_allclose(
        loaded.predict_proba(reviews.texts), fitted.predict_proba(reviews.texts), atol=1e-6
    )
    assert loaded.config_.model_dump() == fitted.config_.model_dump()
    assert not list(tmp_path.rglob("*.pkl"))
    assert (tmp_path / "saved" / "report.html").is_file()
    with pytest.raises(RunError, match="there is a run"):
        fitted.save(tmp_path / "saved")
    loaded.save(tmp_path / "again")
    from_adapter = TextClassifier.load(tmp_path / "again" / "adapter")
    assert from_adapter.classes_.tolist() == fitted.classes_.tolist()


def test_clone_and_parameters(make: Make, fitted: TextClassifier) -> None:
    classifier = make(r=2, target_modules=["q"])
    twin = clone(classifier)
    assert twin.get_params() == classifier.get_params()
    assert twin.set_params(r=4).r == 4
    with pytest.raises(NotFittedError):
        clone(fitted).predict(["a"])


def test_the_same_seed_gives_the_same_answers(make: Make, reviews: Reviews) -> None:
    def answers(seed: int) -> Any:
        classifier = make(num_train_epochs=1, random_state=seed)
        return classifier.fit(reviews.texts, reviews.labels).predict_proba(reviews.texts)

    np.testing.assert_array_equal(answers(3), answers(3))
    assert not np.array_equal(answers(3), answers(4))


def test_cross_validation_and_grid_search(make: Make, reviews: Reviews) -> None:
    texts, labels = np.array(reviews.texts), np.array(reviews.labels)
    scores = cross_val_score(make(), texts, labels, cv=2)
    assert (scores > 0.7).all()
    search = GridSearchCV(make(), {"learning_rate": [1e-8, 1e-2]}, cv=2)
    search.fit(texts, labels)
    assert search.best_params_ == {"learning_rate": 1e-2}
    assert search.predict(texts).shape == (80,)


def test_pipeline(make: Make, reviews: Reviews) -> None:
    lower = FunctionTransformer(lambda texts: [text.lower() for text in texts])
    pipeline = Pipeline([("lower", lower), ("classify", make())])
    shouted = [text.upper() for text in reviews.texts]
    pipeline.fit(shouted, reviews.labels)
    assert pipeline.score(shouted, reviews.labels) > 0.7


def test_validation_rows_can_be_given(make: Make, reviews: Reviews) -> None:
    classifier = make(num_train_epochs=1)
    held_out = (reviews.texts[48:], reviews.labels[48:])
    classifier.fit(reviews.texts[:48], reviews.labels[:48], validation=held_out)
    assert [record.step for record in classifier.history_] == [0, 6]  # the start counts


def test_html_is_stripped_in_fit_as_in_predict(make: Make, reviews: Reviews) -> None:
    marked = [f"<p>{text}</p>" for text in reviews.texts]
    settings = {"data.strip_html": True}
    with_tags = make(settings=settings, num_train_epochs=1).fit(marked, reviews.labels)
    without = make(settings=settings, num_train_epochs=1).fit(reviews.texts, reviews.labels)
    np.testing.assert_array_equal(
        with_tags.predict_proba(marked), without.predict_proba(reviews.texts)
    )


def test_recipes_and_their_sources(make: Make, reviews: Reviews) -> None:
    classifier = make(recipe="distilbert-lora-bce", max_length=32, num_train_epochs=1)
    classifier.fit(reviews.texts, reviews.labels)
    assert classifier.config_.data.train is None
    assert classifier.predict_proba(["good"]).shape == (1, 2)
    assert TextClassifier(recipe="swap-backbone")._config().model.name_or_path == "roberta-base"
    assert TextClassifier()._config().model.name_or_path == "distilbert-base-uncased"


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"settings": {"r": 4}}, "no section.key"),
        ({"settings": {"lora.rank": 4}}, "no setting 'lora.rank'"),
        ({"pooling": "max"}, "model.pooling"),
        ({"recipe": "none"}, "no recipe"),
    ],
)
def test_wrong_settings(options: Any, error: str, make: Make, reviews: Reviews) -> None:
    with pytest.raises(ConfigError, match=error):
        make(**options).fit(reviews.texts, reviews.labels)


@pytest.mark.parametrize(
    ("texts", "labels"),
    [
        (["a", "b"], [1]),
        (["a", "b"], [1, 1]),
        (["a", None, "c", "d"], [0, 1, 0, 1]),
        ("text", [0]),
        ([], []),
    ],
)
def test_data_that_cannot_be_used(texts: Any, labels: Any, make: Make) -> None:
    with pytest.raises(DataError):
        make().fit(texts, labels)


def test_predicting_takes_texts_only(fitted: TextClassifier) -> None:
    for texts in ("one text", pd.DataFrame({"x": ["a"]}), [None], [1.0]):
        with pytest.raises(DataError):
            fitted.predict(texts)
