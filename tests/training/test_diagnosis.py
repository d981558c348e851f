"""Trainings that went wrong: each gets one sentence, and a good one gets none."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from support.settled import settled_config, settled_training
from textlora.metrics.classification import ClassificationMetrics, classification_metrics
from textlora.metrics.records import EpochRecord
from textlora.model.heads import classification_loss
from textlora.training.deciding import notices, second_try_of, trivial_loss


def epoch(
    number: int, loss: float | None, accuracy: float, *, best: bool = False, f1: float | None = None
) -> EpochRecord:
    score = accuracy if f1 is None else f1
    return EpochRecord(number, 10 * number, loss, 0.5, accuracy, score, 0.5, 1e-4, 1.0, best)


def good(missed: bool = False) -> ClassificationMetrics:
    truth = np.array([0, 1, 2, 0, 1, 2])
    predicted = np.where(truth == 2, 0, truth) if missed else truth
    return classification_metrics(truth, np.eye(3)[predicted], ["a", "b", "c"])


@pytest.mark.parametrize("weights", [None, torch.tensor([1.0, 5.0, 0.5])])
def test_the_trivial_loss_is_the_least_of_one_answer_to_all(weights: torch.Tensor | None) -> None:
    targets = np.array([0, 0, 0, 1, 1, 2])
    free = torch.zeros(3, requires_grad=True)
    optimizer = torch.optim.LBFGS([free], max_iter=200)

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        logits = free.expand(len(targets), 3)
        loss = classification_loss(logits, torch.from_numpy(targets), "cross_entropy", weights)
        loss.backward()
        return loss

    optimizer.step(closure)
    assert trivial_loss(targets, 3, weights) == pytest.approx(float(closure().detach()), abs=1e-5)


@pytest.mark.parametrize(
    ("history", "told"),
    [
        ([epoch(1, 0.9, 0.6), epoch(2, 0.5, 0.7, best=True)], None),
        ([epoch(1, 1.11, 0.3), epoch(2, 1.10, 0.3, best=True)], "nothing was learnt"),
        ([epoch(0, None, 0.8, best=True), epoch(1, 0.5, 0.7)], "the start is kept"),
        (
            [epoch(0, None, 0.80, f1=0.79), epoch(1, 0.5, 0.78, best=True, f1=0.775)],
            "2.0 points of accuracy and 1.5 of macro F1 below the start",
        ),
        ([epoch(0, None, 0.80, f1=0.70), epoch(1, 0.5, 0.78, best=True, f1=0.75)], None),
        (
            [epoch(1, 0.9, 0.6), epoch(2, 0.8, 0.7), epoch(3, 0.4, 0.8, best=True)],
            "more epochs may do better",
        ),
    ],
)
def test_one_sentence_for_what_went_wrong(history: list[EpochRecord], told: str | None) -> None:
    found = notices(history, good(), 1.0986, settled_training())
    assert len(found) == (told is not None)
    assert all(told in sentence for sentence in found if told is not None)


def test_classes_never_found_are_named() -> None:
    history = [epoch(1, 0.9, 0.6), epoch(2, 0.5, 0.7, best=True)]
    (found,) = notices(history, good(missed=True), 1.0986, settled_training())
    assert "1 of 3 classes are never found: 'c'" in found
    assert "--class-weight balanced" in found
    (found,) = notices(
        history, good(missed=True), 1.0986, settled_training(class_weight="balanced")
    )
    assert "--class-weight" not in found


def test_there_is_no_third_try() -> None:
    config = settled_config(training={"learning_rate": 1e-3})
    again = second_try_of(config)
    assert again.training.learning_rate == pytest.approx(2.5e-4)
    assert not again.training.second_try
    assert config.training.second_try
