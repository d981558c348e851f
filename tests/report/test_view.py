"""What the template shows."""

from __future__ import annotations

import numpy as np
import pytest

from textlora.metrics.classification import (
    ClassificationMetrics,
    Interval,
    classification_metrics,
)
from textlora.metrics.subsets import accuracy_by_length, coverage_curve
from textlora.report import view
from textlora.report import view as scales
from textlora.report.view import PartSummary


def test_confusions_are_sorted_and_shared() -> None:
    probabilities = [[0.1, 0.8, 0.1]] * 4 + [[0.1, 0.1, 0.8]] * 2
    metrics = classification_metrics([0, 0, 0, 1, 0, 2], probabilities, list("abc"))
    first, second = view.confusions(metrics)
    assert (first.true, first.predicted, first.count, first.share) == ("a", "b", 3, 0.75)
    assert (second.true, second.predicted, second.count) == ("a", "c", 1)


def test_pairs_that_are_mixed_up_are_named() -> None:
    truth = [0] * 5 + [1] * 4 + [2] * 3
    taken = [0, 1, 1, 1, 2, 1, 1, 1, 0, 2, 2, 2]
    metrics = classification_metrics(truth, np.eye(3)[taken], list("abc"))
    first, second = view.mixed_up(metrics)
    assert first == "a was taken for b in 3 of 5 texts, and b for a in 1 of 4."
    assert second == "a was taken for c in 1 of 5 texts, and c for a in 0 of 3."
    two = classification_metrics([0, 1], np.eye(2)[[1, 1]], ["a", "b"])
    assert view.mixed_up(two) == []


def test_recall_and_what_is_missed() -> None:
    metrics = classification_metrics([0, 0, 0, 1], np.eye(3)[[0, 0, 1, 1]], list("abc"))
    a, b, c = metrics.per_class
    assert [view.missed(entry) for entry in (a, b, c)] == [1, 0, 0]
    interval = view.recall_interval(a)
    assert interval is not None
    assert interval.low < 2 / 3 < interval.high
    assert view.recall_interval(c) is None


def test_what_is_kept_of_the_surest_answers() -> None:
    right = np.array([True] * 3 + [False] * 5)
    kept = view.kept_answers(coverage_curve(right, np.linspace(0.99, 0.5, 8)))
    assert [entry.coverage for entry in kept] == [1.0, 0.75, 0.5, 0.25]
    assert [entry.accuracy for entry in kept] == [3 / 8, 0.5, 0.75, 1.0]
    equal = view.kept_answers(coverage_curve(right, np.full(8, 0.7)))
    assert [(entry.coverage, entry.confidence) for entry in equal] == [(1.0, 0.7)]


def test_lengths_of_buckets() -> None:
    buckets = accuracy_by_length([3, 200, 9_000], [0, 0, 0], [0, 0, 0], max_length=2_000)
    assert [view.tokens_between(bucket) for bucket in buckets] == ["0 to 500", "over 2,000"]


def test_percent_signs_stay_with_their_numbers() -> None:
    assert view.unbroken("12.0 % of 5 small texts, 3 s") == "12.0\u00a0% of 5 small texts, 3\u00a0s"


def test_class_names_keep_the_models_order(metrics: ClassificationMetrics) -> None:
    part = PartSummary("training", 2, {"other": 1, "positive": 1})
    assert view.class_names(metrics, [part]) == ["negative", "positive", "other"]


def test_published_figures() -> None:
    shown = view.published_figures({"accuracy": 0.8713, "validation_loss": 0.35, "rows": 1000})
    assert shown == [("Accuracy", "87.1 %"), ("Validation loss", "0.35"), ("Rows", "1,000")]


def test_long_texts_are_cut_at_a_word_and_very_long_ones_twice() -> None:
    short = view.excerpt("fine")
    assert (short.beginning, short.whole) == ("fine", None)
    long = view.excerpt("word " * 400_000)
    assert long.beginning.endswith("word …")
    assert long.characters == 2_000_000
    assert long.whole is not None
    assert len(long.whole) < 5_100
    assert len(view.excerpt("x" * 1000).beginning) < 400


def test_moment() -> None:
    assert view.moment("2025-11-02T14:05:00+00:00") == "2 November 2025, 14:05 UTC"
    assert view.moment("yesterday") == "yesterday"


def test_what_html_forbids_is_replaced() -> None:
    assert view.printable("a\x00b\ud800c\td") == "a\ufffdb\ufffdc\td"
    assert view.printable("a\u202eb") == "a\ufffdb"
    assert view.printable(3) == 3


def test_a_scale_begins_at_a_round_number_below_all() -> None:
    scale = scales.Scale.holding([0.87, 0.52])
    assert scale.start == 0.4
    assert scale.position(0.4) == 0
    assert scale.position(1.0) == 100
    assert scale.width(Interval(0.7, 1.0)) == pytest.approx(50)


def test_the_headline_has_room_for_all_its_marks(metrics: ClassificationMetrics) -> None:
    scale, majority = scales.accuracy_scale(metrics), scales.majority_share(metrics)
    assert majority is not None
    interval = metrics.accuracy_interval
    for share in (majority, interval.low, metrics.accuracy, interval.high):
        assert 0 <= scale.position(share) <= 100


@pytest.mark.parametrize("right", [0, 1])
def test_scale_of_all_wrong_and_all_right(right: int) -> None:
    metrics = classification_metrics([1 - right] * 500, [[0.0, 1.0]] * 500, ["a", "b"])
    scale = scales.accuracy_scale(metrics)
    assert 0 <= scale.position(metrics.accuracy_interval.low) <= 100
    assert 0 <= scale.width(metrics.accuracy_interval) <= 100


def test_several_labels_have_no_majority() -> None:
    metrics = classification_metrics([[1, 0]], [[0.9, 0.2]], ["a", "b"], multi_label=True)
    assert scales.majority_share(metrics) is None
    assert scales.accuracy_scale(metrics).start < 1
