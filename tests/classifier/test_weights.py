"""`sample_weight`: a text of weight 2 counts about as if it were there twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from support.tiny import Reviews
from textlora import TextClassifier
from textlora.errors import DataError

Make = Callable[..., TextClassifier]


@pytest.fixture(scope="module")
def torn(reviews: Reviews) -> tuple[list[str], np.ndarray[Any, Any]]:
    """Every text twice: once with its label, and once with the other one."""
    labels = np.array(reviews.labels)
    return [*reviews.texts, *reviews.texts], np.concatenate([labels, 1 - labels])


def test_the_heavier_labels_are_learnt(make_classifier: Make, reviews: Reviews, torn: Any) -> None:
    texts, labels = torn
    heavy = np.repeat([4.0, 0.25], 80)
    for weights, wanted in ((heavy, labels[:80]), (heavy[::-1], labels[80:])):
        validation = (reviews.texts, wanted)
        classifier = make_classifier().fit(texts, labels, weights, validation=validation)
        assert classifier.score(reviews.texts, wanted) > 0.8


def test_the_loss_weighs_them_alone(make_classifier: Make, reviews: Reviews, torn: Any) -> None:
    """Neither the start of the head nor validation rows need say which labels count."""
    texts, labels = torn
    heavy = np.repeat([4.0, 0.25], 80)
    plain = {"training.contrastive_weight": 0, "model.head_init": "random"}
    validation = (reviews.texts, reviews.labels)
    first = make_classifier(settings=plain).fit(texts, labels, heavy, validation=validation)
    assert first.score(reviews.texts, reviews.labels) > 0.8
    second = make_classifier(settings=plain).fit(texts, labels, heavy[::-1], validation=validation)
    assert second.score(reviews.texts, reviews.labels) < 0.2


def test_a_row_of_weight_0_is_as_good_as_absent(make_classifier: Make, reviews: Reviews) -> None:
    quick = {"num_train_epochs": 1}
    kept = np.arange(80) % 5 != 0
    texts, labels = np.array(reviews.texts), np.array(reviews.labels)
    without = make_classifier(**quick).fit(texts[kept], labels[kept])
    weightless = make_classifier(**quick).fit(texts, labels, sample_weight=kept.astype(int))
    np.testing.assert_array_equal(
        weightless.predict_proba(reviews.texts), without.predict_proba(reviews.texts)
    )
    third = np.where(kept, labels, 2)
    assert make_classifier(**quick).fit(texts, third, kept).classes_.tolist() == [0, 1]


def test_equal_weights_are_as_good_as_none(make_classifier: Make, reviews: Reviews) -> None:
    quick = {"num_train_epochs": 1}
    plain = make_classifier(**quick).fit(reviews.texts, reviews.labels)
    for weights in (np.full(80, 7), [1.0] * 80):
        weighted = make_classifier(**quick).fit(reviews.texts, reviews.labels, weights)
        np.testing.assert_allclose(
            weighted.predict_proba(reviews.texts), plain.predict_proba(reviews.texts), atol=1e-5
        )
    assert plain.history_[0].validation_loss == pytest.approx(
        weighted.history_[0].validation_loss, rel=1e-4
    )


def test_weights_follow_their_rows(make_classifier: Make, reviews: Reviews) -> None:
    texts: list[Any] = [None, *reviews.texts]  # set aside while reading
    labels, weights = [0, *reviews.labels], [9.0, *np.linspace(0.5, 1.5, 80)]
    skip = {"num_train_epochs": 1, "settings": {"data.on_bad_rows": "skip"}}
    with_bad = make_classifier(**skip).fit(texts, labels, weights)
    without = make_classifier(**skip).fit(texts[1:], labels[1:], weights[1:])
    np.testing.assert_array_equal(
        with_bad.predict_proba(reviews.texts), without.predict_proba(reviews.texts)
    )


def test_several_labels(make_classifier: Make, reviews: Reviews, torn: Any) -> None:
    texts, labels = torn
    matrix = np.stack([labels, 1 - labels], axis=1)
    own = matrix[:80]
    classifier = make_classifier(num_train_epochs=6)
    classifier.fit(texts, matrix, np.repeat([4.0, 0.25], 80), validation=(reviews.texts, own))
    assert classifier.score(reviews.texts, own) > 0.8


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.ones(79), "80 texts and 79 weights"),
        (np.ones((80, 1)), r"shape \(80, 1\)"),
        (2.0, r"shape \(\)"),
        ([1.0] * 79 + [-1.0], "line 79: -1 is no weight"),
        ([1.0] * 78 + [np.nan, 1], "line 78: nan is no weight"),
        ([np.inf] + [1.0] * 79, "line 0: inf is no weight"),
        (["heavy"] * 80, "no numbers"),
        (np.zeros(80), "all weights are 0"),
    ],
)
def test_what_is_no_weight(
    weights: Any, message: str, make_classifier: Make, reviews: Reviews
) -> None:
    with pytest.raises(DataError, match=f"sample_weight.*{message}"):
        make_classifier().fit(reviews.texts, reviews.labels, weights)
