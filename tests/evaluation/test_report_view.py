"""What the template is given."""

from __future__ import annotations

import pytest

from textlora.evaluation import report_view as view
from textlora.evaluation.metrics import ClassificationMetrics, classification_metrics
from textlora.evaluation.records import EpochRecord, PartSummary


def test_scale_holds_all_marks(metrics: ClassificationMetrics) -> None:
    scale = view.accuracy_scale(metrics)
    assert scale.majority is not None
    assert scale.majority_position is not None
    assert 0 <= scale.low <= scale.value <= scale.high <= 100
    assert 0 <= scale.majority_position <= 100
    assert 0 <= scale.start < metrics.accuracy


@pytest.mark.parametrize("right", [0, 1])
def test_scale_of_all_wrong_and_all_right(right: int) -> None:
    metrics = classification_metrics([1 - right] * 500, [[0.0, 1.0]] * 500, ["a", "b"])
    scale = view.accuracy_scale(metrics)
    assert 0 <= scale.low <= scale.high <= 100


def test_confusions_are_sorted_and_shared() -> None:
    probabilities = [[0.1, 0.8, 0.1]] * 4 + [[0.1, 0.1, 0.8]] * 2
    metrics = classification_metrics([0, 0, 0, 1, 0, 2], probabilities, list("abc"))
    first, second = view.confusions(metrics)
    assert (first.true, first.predicted, first.count, first.share) == ("a", "b", 3, 0.75)
    assert (second.true, second.predicted, second.count) == ("a", "c", 1)


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
    assert view.printable(3) == 3


def test_plots_are_described(metrics: ClassificationMetrics, history: list[EpochRecord]) -> None:
    def describe(name: str) -> str:
        return view.plot_description(name, metrics, "test", history, 512, 0.123)

    assert "83.1 % to 87.2 %" in describe("learning_curves")
    assert "Epoch 2 was kept" in describe("learning_curves")
    assert "12.3 % are longer than 512 tokens" in describe("length_histogram")
    assert "class positive" in describe("roc_and_precision_recall")
    assert "Of " in describe("confusion_matrix")
    assert describe("something_new") == "Something new."
