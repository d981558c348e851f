"""What the baselines learn, on labels of every kind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.examples import examples
from support.frozen import frozen_states
from support.tiny import Reviews
from textlora.baselines.frozen import FrozenEncoder
from textlora.baselines.logistic import fit_logistic
from textlora.baselines.majority import MajorityClass
from textlora.baselines.protocol import LabelledTexts, measure
from textlora.baselines.tfidf import TfidfLogisticRegression
from textlora.data.cutting import Truncation
from textlora.data.tokenizing import tokenize
from textlora.evaluation.candidates import Answers
from textlora.model.backbones import Backbone

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
    shape = (16, baseline.classes)
    assert result.validation.shape == result.judged.shape == shape
    assert ((result.judged >= 0) & (result.judged <= 1)).all()
    if parts["test"].targets.ndim == 1:
        np.testing.assert_allclose(result.judged.sum(axis=1), 1)
    return Answers.of(parts["test"].targets, result.judged).accuracy


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
    results = [
        measure(TfidfLogisticRegression(classes), train, validation, each) for each in (test, other)
    ]
    np.testing.assert_array_equal(results[0].judged, results[1].judged)


@examples(20)
@given(st.integers(0, 100))
def test_the_penalty_is_the_best_on_validation(seed: int) -> None:
    draw = np.random.default_rng(seed)
    features, targets = draw.normal(size=(60, 8)), draw.integers(3, size=60)
    held_out, truth = draw.normal(size=(40, 8)), draw.integers(3, size=40)

    def right(strengths: tuple[float, ...]) -> float:
        model = fit_logistic(features, targets, held_out, truth, classes=3, strengths=strengths)
        return Answers.of(truth, model.predict_proba(held_out)).accuracy

    strengths = (0.01, 1.0, 100.0)
    assert right(strengths) == max(right((each,)) for each in strengths)


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
    assert Answers.of(rows.targets, result.judged).accuracy == 1
    assert result.judged is result.validation
