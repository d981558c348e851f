"""The metric that classifiers are judged by: what was asked for is what decides."""

from __future__ import annotations

from typing import Literal

from textlora.evaluation.scores import IntArray
from textlora.evaluation.statistics import (
    RowStatistic,
    accuracy_of_rows,
    macro_f1_of_rows,
    mcc_of_rows,
)

Metric = Literal["accuracy", "f1", "mcc"]
MetricForBestModel = Literal["auto", "accuracy", "f1", "loss", "mcc"]

NAMES: dict[Metric, str] = {"accuracy": "accuracy", "f1": "macro F1", "mcc": "MCC"}


def judging_metric(metric_for_best_model: MetricForBestModel, multi_label: bool) -> Metric:
    """Return what classifiers are compared by.

    A loss depends on how sure answers are, and a temperature changes it; so runs whose epoch is
    chosen by the loss are judged by accuracy, and by macro F1 where texts have several labels.

    Args:
        metric_for_best_model: what the kept epoch is chosen by; "auto" in settings that no
            training has settled, which say nothing.
        multi_label: whether a text may have any number of the labels.
    """
    if metric_for_best_model == "auto" or metric_for_best_model == "loss":
        return "f1" if multi_label else "accuracy"
    return metric_for_best_model


def metric_of_rows(
    metric: Metric, truth: IntArray, predicted: IntArray, classes: int
) -> RowStatistic:
    """Return a metric as a figure that follows from sums over rows.

    Args:
        metric: which.
        truth: class numbers `[n]`; multi-label: 0 or 1, `[n, k]`.
        predicted: likewise.
        classes: k.
    """
    if metric == "accuracy":
        return accuracy_of_rows(truth, predicted)
    of_rows = macro_f1_of_rows if metric == "f1" else mcc_of_rows
    return of_rows(truth, predicted, classes)
