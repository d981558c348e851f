"""Where accuracies stand on a line."""

from __future__ import annotations

import pytest

from textlora.evaluation import report_scales as scales
from textlora.evaluation.metrics import ClassificationMetrics, Interval, classification_metrics


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
