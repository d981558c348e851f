"""How much each row counts in the loss."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from support.settled import settled_training
from support.tiny import Reviews
from textlora.data.loading import Part
from textlora.data.tables import TextTable
from textlora.inference.predictor import Predictor
from textlora.model.heads import Loss, classification_loss
from textlora.training.arguments import training_arguments
from textlora.training.trainer import ClassifierTrainer, LabelledSequences

TIMES = torch.tensor([2, 1, 3, 1])
RELATIVE = TIMES / TIMES.double().mean()

CASES: list[tuple[Loss, int, Tensor]] = [
    ("cross_entropy", 3, torch.tensor([0, 2, 1, 2])),
    ("bce", 1, torch.tensor([0, 1, 1, 0])),
    ("bce", 3, torch.tensor([[1.0, 0, 1], [0, 0, 0], [0, 1, 1], [1, 0, 0]])),
]


@pytest.mark.parametrize(("loss", "units", "targets"), CASES)
def test_a_weight_is_how_often_a_row_is_there(loss: Loss, units: int, targets: Tensor) -> None:
    logits = torch.randn(4, units, generator=torch.Generator().manual_seed(0))
    weighted = classification_loss(logits, targets, loss, row_weights=RELATIVE)
    repeated = classification_loss(
        logits.repeat_interleave(TIMES, dim=0), targets.repeat_interleave(TIMES, dim=0), loss
    )
    torch.testing.assert_close(weighted, repeated)
    ones = classification_loss(logits, targets, loss, row_weights=torch.ones(4))
    torch.testing.assert_close(ones, classification_loss(logits, targets, loss))


@pytest.mark.parametrize(("loss", "units", "targets"), CASES)
def test_a_row_counts_the_same_in_whatever_batch(loss: Loss, units: int, targets: Tensor) -> None:
    logits = torch.randn(4, units, generator=torch.Generator().manual_seed(1))
    whole = classification_loss(logits, targets, loss, row_weights=RELATIVE)
    alone = [
        classification_loss(logits[[row]], targets[[row]], loss, row_weights=RELATIVE[[row]])
        for row in range(4)
    ]
    torch.testing.assert_close(torch.stack(alone).mean(), whole)


def test_rows_and_classes_are_weighed_at_once() -> None:
    logits = torch.randn(4, 2, generator=torch.Generator().manual_seed(2))
    targets, classes = torch.tensor([0, 1, 1, 0]), torch.tensor([1.0, 3.0])
    rows = torch.tensor([1.0, 0.0, 0.0, 3.0])  # only those of the first class are left
    plain = classification_loss(logits[[0, 3, 3, 3]], targets[[0, 3, 3, 3]], "cross_entropy")
    found = classification_loss(logits, targets, "cross_entropy", classes, rows)
    torch.testing.assert_close(found, plain * 4 / 8)  # torch's mean divides by 1 + 3 + 3 + 1


def test_a_part_keeps_weights_with_their_rows() -> None:
    table = TextTable("t", ["a", "b", "c"], None, [0, 1, 2], [], None)
    part = Part(table, np.array([0, 1, 0]), np.array([1.0, 2.0, 6.0]))
    chosen = part.select(np.array([2, 1]))
    assert chosen.relative_weights is not None
    assert chosen.relative_weights.tolist() == [1.5, 0.5]
    assert Part(table, part.targets).select(np.array([1])).relative_weights is None


def test_the_trainer_weighs_training_and_validation_alike(
    finished: Any, reviews: Reviews, tmp_path: Path
) -> None:
    predictor = Predictor.load(finished.folder.path)
    sequences, targets = predictor.sequences(reviews.texts), np.array(reviews.labels)
    weights = np.linspace(0.1, 1.9, len(targets))
    rows = LabelledSequences(sequences, targets, sequences.text_offsets, weights)
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
    )
    logits = torch.from_numpy(predictor.logits(sequences))
    each = torch.nn.functional.cross_entropy(logits, torch.from_numpy(targets), reduction="none")
    expected = np.average(each.numpy(), weights=weights)
    trainer.model.eval()
    with torch.no_grad():
        batch = trainer.data_collator([rows[row] for row in range(len(rows))])
        training = float(trainer.compute_loss(predictor.model, batch))
    trainer.create_optimizer_and_scheduler(1)
    assert training == pytest.approx(expected, rel=1e-4)
    assert trainer.evaluate()["eval_loss"] == pytest.approx(expected, rel=1e-4)


def test_every_window_of_a_text_has_its_weight() -> None:
    offsets, weights = np.array([0, 2, 3]), np.array([0.5, 1.5])
    rows = LabelledSequences([[1], [2], [3]], np.array([0, 1]), offsets, weights)
    assert [rows[row]["weights"] for row in range(3)] == [0.5, 0.5, 1.5]
