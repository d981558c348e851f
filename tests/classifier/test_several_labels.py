"""Several labels per text: a matrix of 0 and 1 in and out, in scikit-learn's manner."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix
from sklearn.exceptions import DataConversionWarning
from sklearn.metrics import accuracy_score, f1_score
from sklearn.model_selection import cross_val_score

from support.tiny import Reviews
from textlora import TextClassifier
from textlora.errors import DataError

Make = Callable[..., TextClassifier]


@pytest.fixture(scope="module")
def matrix(reviews: Reviews) -> np.ndarray[Any, Any]:
    """Bad, dull, good; no row has the fourth, one has the fifth and all have the sixth."""
    rows = [[0, 0, 1, 0, 0, 1] if label else [1, 1, 0, 0, 0, 1] for label in reviews.labels]
    rows[3][4] = 1
    return np.array(rows)


@pytest.fixture(scope="module")
def fitted(make_classifier: Make, reviews: Reviews, matrix: Any) -> TextClassifier:
    return make_classifier(num_train_epochs=6).fit(reviews.texts, matrix)


def test_a_matrix_in_and_out(fitted: TextClassifier, reviews: Reviews, matrix: Any) -> None:
    assert fitted.classes_.tolist() == [0, 1, 2, 3, 4, 5]
    predicted, found = fitted.predict(reviews.texts), fitted.predict_proba(reviews.texts)
    assert predicted.shape == found.shape == (80, 6)
    assert predicted.dtype.kind == "i"
    assert f1_score(matrix[:, :3], predicted[:, :3], average="macro") > 0.8
    assert fitted.predict([]).shape == (0, 6)


def test_constant_columns_are_learnt_as_such(fitted: TextClassifier, reviews: Reviews) -> None:
    predicted = fitted.predict([*reviews.texts, "film", "a story"])
    assert not predicted[:, 3].any()
    assert predicted[:, 5].all()


def test_score_is_the_share_of_exact_matches(
    fitted: TextClassifier, reviews: Reviews, matrix: Any
) -> None:
    predicted = fitted.predict(reviews.texts)
    expected = accuracy_score(matrix, predicted)
    assert 0 < expected < 1  # one row has a label that it could not learn
    lists = [[str(column) for column in np.flatnonzero(row)] for row in matrix]
    for truth in (matrix, matrix.tolist(), csr_matrix(matrix), pd.DataFrame(matrix), lists):
        assert fitted.score(reviews.texts, truth) == pytest.approx(expected)
    weights = np.linspace(0, 1, 80)
    assert fitted.score(reviews.texts, matrix, weights) == pytest.approx(
        accuracy_score(matrix, predicted, sample_weight=weights)
    )
    assert fitted.score(reviews.texts, 1 - matrix) == 0
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        fitted.score(reviews.texts[:9], matrix)


def test_every_kind_of_matrix_trains_the_same(
    make_classifier: Make, reviews: Reviews, matrix: Any
) -> None:
    found = []
    for labels in (matrix[:, :3], csr_matrix(matrix[:, :3]), matrix[:, :3].astype(bool).tolist()):
        classifier = make_classifier(num_train_epochs=1).fit(reviews.texts, labels)
        found.append(classifier.predict_proba(reviews.texts))
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])


def test_a_frame_names_the_labels_and_they_outlive_a_save(
    make_classifier: Make, reviews: Reviews, matrix: Any, tmp_path: Path
) -> None:
    frame = pd.DataFrame(matrix[:, :3], columns=["poor", "dull", "fine"])
    classifier = make_classifier(num_train_epochs=3)
    classifier.fit(
        reviews.texts, frame, validation=(reviews.texts, frame[["fine", "dull", "poor"]])
    )
    assert classifier.classes_.tolist() == ["poor", "dull", "fine"]
    turned = frame[["fine", "poor", "dull"]]
    assert classifier.score(reviews.texts, turned) == classifier.score(reviews.texts, frame) > 0.5
    classifier.save(tmp_path / "run")
    loaded = TextClassifier.load(tmp_path / "run")
    assert loaded.classes_.tolist() == ["poor", "dull", "fine"]
    assert loaded.score(reviews.texts, frame) == classifier.score(reviews.texts, frame)


def test_numbered_columns_outlive_a_save(
    fitted: TextClassifier, reviews: Reviews, matrix: Any, tmp_path: Path
) -> None:
    fitted.save(tmp_path / "run")
    loaded = TextClassifier.load(tmp_path / "run")
    assert loaded.classes_.tolist() == [0, 1, 2, 3, 4, 5]
    assert loaded.score(reviews.texts, matrix) == fitted.score(reviews.texts, matrix)


def test_names_of_the_settings_name_the_columns(
    make_classifier: Make, reviews: Reviews, matrix: Any
) -> None:
    named = make_classifier(num_train_epochs=1, settings={"data.label_names": ["a", "b", "c"]})
    assert named.fit(reviews.texts, matrix[:, :3]).classes_.tolist() == ["a", "b", "c"]
    with pytest.raises(DataError, match="the labels are a, b, c"):
        named.fit(reviews.texts, matrix)


def test_cross_validation(make_classifier: Make, reviews: Reviews, matrix: Any) -> None:
    texts = np.array(reviews.texts)
    scores = cross_val_score(make_classifier(), texts, matrix[:, :3], cv=2)
    assert (scores > 0.5).all()
    by_f1 = cross_val_score(
        make_classifier(), texts, matrix[:, :3], cv=2, scoring="f1_macro", error_score="raise"
    )
    assert (by_f1 > 0.5).all()


def test_a_single_column_is_one_label_per_text(make_classifier: Make, reviews: Reviews) -> None:
    column = np.array(reviews.labels)[:, None]
    with pytest.warns(DataConversionWarning, match="column-vector"):
        classifier = make_classifier(num_train_epochs=1).fit(reviews.texts, column)
    assert classifier.predict(reviews.texts).shape == (80,)
    with warnings.catch_warnings():
        warnings.simplefilter("error", DataConversionWarning)
        frame = pd.DataFrame({"label": reviews.labels})
        classifier = make_classifier(num_train_epochs=1).fit(reviews.texts, frame)
    assert classifier.predict(reviews.texts).shape == (80,)


def test_as_many_rows_as_texts(make_classifier: Make, reviews: Reviews, matrix: Any) -> None:
    with pytest.raises(DataError, match="80 texts and 79 labels"):
        make_classifier().fit(reviews.texts, matrix[1:])
