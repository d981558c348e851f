"""What the report's templates show, worked out from the metrics and from the data."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from textlora.metrics.classification import MANY_CLASSES as MANY_CLASSES
from textlora.metrics.classification import (
    ClassificationMetrics,
    ClassMetrics,
    Interval,
    wilson_interval,
)
from textlora.metrics.comparison import Candidate
from textlora.metrics.statistics import Metric
from textlora.metrics.subsets import CoverageCurve, LengthBucket
from textlora.report.wording import count, percent


@dataclass(frozen=True)
class PartSummary:
    """What one part of the data holds.

    Args:
        part: its name: "training", "validation", "test".
        rows: number of usable rows.
        counts: rows of each class, by its name.
        rejected: rows set aside as unusable.
        dropped: rows left out because a later split has their text.
    """

    part: str
    rows: int
    counts: Mapping[str, int] = field(default_factory=dict)
    rejected: int = 0
    dropped: int = 0


@dataclass(frozen=True)
class LengthLoss:
    """What is cut off where texts may have `max_length` tokens.

    Args:
        max_length: tokens of a text that are kept, special tokens included.
        rows: texts that are longer.
        row_share: these as a share of all texts.
        token_share: tokens cut off as a share of all tokens.
    """

    max_length: int
    rows: int
    row_share: float
    token_share: float


Severity = Literal["error", "warning", "note"]
"""error: training refuses it, or its figures mean little; warning: worth mending; note: to know."""


@dataclass(frozen=True)
class Example:
    """A row that shows a finding.

    Args:
        part: the part it is in.
        source: the file, folder or dataset as the user named it.
        line: line of a text file, row of a table, or index of a list.
        text: the start of the text.
        note: what is special about the row, such as where its copy is.
    """

    part: str
    source: str
    line: int
    text: str
    note: str = ""


@dataclass(frozen=True)
class Finding:
    """One thing about the data that a person should know.

    Args:
        kind: what it is about, one of `inspection.findings.KINDS`.
        severity: how much it matters.
        count: rows (or labels, or classes) that it concerns.
        message: what it is, as a sentence.
        remedy: what to do about it; empty if nothing.
        examples: a few of the rows.
    """

    kind: str
    severity: Severity
    count: int
    message: str
    remedy: str = ""
    examples: tuple[Example, ...] = ()


MOST_CONFUSIONS = 10
MOST_MIXED_UP = 3
COVERAGES = (1.0, 0.9, 0.75, 0.5, 0.25)
WHOLE_TEXT_LIMIT = 420
EXCERPT = 340
LONGEST_SHOWN = 5_000
# tab, newline and carriage return are text; other controls and lone surrogates break a page, and
# a direction override turns around what stands after a text
_UNPRINTABLE = {
    code: "\N{REPLACEMENT CHARACTER}"
    for code in (*range(0x20), *range(0x7F, 0xA0), 0x202D, 0x202E, *range(0xD800, 0xE000))
    if chr(code) not in "\t\n\r"
}
_SHARES = {"accuracy", "f1", "macro_f1", "precision", "recall"}


@dataclass(frozen=True)
class Confusion:
    """One true class taken for another, `share` of the true class's rows."""

    true: str
    predicted: str
    count: int
    share: float


@dataclass(frozen=True)
class Kept:
    """What is left if only the surest answers are used.

    Args:
        coverage: the share of the texts that are answered.
        accuracy: the share of these that is right.
        confidence: the least confidence among them.
    """

    coverage: float
    accuracy: float
    confidence: float


@dataclass(frozen=True)
class Excerpt:
    """A text's beginning, and the whole where that is longer (None if not)."""

    beginning: str
    whole: str | None
    characters: int


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


def mixed_up(metrics: ClassificationMetrics) -> list[str]:
    """Say which pairs of classes are most often taken for each other, where there are many."""
    matrix = metrics.confusion_matrix
    if matrix is None or len(matrix) < 3:
        return []
    pairs = [
        (matrix[one][other] + matrix[other][one], one, other)
        for one in range(len(matrix))
        for other in range(one + 1, len(matrix))
    ]
    said = []
    for total, one, other in sorted(pairs, key=lambda pair: -pair[0])[:MOST_MIXED_UP]:
        if total:
            if matrix[one][other] < matrix[other][one]:
                one, other = other, one
            more, less = matrix[one][other], matrix[other][one]
            first, second = metrics.labels[one], metrics.labels[other]
            said.append(
                f"{first} was taken for {second} in {count(more)} of {count(sum(matrix[one]))} "
                f"texts, and {second} for {first} in {count(less)} of {count(sum(matrix[other]))}."
            )
    return said


def missed(entry: ClassMetrics) -> int:
    """Return how many texts of a class were not given it."""
    return entry.support - round(entry.recall * entry.support)


def recall_interval(entry: ClassMetrics) -> Interval | None:
    """Return Wilson's interval of a class's recall; None where it has no texts."""
    if not entry.support:
        return None
    return wilson_interval(entry.support - missed(entry), entry.support)


def kept_answers(curve: CoverageCurve) -> list[Kept]:
    """Return what is left at a few shares of the texts, all of them first."""
    points = list(zip(curve.coverage, curve.accuracy, curve.confidence, strict=True))
    reached = (next(point for point in points if point[0] >= least - 1e-9) for least in COVERAGES)
    return [Kept(*point) for point in dict.fromkeys(reached)]


def tokens_between(bucket: LengthBucket) -> str:
    """Return the lengths of a bucket: "129 to 256", "over 512"."""
    if bucket.high is None:
        return f"over {count(max(bucket.low - 1, 0))}"
    return f"{count(bucket.low)} to {count(bucket.high)}"


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


def unbroken(sentence: str) -> str:
    """Keep numbers on one line with their percent signs and units."""
    return re.sub(r"(?<=\d) (?=%|(?:s|min|h|kB|MB|GB)\b)", "\N{NO-BREAK SPACE}", sentence)


def printable(value: Any) -> Any:
    """Replace characters that HTML forbids; the template engine calls this on every output."""
    if type(value) is str:
        return value.translate(_UNPRINTABLE)
    return value


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
