"""The report's plots in words, for those who do not see them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from textlora.evaluation.calibration import Calibration
from textlora.evaluation.coverage import CoverageCurve
from textlora.evaluation.metrics import ClassificationMetrics
from textlora.evaluation.records import EpochRecord
from textlora.evaluation.report_view import kept_answers
from textlora.evaluation.wording import count, decimal, epoch_number, percent

if TYPE_CHECKING:
    from textlora.evaluation.report import ReportData


def plot_description(name: str, data: ReportData) -> str:
    """Say what a plot shows.

    Args:
        name: the plot's name, one of `plots.TITLES`.
        data: what the report is about.
    """
    metrics = data.lead
    if name == "learning_curves" and data.history:
        return _history(data.history)
    if name == "confusion_matrix" and metrics.confusion_matrix is not None:
        return f"Rows: the label; columns: the answer. {_recalls(metrics)}"
    if name == "roc_and_precision_recall":
        area = "" if metrics.roc_auc is None else f" Area under ROC {decimal(metrics.roc_auc)}."
        return (
            f"What could be had at other thresholds, for {_curves_of(metrics)}: the nearer to the "
            f"corner, the better.{area}"
        )
    if name == "length_histogram":
        cut = truncation_in_words(data.max_length, data.truncated_share)
        return f"Training texts by their number of tokens. {cut}".strip()
    if name == "reliability_diagram" and data.calibration is not None:
        return _reliability(data.calibration)
    if name == "coverage_accuracy" and data.decision_figures is not None:
        return _coverage(data.decision_figures.curve)
    return f"{name.replace('_', ' ').capitalize()}."


def truncation_in_words(max_length: int | None, truncated_share: float | None) -> str:
    """Say how many texts are cut; nothing where that is not known."""
    if max_length is None or truncated_share is None:
        return ""
    return (
        f"{percent(truncated_share)} are longer than {count(max_length)} tokens; "
        "the model does not see the rest of these."
    )


def _history(history: Sequence[EpochRecord]) -> str:
    first, last = history[0], history[-1]
    kept = next((record for record in history if record.best), None)
    words = f"Validation accuracy went from {percent(first.accuracy)} to {percent(last.accuracy)}"
    if first.validation_loss is not None and last.validation_loss is not None:
        words += f", loss from {decimal(first.validation_loss)} to {decimal(last.validation_loss)}"
    return f"{words}." + (f" Epoch {epoch_number(kept.epoch)} was kept." if kept else "")


def _recalls(metrics: ClassificationMetrics) -> str:
    matrix = metrics.confusion_matrix or ()
    if len(matrix) > 4:
        return f"{count(metrics.correct)} of {count(metrics.rows)} are on its diagonal."
    return " ".join(
        f"Of {count(sum(row))} {name}, {count(row[number])} are right."
        for number, (name, row) in enumerate(zip(metrics.labels, matrix, strict=True))
    )


def _curves_of(metrics: ClassificationMetrics) -> str:
    if metrics.multi_label:
        return "the labels"
    if len(metrics.labels) == 2:
        return f"the class {metrics.labels[1]}"
    return "each class against the rest"


def _reliability(calibration: Calibration) -> str:
    """Take the fullest bin as an example."""
    fullest = max(calibration.lead.after.bins, key=lambda entry: entry.rows)
    return (
        "On the dotted line answers are right as often as they claim; below it they claim too "
        f"much. After the temperature, {count(fullest.rows)} answers claim {percent(fullest.low)} "
        f"to {percent(fullest.high)}, and {percent(fullest.accuracy)} of these are right."
    )


def _coverage(curve: CoverageCurve) -> str:
    everything, *_, surest = kept_answers(curve) * 2
    return (
        "How many are right if only the surest answers are used: "
        f"{percent(surest.accuracy)} of the surest {percent(surest.coverage)}, "
        f"{percent(everything.accuracy)} of all."
    )
