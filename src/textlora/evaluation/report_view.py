"""What the report's template shows, worked out from the figures."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from textlora.evaluation.metrics import ClassificationMetrics
from textlora.evaluation.records import EpochRecord, PartSummary
from textlora.evaluation.wording import count, decimal, epoch_number, percent

MOST_CONFUSIONS = 10
WHOLE_TEXT_LIMIT = 420
EXCERPT = 340
LONGEST_SHOWN = 5_000
# tab, newline and carriage return are text; other controls and lone surrogates break a page
_UNPRINTABLE = {
    code: "\N{REPLACEMENT CHARACTER}"
    for code in (*range(0x20), *range(0x7F, 0xA0), *range(0xD800, 0xE000))
    if chr(code) not in "\t\n\r"
}
_SHARES = {"accuracy", "f1", "macro_f1", "precision", "recall"}


@dataclass(frozen=True)
class AccuracyScale:
    """The accuracy and its interval on a line; positions in percent of its length.

    Args:
        start: accuracy at the line's left end; the right end is 1.
        low: position of the interval's lower bound.
        high: position of its upper bound.
        value: position of the accuracy.
        majority: accuracy of always answering the most frequent class; None if multi-label.
        majority_position: its position.
    """

    start: float
    low: float
    high: float
    value: float
    majority: float | None
    majority_position: float | None


@dataclass(frozen=True)
class Confusion:
    """One true class taken for another, `share` of the true class's rows."""

    true: str
    predicted: str
    count: int
    share: float


@dataclass(frozen=True)
class Excerpt:
    """A text's beginning, and the whole where that is longer (None if not)."""

    beginning: str
    whole: str | None
    characters: int


def accuracy_scale(metrics: ClassificationMetrics) -> AccuracyScale:
    """Lay out the accuracy, its interval and the most frequent class's share on a line."""
    majority = None
    if not metrics.multi_label:
        majority = max(entry.support for entry in metrics.per_class) / metrics.rows
    lowest = min(metrics.accuracy_interval.low, 1.0 if majority is None else majority)
    start = max(0.0, math.floor(lowest * 10 - 0.5) / 10)

    def position(share: float) -> float:
        return round(100 * (share - start) / (1 - start), 2)

    return AccuracyScale(
        start=start,
        low=position(metrics.accuracy_interval.low),
        high=position(metrics.accuracy_interval.high),
        value=position(metrics.accuracy),
        majority=majority,
        majority_position=None if majority is None else position(majority),
    )


def confusions(metrics: ClassificationMetrics) -> list[Confusion]:
    """Return the most frequent confusions, at most ten."""
    if metrics.confusion_matrix is None:
        return []
    found = [
        Confusion(metrics.labels[true], metrics.labels[predicted], number, number / sum(row))
        for true, row in enumerate(metrics.confusion_matrix)
        for predicted, number in enumerate(row)
        if number and true != predicted
    ]
    return sorted(found, key=lambda confusion: -confusion.count)[:MOST_CONFUSIONS]


def class_names(metrics: ClassificationMetrics, parts: Sequence[PartSummary]) -> list[str]:
    """Return every class that a part counts, in the model's order, unknown ones last."""
    return list(dict.fromkeys([*metrics.labels, *(name for part in parts for name in part.counts)]))


def published_figures(published: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the published figures as names and values to print."""
    shown = []
    for key, value in published.items():
        name = str(key).replace("_", " ").capitalize()
        if isinstance(value, float):
            value = percent(value) if key in _SHARES and value <= 1 else f"{value:g}"
        elif isinstance(value, int) and not isinstance(value, bool):
            value = count(value)
        shown.append((name, str(value)))
    return shown


def plot_description(
    name: str,
    metrics: ClassificationMetrics,
    part: str,
    history: Sequence[EpochRecord],
    max_length: int | None,
    truncated_share: float | None,
) -> str:
    """Say in words what a plot shows, for those who do not see it."""
    if name == "learning_curves" and history:
        return _history_in_words(history)
    if name == "confusion_matrix" and metrics.confusion_matrix is not None:
        return f"Confusion matrix of the {part} part. {_recalls_in_words(metrics)}"
    if name == "roc_and_precision_recall":
        area = "" if metrics.roc_auc is None else f" Area under ROC {decimal(metrics.roc_auc)}."
        return f"ROC and precision-recall curves of {_curves_of(metrics)}, {part} part.{area}"
    if name == "length_histogram":
        cut = truncation_in_words(max_length, truncated_share)
        return f"Histogram of the training texts, by tokens. {cut}".strip()
    return f"{name.replace('_', ' ').capitalize()}."


def truncation_in_words(max_length: int | None, truncated_share: float | None) -> str:
    """Say how many texts are cut; nothing where that is not known."""
    if max_length is None or truncated_share is None:
        return ""
    return (
        f"{percent(truncated_share)} are longer than {count(max_length)} tokens; "
        "the model does not see the rest of these."
    )


def excerpt(text: str) -> Excerpt:
    """Return a text's beginning, cut at a word, and the whole if it is longer."""
    if len(text) <= WHOLE_TEXT_LIMIT:
        return Excerpt(text, None, len(text))
    beginning = text[:EXCERPT].rsplit(maxsplit=1)[0] if " " in text[:EXCERPT] else text[:EXCERPT]
    whole = text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]} …"
    return Excerpt(f"{beginning} …", whole, len(text))


def moment(iso: str) -> str:
    """Return an ISO time as "21 November 2025, 14:05 UTC"; other texts stay as they are."""
    try:
        time = datetime.fromisoformat(iso)
    except ValueError:
        return iso
    return f"{time.day} {time:%B %Y, %H:%M} {time.tzname() or ''}".strip()


def printable(value: Any) -> Any:
    """Replace characters that HTML forbids; the template engine calls this on every output."""
    if type(value) is str:
        return value.translate(_UNPRINTABLE)
    return value


def _history_in_words(history: Sequence[EpochRecord]) -> str:
    first, last = history[0], history[-1]
    kept = next((record for record in history if record.best), None)
    words = f"Validation accuracy went from {percent(first.accuracy)} to {percent(last.accuracy)}"
    if first.validation_loss is not None and last.validation_loss is not None:
        words += f", loss from {decimal(first.validation_loss)} to {decimal(last.validation_loss)}"
    return f"{words}." + (f" Epoch {epoch_number(kept.epoch)} was kept." if kept else "")


def _recalls_in_words(metrics: ClassificationMetrics) -> str:
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
