"""Where training starts: at the regression on the frozen encoder, which it must beat."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from support.tiny import Reviews
from textlora.baselines import FrozenEncoder
from textlora.data.python import parts_from_python
from textlora.files import RunFolder
from textlora.inference.predictor import Predictor
from textlora.model.heads import HeadSpec, classification_loss
from textlora.recipes import load_recipe
from textlora.training import job
from textlora.training.building import prepare
from textlora.training.start import SHARE_LEFT, flattened, start_at_regression

from .conftest import adapter_bytes, cut_and_resumed, interrupt

Run = Callable[..., Any]
Array = np.ndarray[Any, Any]
FROM_REGRESSION = {
    "model.head": "linear",
    "model.pooling": "mean",
    "model.head_init": "logistic_regression",
}
# Far too much: every epoch is worse than the start.
WRECKED = {**FROM_REGRESSION, "training.learning_rate": 3.0, "training.num_train_epochs": 3}


def labels_of(reviews: Reviews, kind: str) -> list[Any]:
    """Labels of as many classes, or several a text, one of them on every text."""
    comma = ["," in text for text in reviews.texts]
    if kind == "several labels":
        return [
            ["every", *(["good"] if label else []), *(["comma"] if has else [])]
            for label, has in zip(reviews.labels, comma, strict=True)
        ]
    if kind == "many classes":
        return [2 * label + has for label, has in zip(reviews.labels, comma, strict=True)]
    return list(reviews.labels)


def started(config: Any, reviews: Reviews, kind: str, forget: int | None = None) -> Any:
    """Return the untrained classifier at its start, the regression, and their rows.

    Args:
        config: the settings.
        reviews: the texts.
        kind: of labels.
        forget: class without training rows.
    """
    labels = labels_of(reviews, kind)
    data = config.data.model_copy(update={"train": None, "validation": None, "test": None})
    parts = parts_from_python(
        reviews.texts[:60], labels[:60], (reviews.texts[60:], labels[60:]), data
    )
    if forget is not None:
        kept = np.flatnonzero(parts.train.targets != forget)
        parts = replace(parts, train=parts.train.select(kept))
    prepared = prepare(config, parts)
    predictor, rows = prepared.classifier.predictor, prepared.rows()
    start_at_regression(predictor, rows, prepared.states, "accuracy")
    regression = FrozenEncoder(prepared.states, parts.labels.num_labels)
    regression.fit(rows["train"], rows["validation"])
    return predictor, regression, rows["validation"]


@pytest.mark.parametrize("path", ["fast", "plain"])
@pytest.mark.parametrize(
    ("kind", "loss", "forget"),
    [
        ("two classes", "auto", None),
        ("two classes", "bce", None),
        ("many classes", "auto", None),
        ("many classes", "auto", 2),
        ("several labels", "auto", None),
    ],
)
def test_the_untrained_classifier_answers_as_the_regression(
    kind: str, loss: str, forget: int | None, path: str, reviews: Reviews, make_config: Run
) -> None:
    config = make_config({**FROM_REGRESSION, "model.loss": loss, "compute.path": path})
    predictor, regression, rows = started(config, reviews, kind, forget)
    logits = predictor.logits(rows.sequences).astype(np.float64)
    expected = regression.predict_proba(rows)
    if kind == "several labels":
        always = (expected == 1).all(axis=0)
        assert always.any()
        assert (logits[:, always] > 0).all()
        odds = np.log(expected[:, ~always]) - np.log1p(-expected[:, ~always])
        # All are divided by one number, for which see below.
        scale = (logits[:, ~always] * odds).sum() / (odds**2).sum()
        assert 0 < scale <= 1 + 1e-4
        np.testing.assert_allclose(logits[:, ~always], scale * odds, atol=1e-4)
        return
    if loss == "bce":
        assert logits.shape[1] == 1
        odds = np.log(expected[:, 1]) - np.log(expected[:, 0])
        np.testing.assert_allclose(logits[:, 0], odds, atol=1e-4)
        return
    known = np.arange(expected.shape[1]) != forget
    # A constant that all classes share says nothing.
    np.testing.assert_allclose(
        centred(logits[:, known]), centred(np.log(expected[:, known])), atol=1e-4
    )
    answers = predictor.probabilities_of(logits.astype(np.float32))
    assert (answers[:, ~known] < 1e-3).all()
    np.testing.assert_array_equal(answers.argmax(axis=1), expected.argmax(axis=1))


def centred(logits: Array) -> Array:
    shifted: Array = logits - logits.mean(axis=1, keepdims=True)
    return shifted


def test_one_class_of_three_without_rows(reviews: Reviews, make_config: Run) -> None:
    """The regression has one unit then, for the two that have rows."""
    names = {"data.label_names": ["bad", "good", "fair"]}
    config = make_config({**FROM_REGRESSION, **names})
    three = replace(reviews, labels=[min(label, 1) for label in reviews.labels])
    three.labels[70:] = [2] * len(three.labels[70:])
    predictor, regression, rows = started(config, three, "two classes", None)
    logits = predictor.logits(rows.sequences).astype(np.float64)
    expected = regression.predict_proba(rows)
    odds = np.log(expected[:, 1]) - np.log(expected[:, 0])
    np.testing.assert_allclose(logits[:, 1] - logits[:, 0], odds, atol=1e-4)
    assert (predictor.probabilities_of(logits.astype(np.float32))[:, 2] < 1e-3).all()


def test_a_start_on_several_labels_that_is_sure_is_flattened() -> None:
    """Then there is something left to learn; an unsure one stays, and so do all answers."""
    head = HeadSpec("linear", "mean", "bce", 2, multi_label=True)
    truth = np.array([[0, 1], [1, 1], [1, 0], [0, 0]] * 2)
    states = np.random.default_rng(0).normal(size=(8, 12))
    fitted, biases = np.linalg.lstsq(states, 2.0 * truth - 1, rcond=None)[0].T, np.zeros(2)

    def loss_of(weights: Array) -> float:
        logits = torch.from_numpy(states @ weights.T + biases)
        return float(classification_loss(logits, torch.from_numpy(truth), "bce"))

    sure, unsure, random = 50 * fitted, 0.01 * fitted, loss_of(0 * fitted)
    assert loss_of(sure) < 0.01 * random
    assert loss_of(unsure) > SHARE_LEFT * random
    flat, _ = flattened(sure, biases, states, truth, head)
    assert loss_of(flat) == pytest.approx(SHARE_LEFT * random, rel=1e-3)
    np.testing.assert_allclose(flat / sure, (flat / sure)[0, 0])
    np.testing.assert_array_equal(flattened(unsure, biases, states, truth, head)[0], unsure)


def test_the_start_is_an_evaluation_and_training_goes_on_from_it(run: Run) -> None:
    done = run({**FROM_REGRESSION, "training.num_train_epochs": 3})
    assert [record.epoch for record in done.history] == [0, 1, 2, 3]
    assert done.history[0].step == 0
    assert done.history[0].accuracy >= 0.75
    assert not done.history[0].best
    assert sum(record.best for record in done.history) == 1
    assert done.config.training.second_try


def test_a_start_that_no_epoch_beats_is_kept(run: Run, reviews: Reviews) -> None:
    done = run({**WRECKED, "training.second_try": False})
    first, *later = done.history
    assert first.best
    assert first.step == 0
    assert max(record.accuracy for record in later) < first.accuracy
    assert done.results["validation"].metrics.accuracy == first.accuracy
    for name, weight in done.predictor.model.named_parameters():
        if "lora_B" in name:
            assert not weight.any(), name
    assert done.notices
    # What was saved is what was kept.
    saved = Predictor.load(done.folder.path).predict_proba(reviews.texts)
    np.testing.assert_allclose(saved, done.predictor.predict_proba(reviews.texts), atol=1e-5)


def test_the_second_try_has_a_lower_rate_and_there_is_no_third(run: Run) -> None:
    done = run(WRECKED)
    assert done.config.training.learning_rate == WRECKED["training.learning_rate"] / 4
    assert not done.config.training.second_try
    assert load_recipe(str(done.folder.config)).config().to_yaml() == done.config.to_yaml()
    assert [record.epoch for record in done.history] == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("changes", "nth"),
    [
        ({**WRECKED, "training.second_try": False}, 2),
        (WRECKED, 2),
        (WRECKED, 5),  # in the second try
        ({**FROM_REGRESSION, "training.num_train_epochs": 3, "lora.lora_dropout": 0.2}, 3),
        (
            {**FROM_REGRESSION, "training.num_train_epochs": 3, "training.contrastive_weight": 0.5},
            2,
        ),
    ],
)
def test_a_resumed_run_ends_in_the_same_bytes(
    changes: dict[str, Any], nth: int, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run(changes, "whole")
    done = cut_and_resumed(run, changes, nth, tmp_path, monkeypatch)
    assert adapter_bytes(done) == adapter_bytes(whole)
    assert done.config == whole.config
    told = [(record.step, record.accuracy, record.best) for record in whole.history]
    assert [(record.step, record.accuracy, record.best) for record in done.history] == told


def test_a_run_from_before_there_was_a_start_goes_on_as_it_began(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its settings lack `model.head_init`, and were all explicit otherwise."""
    changes = {**FROM_REGRESSION, "model.head_init": "random", "training.num_train_epochs": 3}
    whole = run(changes, "whole")
    interrupt(monkeypatch, 2)
    with pytest.raises(KeyboardInterrupt):
        run(changes, "cut")
    monkeypatch.undo()
    folder = RunFolder(tmp_path / "cut")
    lines = folder.config.read_text().splitlines(keepends=True)
    new = ("head_init", "contrastive_weight", "second_try")
    folder.config.write_text("".join(line for line in lines if not line.strip().startswith(new)))
    done = job.train(load_recipe(str(folder.config)).config(), folder, resume=True)
    assert done.config.model.head_init == "random"
    assert adapter_bytes(done) == adapter_bytes(whole)
    assert all(record.step > 0 for record in done.history)


def test_nothing_looks_into_the_head_after_the_training(run: Run) -> None:
    done = run({**FROM_REGRESSION, "training.contrastive_weight": 0.5})
    assert not any(module._forward_pre_hooks for module in done.predictor.model.modules())
