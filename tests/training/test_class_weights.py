"""Class weights: scikit-learn's definition, torch's gradients, and what they are for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_class_weight
from torch import Tensor
from torch.nn import functional

from support.examples import examples
from support.settled import settled_training
from support.tiny import Reviews
from textlora.errors import ConfigError
from textlora.inference.predictor import Predictor
from textlora.model.heads import classification_loss
from textlora.training.arguments import class_weights, training_arguments
from textlora.training.trainer import ClassifierTrainer, LabelledSequences

FEW = examples(20)
SEEDS = st.integers(0, 2**32 - 1)


def weights_of(*arguments: Any) -> Tensor:
    found = class_weights(*arguments)
    assert found is not None
    return found


def assert_same(ours: Tensor, torchs: Tensor, logits: Tensor) -> None:
    """The same value and the same gradient."""
    torch.testing.assert_close(ours, torchs)
    gradients = [torch.autograd.grad(loss, logits)[0] for loss in (ours, torchs)]
    torch.testing.assert_close(*gradients)


@FEW
@given(SEEDS, st.integers(2, 4))
def test_cross_entropy(seed: int, classes: int) -> None:
    torch.manual_seed(seed)
    logits = torch.randn(6, classes, requires_grad=True)
    targets, weights = torch.randint(classes, (6,)), torch.rand(classes) + 0.1
    ours = classification_loss(logits, targets, "cross_entropy", weights)
    assert_same(ours, functional.cross_entropy(logits, targets, weights), logits)


@FEW
@given(SEEDS)
def test_one_unit_is_two_classes(seed: int) -> None:
    torch.manual_seed(seed)
    logits = torch.randn(6, 1, requires_grad=True)
    targets, weights = torch.randint(2, (6,)), torch.rand(2) + 0.1
    both = torch.cat([torch.zeros_like(logits), logits], dim=1)
    ours = classification_loss(logits, targets, "bce", weights)
    assert_same(ours, functional.cross_entropy(both, targets, weights), logits)


@FEW
@given(SEEDS, st.integers(1, 4))
def test_a_named_label_is_torchs_pos_weight(seed: int, classes: int) -> None:
    torch.manual_seed(seed)
    logits = torch.randn(6, classes, requires_grad=True)
    targets = torch.randint(2, (6, classes)).float()
    names = [str(number) for number in range(classes)]
    weights = weights_of({"0": 3.0}, targets.numpy(), names)
    presence = torch.tensor([3.0] + [1.0] * (classes - 1))
    torchs = functional.binary_cross_entropy_with_logits(logits, targets, pos_weight=presence)
    assert_same(classification_loss(logits, targets, "bce", weights), torchs, logits)


@FEW
@given(SEEDS, st.integers(2, 4))
def test_balanced_is_scikit_learns(seed: int, classes: int) -> None:
    random = np.random.default_rng(seed)
    targets = random.permutation([*range(classes), *random.integers(0, classes, 20)])
    names = [str(number) for number in range(classes)]
    expected = compute_class_weight("balanced", classes=np.arange(classes), y=targets)
    found = weights_of("balanced", targets, names)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert found[targets].mean() == pytest.approx(1)  # the learning rate means what it meant
    several = random.integers(0, 2, (30, classes)).astype(np.float32)
    several[:2] = [[0] * classes, [1] * classes]
    each = weights_of("balanced", several, names)
    for number, column in enumerate(several.T):
        expected = compute_class_weight("balanced", classes=np.array([0, 1]), y=column)
        np.testing.assert_allclose(each[:, number], expected, rtol=1e-6)


def test_weights_of_one_change_nothing() -> None:
    logits, targets = torch.randn(4, 3), torch.tensor([0, 2, 1, 2])
    plain = classification_loss(logits, targets, "cross_entropy")
    torch.testing.assert_close(
        classification_loss(logits, targets, "cross_entropy", torch.ones(3)), plain
    )
    labels = torch.tensor([[0.0, 1.0, 1.0]] * 4)
    torch.testing.assert_close(
        classification_loss(logits, labels, "bce", torch.ones(2, 3)),
        classification_loss(logits, labels, "bce"),
    )


def test_a_class_without_rows_weighs_one() -> None:
    assert weights_of("balanced", np.array([0, 0, 2, 2]), list("abc")).tolist() == [1, 1, 1]
    none = weights_of("balanced", np.zeros((3, 2), np.float32), list("ab"))
    assert none.tolist() == [[1, 1], [1, 1]]


def test_names() -> None:
    assert class_weights(None, np.array([0, 1]), ["a", "b"]) is None
    assert weights_of({"b": 5}, np.array([0, 1]), ["a", "b"]).tolist() == [1, 5]
    with pytest.raises(ConfigError, match="'x' is no class") as error:
        class_weights({"x": 5}, np.array([0, 1]), ["a", "b"])
    assert "a, b" in error.value.remedy


def test_the_trainer_weighs_training_and_validation_alike(
    finished: Any, reviews: Reviews, tmp_path: Path
) -> None:
    predictor = Predictor.load(finished.folder.path)
    targets = np.array(reviews.labels)
    sequences = predictor.sequences(reviews.texts)
    rows = LabelledSequences(sequences, targets, sequences.text_offsets)
    weights = torch.tensor([1.0, 9.0])
    trainer = ClassifierTrainer(
        predictor.model,  # type: ignore[arg-type]
        head=predictor.spec.head,
        forward=predictor.forward,
        window_pooling="mean",
        metrics=lambda *_: {"accuracy": 0.0},
        args=training_arguments(settled_training(), tmp_path),
        train_dataset=rows,
        eval_dataset=rows,
        callbacks=[],
        class_weights=weights,
    )
    logits = torch.from_numpy(predictor.logits(sequences))
    expected = float(functional.cross_entropy(logits, torch.from_numpy(targets), weights))
    batch = trainer.data_collator([rows[row] for row in range(len(rows))])
    trainer.model.eval()
    with torch.no_grad():
        training = float(trainer.compute_loss(predictor.model, batch))
    trainer.create_optimizer_and_scheduler(1)
    assert training == pytest.approx(expected, rel=1e-4)
    assert trainer.evaluate()["eval_loss"] == pytest.approx(expected, rel=1e-4)
