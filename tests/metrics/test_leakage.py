"""Copied rows apart from clean ones."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn.metrics import f1_score

from textlora.metrics.comparison import Predictions
from textlora.metrics.subsets import Leakage, RowScores, measure_leakage
from textlora.report.wording import leakage_sentence


def leakage(rows: int, copies: int) -> Leakage | None:
    """Every second clean row is wrong, no copied one."""
    truth = np.arange(rows) % 3
    predicted = np.where(np.arange(rows) % 2, (truth + 1) % 3, truth)
    copied = np.arange(rows) < copies
    predicted[copied] = truth[copied]
    return measure_leakage("test", Predictions(truth, predicted, 3), copied)


def test_figures_with_and_without_the_copies() -> None:
    found = leakage(400, 100)
    assert found is not None
    assert (found.rows, found.share, found.matters) == (100, 0.25, True)
    assert found.copies == RowScores(1.0, 1.0)
    assert found.clean is not None
    assert found.clean.accuracy == pytest.approx(0.5)
    assert json.loads(json.dumps(found.to_dict()))["clean"]["accuracy"] == found.clean.accuracy


def test_what_is_said() -> None:
    found = Leakage("test", 125, 0.3125, RowScores(0.976, 0.951), RowScores(0.804, 0.544))
    assert leakage_sentence(found) == (
        "31.2 % of the test rows (125) stand in the training rows, too: 97.6 % of them are right, "
        "80.4 % of the rest (macro F1 95.1 % and 54.4 %)."
    )
    assert "97.6 % of them are right in every label" in leakage_sentence(found, multi_label=True)
    everything = leakage(40, 40)
    assert everything is not None
    assert everything.clean is None
    assert leakage_sentence(everything).startswith("All test rows stand in the training rows, too")


@pytest.mark.parametrize(
    ("rows", "copies", "matters"), [(400, 4, False), (400, 5, True), (600, 5, False)]
)
def test_from_when_on_it_matters(rows: int, copies: int, matters: bool) -> None:
    found = leakage(rows, copies)
    assert found is not None
    assert found.matters == matters


def test_no_copies_no_leakage() -> None:
    assert leakage(400, 0) is None


def test_macro_f1_is_over_the_classes_that_occur() -> None:
    truth, predicted = np.array([0, 0, 1, 2]), np.array([0, 1, 1, 2])
    expected = f1_score(truth, predicted, average="macro")
    assert RowScores.of(Predictions(truth, predicted, 9)).macro_f1 == pytest.approx(expected)
    several = np.array([[1, 0, 0], [1, 0, 0]]), np.array([[1, 0, 0], [0, 0, 0]])
    assert RowScores.of(Predictions(*several, 3)).macro_f1 == pytest.approx(2 / 3)
    none = np.zeros((2, 3), np.int64)
    assert RowScores.of(Predictions(none, none, 3)).macro_f1 == 0
