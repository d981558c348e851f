"""Finished classifiers beside each other: which metric decides, and what is said."""

from __future__ import annotations

import numpy as np

from textlora.evaluation.candidates import Answers
from textlora.evaluation.console import side_by_side_table
from textlora.evaluation.judging import Metric, judging_metric
from textlora.evaluation.side_by_side import Contender, side_by_side

TRUTH = np.repeat([0, 0, 0, 0, 0, 0, 0, 0, 1, 2], 40)


def contender(name: str, *, rare: int, missed: int, metric: Metric | None) -> Contender:
    """Find so many of the 40 texts of each rare class, and miss so many of the frequent one."""
    predicted = np.zeros(400, dtype=int)
    for number in (1, 2):
        predicted[np.flatnonzero(number == TRUTH)[:rare]] = number
    predicted[np.flatnonzero(TRUTH == 0)[:missed]] = 1
    return Contender(name, Answers(TRUTH, predicted, 3), metric=metric)


def pair(first: Metric | None, second: Metric | None) -> list[Contender]:
    """The first is right more often; the second finds the rare classes."""
    plain = contender("plain", rare=13, missed=0, metric=first)
    return [plain, contender("balanced", rare=32, missed=46, metric=second)]


def test_a_better_macro_f1_is_told_though_the_accuracy_fell() -> None:
    found = side_by_side(pair("f1", "f1"), "test")
    assert found.metric == "f1"
    assert found.candidates[1].accuracy < found.candidates[0].accuracy
    assert found.candidates[1].macro_f1 > found.candidates[0].macro_f1 + 0.05
    assert found.sentence(1).startswith("balanced is better than plain: +")
    assert "points of macro F1 (95 % interval" in found.sentence(1)
    assert "bootstrap p" in found.sentence(1)
    assert found.to_dict()["metric"] == "f1"


def test_by_accuracy_the_same_two_cannot_be_told_apart() -> None:
    found = side_by_side(pair("accuracy", "accuracy"), "test")
    assert found.sentence(1).startswith("balanced cannot be told apart from plain: −2.0 points (")
    assert "McNemar p" in found.sentence(1)


def test_the_first_known_metric_decides_and_others_are_told_of() -> None:
    mixed = side_by_side(pair("f1", "accuracy"), "test")
    assert mixed.metric == "f1"
    assert "judged by macro F1 and accuracy" in mixed.notes[0]
    alone = side_by_side(pair(None, "mcc"), "test")
    assert (alone.metric, alone.notes) == ("mcc", ())
    assert side_by_side(pair(None, None), "test").metric == "accuracy"
    assert "MCC" in str([each.header for each in side_by_side_table(alone).renderables[0].columns])


def test_a_loss_cannot_be_compared_so_answers_are() -> None:
    assert judging_metric("loss", multi_label=False) == "accuracy"
    assert judging_metric("loss", multi_label=True) == "f1"
    assert judging_metric("accuracy", multi_label=True) == "accuracy"
    assert judging_metric("mcc", multi_label=True) == "mcc"
