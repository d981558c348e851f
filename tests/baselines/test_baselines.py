"""What the baselines learn, on labels of every kind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.preprocessing import StandardScaler

from support.examples import examples
from support.frozen import frozen_states
from support.tiny import Reviews
from textlora.baselines import (
    FrozenEncoder,
    LabelledTexts,
    MajorityClass,
    TfidfLogisticRegression,
    measure,
)
from textlora.baselines.logistic import (
    USUAL_STRENGTH,
    cross_validated_log_loss,
    fit_logistic,
    regression_layer,
)
from textlora.data.tokenizing import tokenize
from textlora.data.truncation import Truncation
from textlora.metrics.comparison import Predictions
from textlora.model.encoders import Backbone

KINDS = ("two classes", "three classes", "several labels")


def labels_of(texts: list[str], labels: list[int], kind: str) -> Any:
    """Two classes as they are; a third for texts with a comma; or both as labels of their own."""
    truth, comma = np.array(labels), np.array(["," in text for text in texts])
    if kind == "two classes":
        return truth
    if kind == "three classes":
        return np.where(comma, 2, truth)
    return np.stack([truth, comma.astype(int), np.ones_like(truth)], axis=1)


@pytest.fixture(params=KINDS)
def parts(
    request: pytest.FixtureRequest, reviews: Reviews, tiny: Callable[[str], Path]
) -> tuple[dict[str, LabelledTexts], int]:
    """The reviews in three parts, labelled in one of three ways, and the number of classes."""
    tokenizer = Backbone(str(tiny("distilbert"))).load_tokenizer()
    targets = labels_of(reviews.texts, reviews.labels, request.param)
    cut = Truncation(32, "right", 0.5)
    rows = {"train": slice(0, 48), "validation": slice(48, 64), "test": slice(64, 80)}
    named = {}
    for name, chosen in rows.items():
        texts = reviews.texts[chosen]
        sequences = tokenize(texts, tokenizer, cut=cut, cache_dir=None)
        named[name] = LabelledTexts(texts, sequences, targets[chosen])
    return named, 2 if request.param == "two classes" else 3


def accuracy(parts: dict[str, LabelledTexts], baseline: Any) -> float:
    result = measure(baseline, parts["train"], parts["validation"], parts["test"])
    assert result.seconds > 0
    assert result.size_bytes > 0
    assert result.validation is not None
    assert len(result.validation) == len(result.predictions) == 16
    probabilities = baseline.predict_proba(parts["test"])
    assert probabilities.shape == (16, baseline.classes)
    assert ((probabilities >= 0) & (probabilities <= 1)).all()
    if parts["test"].targets.ndim == 1:
        np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    return result.predictions.accuracy


def test_majority(parts: tuple[dict[str, LabelledTexts], int]) -> None:
    named, classes = parts
    train, test = named["train"].targets, named["test"].targets
    if train.ndim == 1:
        expected = np.mean(test == np.bincount(train).argmax())
    else:
        expected = np.mean((test == (train.mean(axis=0) >= 0.5)).all(axis=1))
    assert accuracy(named, MajorityClass(classes)) == pytest.approx(expected)


def test_tfidf_learns_words(parts: tuple[dict[str, LabelledTexts], int]) -> None:
    named, classes = parts
    assert accuracy(named, TfidfLogisticRegression(classes)) >= 0.8


def test_the_frozen_encoder_learns(
    parts: tuple[dict[str, LabelledTexts], int], tiny: Callable[[str], Path]
) -> None:
    named, classes = parts
    frozen = FrozenEncoder(frozen_states(tiny("distilbert")), classes)
    chance = accuracy(named, MajorityClass(classes))
    assert accuracy(named, frozen) >= chance + 0.15


def test_the_judged_rows_decide_nothing(parts: tuple[dict[str, LabelledTexts], int]) -> None:
    """Other labels of the test part change no answer."""
    named, classes = parts
    test = named["test"]
    other = LabelledTexts(test.texts, test.sequences, 1 - test.targets.clip(0, 1))
    train, validation = named["train"], named["validation"]
    probabilities = []
    for each in (test, other):
        baseline = TfidfLogisticRegression(classes)
        measure(baseline, train, validation, each)
        probabilities.append(baseline.predict_proba(each))
    np.testing.assert_array_equal(*probabilities)


@examples(10)
@given(st.integers(0, 100), st.sampled_from(["accuracy", "f1", "mcc"]))
def test_the_penalty_is_the_best_on_validation(seed: int, metric: Any) -> None:
    draw = np.random.default_rng(seed)
    features, targets = draw.normal(size=(60, 8)), draw.integers(3, size=60)
    held_out, truth = draw.normal(size=(200, 8)), draw.integers(3, size=200)

    def value(strengths: tuple[float, ...]) -> float:
        model = fit_logistic(
            features, targets, held_out, truth, classes=3, strengths=strengths, metric=metric
        )
        return Predictions.of(truth, model.predict_proba(held_out)).value(metric)

    strengths = (0.01, 1.0, 100.0)
    assert value(strengths) == max(value((each,)) for each in strengths)


@pytest.mark.parametrize(("rows", "misled"), [(2, False), (200, True)])
def test_few_validation_rows_do_not_choose_alone(rows: int, misled: bool) -> None:
    """The training rows have a say then, each held out once."""
    draw = np.random.default_rng(0)
    targets = np.repeat([0, 1], [60, 40])
    features = draw.normal(size=(100, 2)) + 4 * targets[:, None]
    wrong = np.full((rows, 2), 4.0)  # labelled as the larger class, which a strong penalty answers
    model = fit_logistic(features, targets, wrong, np.zeros(rows), classes=2, strengths=(1e-6, 1.0))
    answers = model.predict_proba(features).argmax(axis=1)
    assert (answers == 0).all() == misled
    assert (np.mean(answers == targets) > 0.95) == (not misled)


def test_macro_f1_tries_balanced_weights() -> None:
    draw = np.random.default_rng(0)
    targets = np.repeat([0, 1], [360, 40])
    features = draw.normal(size=(400, 3)) + 1.5 * targets[:, None]
    found = {}
    for metric in ("accuracy", "f1"):
        model = fit_logistic(
            *(features, targets, features, targets),
            **{"classes": 2, "strengths": (1e-4,), "metric": metric},  # type: ignore[arg-type]
        )
        found[metric] = Predictions.of(targets, model.predict_proba(features)).value("f1")
    assert found["f1"] > found["accuracy"] + 0.02


def test_a_row_of_weight_2_is_there_twice() -> None:
    draw = np.random.default_rng(0)
    features, targets = draw.normal(size=(40, 3)), draw.integers(3, size=40)
    times = np.where(np.arange(40) % 3, 1, 2)
    held_out, truth = draw.normal(size=(200, 3)), draw.integers(3, size=200)
    answers = []
    for rows, weights in (
        (np.arange(40), times.astype(float)),
        (np.repeat(range(40), times), None),
    ):
        model = fit_logistic(
            *(features[rows], targets[rows], held_out, truth),
            **{"classes": 3, "strengths": (0.1,), "weights": weights},  # type: ignore[arg-type]
        )
        answers.append(model.predict_proba(held_out))
    np.testing.assert_allclose(*answers, atol=1e-3)


@pytest.mark.parametrize("kind", [1, 2])
def test_a_class_of_one_row_is_held_out_with_the_rest(kind: int) -> None:
    """The rows that are left to learn from are of one class then."""
    draw = np.random.default_rng(0)
    features, targets = draw.normal(size=(24, 3)), np.eye(1, 24, dtype=int)[0]
    if kind == 2:
        targets = np.stack([targets, 1 - targets], axis=1)
    model = fit_logistic(
        *(features, targets, features[:2], targets[:2]), classes=2, strengths=(0.1, 1.0)
    )
    assert model.predict_proba(features).shape == (24, 2)
    assert cross_validated_log_loss(features, targets, judged=np.arange(24)) > 0


@pytest.mark.parametrize(
    "targets", [[0, 1], [0, 1, 2], [0, 2], [0, 1, 3], [[0, 1, 1], [1, 0, 1]]], ids=str
)
def test_the_linear_layer_says_the_same(targets: list[Any]) -> None:
    """One unit for two classes; what training never saw is ruled out."""
    draw = np.random.default_rng(0)
    truth = np.array(targets * 12)
    classes = 3 if truth.ndim == 2 else max(int(truth.max()) + 1, 2)
    features = 5 * draw.normal(size=(len(truth), 6)) + 3
    weights, biases = regression_layer(features, truth, classes=classes)
    scaler = StandardScaler().fit(features)
    model = fit_logistic(
        *(scaler.transform(features), truth, scaler.transform(features), truth),
        **{"classes": classes, "strengths": (USUAL_STRENGTH,)},  # type: ignore[arg-type]
    )
    logits = features @ weights.T + biases
    expected = model.predict_proba(scaler.transform(features))
    if truth.ndim == 2:
        found = 1 / (1 + np.exp(-logits))
    elif classes == 2:
        assert weights.shape == (1, 6)
        second = 1 / (1 + np.exp(-logits[:, 0]))
        found = np.stack([1 - second, second], axis=1)
    else:
        shares = np.exp(logits - logits.max(axis=1, keepdims=True))
        found = shares / shares.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_a_class_without_training_rows_gets_no_probability() -> None:
    draw = np.random.default_rng(0)
    features = draw.normal(size=(20, 3))
    model = fit_logistic(
        features, np.repeat([0, 3], 10), features, np.full(20, 2), classes=4, strengths=(1.0,)
    )
    answers = model.predict_proba(features)
    assert (answers[:, [1, 2]] == 0).all()
    np.testing.assert_allclose(answers.sum(axis=1), 1)


@pytest.mark.parametrize("texts", [["?!", "🙂", "。", "a"], ["one", "two", "three", "four"]])
def test_texts_without_common_words(texts: list[str], tiny: Callable[[str], Path]) -> None:
    """Signs alone, words of one letter, and words that all occur once are no reason to stop."""
    tokenizer = Backbone(str(tiny("distilbert"))).load_tokenizer()
    cut = Truncation(16, "right", 0.5)
    sequences = tokenize(texts, tokenizer, cut=cut, cache_dir=None)
    rows = LabelledTexts(texts, sequences, np.array([0, 1, 0, 1]))
    result = measure(TfidfLogisticRegression(2), rows, rows, None)
    assert result.predictions.accuracy == 1
    assert result.predictions is result.validation
