"""Figures in words."""

from __future__ import annotations

import pytest

from textlora.metrics.classification import ClassificationMetrics, classification_metrics
from textlora.report import wording


def test_headline() -> None:
    right = [[0.1, 0.9]] * 3488 + [[0.9, 0.1]] * 512
    metrics = classification_metrics([1] * 4000, right, ["negative", "positive"])
    expected = "87.2 % of 4,000 test reviews right (95 % interval 86.1 to 88.2)"
    assert wording.headline(metrics, "test", "reviews") == expected


def test_multi_label_headline_says_what_right_means() -> None:
    metrics = classification_metrics([[1, 0]], [[0.9, 0.1]], ["a", "b"], multi_label=True)
    assert "1 test texts right in every label" in wording.headline(metrics, "test")


def test_the_headline_leads_with_what_is_judged_by() -> None:
    answers = [[0.9, 0.1]] * 80 + [[0.1, 0.9]] * 20
    metrics = classification_metrics([0] * 90 + [1] * 10, answers, ["no", "yes"])
    interval = "(95 % interval 82.6 to 94.5)"
    assert wording.headline(metrics, "test", metric="f1") == (
        f"macro F1 80.4 % on 100 test texts; 90.0 % right {interval}"
    )
    assert wording.headline(metrics, "test", metric="mcc") == (
        f"MCC 0.667 on 100 test texts; 90.0 % right {interval}"
    )


def test_the_headline_of_several_labels_has_both_f1() -> None:
    truth = [[1, 0], [1, 1], [0, 0], [0, 1]]
    answers = [[0.9, 0.1], [0.9, 0.1], [0.1, 0.1], [0.1, 0.1]]
    metrics = classification_metrics(truth, answers, ["a", "b"], multi_label=True)
    assert wording.headline(metrics, "test", metric="f1").startswith(
        "macro F1 50.0 %, micro F1 66.7 % on 4 test texts; all labels right in 50.0 % (95 %"
    )


def test_what_is_not_known_is_a_dash(metrics: ClassificationMetrics) -> None:
    assert wording.percent(None) == wording.decimal(None) == wording.count(None) == "–"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.4, "0 s"), (59.4, "59 s"), (59.6, "1 min 00 s"), (185, "3 min 05 s"), (7800, "2 h 10 min")],
)
def test_duration(seconds: float, words: str) -> None:
    assert wording.duration(seconds) == words


@pytest.mark.parametrize(
    ("amount", "words"),
    [
        *((0, "0 kB"), (24_400, "24 kB"), (999_499, "999 kB"), (999_500, "1 MB")),
        *((217_000_000, "217 MB"), (999_500_000, "1.0 GB"), (3_440_000_000, "3.4 GB")),
    ],
)
def test_size(amount: int, words: str) -> None:
    assert wording.size(amount) == words


@pytest.mark.parametrize(
    ("epoch", "words"), [(3.0, "3"), (0.5, "0.5"), (10.0, "10"), (1 / 3, "0.33")]
)
def test_epoch_number(epoch: float, words: str) -> None:
    assert wording.epoch_number(epoch) == words
