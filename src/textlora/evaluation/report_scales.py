"""Accuracies and their intervals as marks on a line."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from textlora.evaluation.candidates import Candidate
from textlora.evaluation.judging import Metric
from textlora.evaluation.length_buckets import LengthBucket
from textlora.evaluation.metrics import ClassificationMetrics, Interval


@dataclass(frozen=True)
class Scale:
    """A line from `start` to 1; positions on it are percent of its length.

    What is below `start` stands there.
    """

    start: float

    @classmethod
    def holding(cls, shares: Iterable[float]) -> Scale:
        """Return the scale on which all these shares have a place, from a round number on."""
        return cls(max(0.0, math.floor(min(shares) * 10 - 0.5) / 10))

    def position(self, share: float) -> float:
        """Return where a share stands."""
        return round(100 * max(0.0, share - self.start) / (1 - self.start), 2)

    def width(self, interval: Interval) -> float:
        """Return how long an interval is."""
        return round(self.position(interval.high) - self.position(interval.low), 2)


def majority_share(metrics: ClassificationMetrics) -> float | None:
    """Return the accuracy of always answering the most frequent class; None if multi-label."""
    if metrics.multi_label:
        return None
    return max(entry.support for entry in metrics.per_class) / metrics.rows


def accuracy_scale(metrics: ClassificationMetrics) -> Scale:
    """Return the line for the headline: accuracy, its interval, the most frequent class."""
    majority = majority_share(metrics)
    shares = [metrics.accuracy_interval.low] + ([] if majority is None else [majority])
    return Scale.holding(shares)


def candidates_scale(candidates: Sequence[Candidate], metric: Metric = "accuracy") -> Scale:
    """Return the line on which all candidates of a verdict stand, by what they are judged by."""
    return Scale.holding(each.figure(metric)[1].low for each in candidates)


def buckets_scale(buckets: Sequence[LengthBucket]) -> Scale:
    """Return the line on which texts of all lengths stand."""
    return Scale.holding(bucket.interval.low for bucket in buckets)
