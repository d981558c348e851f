"""How figures are put into words: the same in the terminal and in the report."""

from __future__ import annotations

from textlora.evaluation.judging import NAMES, Metric
from textlora.evaluation.leakage import Leakage
from textlora.evaluation.metrics import ClassificationMetrics, Interval
from textlora.evaluation.records import BeforeAfter

SHOWN_LABELS = 3


def percent(share: float | None, digits: int = 1) -> str:
    """Return a share as a percentage: 0.872 is "87.2 %"; None is a dash."""
    return "–" if share is None else f"{100 * share:.{digits}f} %"


def decimal(value: float | None, digits: int = 3) -> str:
    """Return a number with fixed digits; None is a dash."""
    return "–" if value is None else f"{value:.{digits}f}"


def count(value: int | None) -> str:
    """Return a whole number with thousands separated; None is a dash."""
    return "–" if value is None else f"{value:,}"


def epoch_number(epoch: float) -> str:
    """Return an epoch without needless digits: 3.0 is "3", 0.5 is "0.5"."""
    return f"{epoch:.2f}".rstrip("0").rstrip(".")


def duration(seconds: float) -> str:
    """Return a time span: "42 s", "3 min 05 s", "2 h 10 min"."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def size(amount: int) -> str:
    """Return a number of bytes: "24 kB", "217 MB", "3.4 GB"."""
    if amount < 999_500:
        return f"{amount / 1e3:.0f} kB"
    return f"{amount / 1e6:.0f} MB" if amount < 999_500_000 else f"{amount / 1e9:.1f} GB"


def interval(metrics: ClassificationMetrics) -> str:
    """Return the accuracy's interval: "95 % interval 86.1 to 88.2"."""
    limits = metrics.accuracy_interval
    return f"{100 * limits.level:.0f} % interval {bounds(limits)}"


def bounds(limits: Interval) -> str:
    """Return an interval of a share, in percent: "86.1 to 88.2"."""
    return f"{100 * limits.low:.1f} to {100 * limits.high:.1f}"


def points(difference: float, *, signed: bool = False, digits: int = 1) -> str:
    """Return a difference of shares in percentage points: 0.029 is "2.9"."""
    return f"{100 * difference:{'+' if signed else ''}.{digits}f}".replace("-", "−")


def points_interval(limits: Interval) -> str:
    """Return a difference's interval in percentage points: "95 % interval −0.4 to 1.2"."""
    return f"{100 * limits.level:.0f} % interval {points(limits.low)} to {points(limits.high)}"


def shown_before(item: BeforeAfter) -> str:
    """Return what an untrained head answered: of many labels, which are chance, the first few."""
    first, rest = item.before_labels[:SHOWN_LABELS], item.before_labels[SHOWN_LABELS:]
    return f"{', '.join(first)} and {len(rest)} more" if rest else item.before_label


def p_value(value: float | None) -> str:
    """Return "p = 0.03", or "p < 0.001" for what is smaller; None is a dash."""
    if value is None:
        return "p –"
    if value < 0.001:
        return "p < 0.001"
    return f"p = {value:.3f}" if value < 0.1 else f"p = {value:.2f}"


def points_of(metric: Metric, difference: float, *, signed: bool = False) -> str:
    """Return a difference in a metric: "2.9 points", "7.1 points of macro F1"."""
    of = "" if metric == "accuracy" else f" of {NAMES[metric]}"
    return f"{points(difference, signed=signed)} points{of}"


def column(metric: Metric) -> str:
    """Return a metric's name as a heading: "Accuracy", "Macro F1", "MCC"."""
    return NAMES[metric][0].upper() + NAMES[metric][1:]


def metric_value(metric: Metric, value: float) -> str:
    """Return a metric as it is usually written: "62.7 %"; Matthews' coefficient as "0.542"."""
    return decimal(value) if metric == "mcc" else percent(value)


def headline(
    metrics: ClassificationMetrics,
    part: str,
    unit: str = "texts",
    metric: Metric = "accuracy",
) -> str:
    """Return the result in one sentence, the metric that is judged by first.

    Args:
        metrics: the figures of the part.
        part: "test" or "validation".
        unit: what a row is, in the plural.
        metric: what the run is judged by.

    Returns:
        For example "87.2 % of 4,000 test reviews right (95 % interval 86.1 to 88.2)", or "macro
        F1 41.8 %, micro F1 51.7 % on 2,000 test texts; all labels right in 33.0 %".
    """
    if metric == "accuracy":
        return (
            f"{percent(metrics.accuracy)} of {answered(metrics, part, unit)} ({interval(metrics)})"
        )
    beside = beside_lead(metrics, part, unit, metric).removeprefix(NAMES[metric])
    return f"{NAMES[metric]} {lead_value(metrics, metric)}{beside} ({interval(metrics)})"


def lead_value(metrics: ClassificationMetrics, metric: Metric) -> str:
    """Return the figure that a headline begins with where it is not the accuracy."""
    return metric_value(metric, metrics.mcc if metric == "mcc" else metrics.macro_f1)


def beside_lead(metrics: ClassificationMetrics, part: str, unit: str, metric: Metric) -> str:
    """Return what follows that figure: "macro F1 on 400 test texts; 85.8 % right"."""
    micro = "" if metrics.micro_f1 is None else f", micro F1 {percent(metrics.micro_f1)}"
    right = percent(metrics.accuracy)
    right = f"all labels right in {right}" if metrics.multi_label else f"{right} right"
    return f"{NAMES[metric]}{micro} on {count(metrics.rows)} {part} {unit}; {right}"


def leakage_sentence(leakage: Leakage, *, multi_label: bool = False) -> str:
    """Return how much of the headline is memory.

    Args:
        leakage: rows of the judged split that are in the training rows, too.
        multi_label: whether a text may have any number of the labels.

    Returns:
        For example "31.2 % of the test rows (125) stand in the training rows, too: 97.6 % of them
        are right, 80.4 % of the rest (macro F1 95.1 % and 54.4 %)."
    """
    copies, clean = leakage.copies, leakage.clean
    right = "right in every label" if multi_label else "right"
    if clean is None:
        return (
            f"All {leakage.split} rows stand in the training rows, too: the figures say nothing "
            "about new texts."
        )
    return (
        f"{percent(leakage.share)} of the {leakage.split} rows ({count(leakage.rows)}) stand in "
        f"the training rows, too: {percent(copies.accuracy)} of them are {right}, "
        f"{percent(clean.accuracy)} of the rest (macro F1 {percent(copies.macro_f1)} and "
        f"{percent(clean.macro_f1)})."
    )


def answered(metrics: ClassificationMetrics, part: str, unit: str = "texts") -> str:
    """Return what the headline counts: "4,000 test reviews right"."""
    right = "right in every label" if metrics.multi_label else "right"
    return f"{count(metrics.rows)} {part} {unit} {right}"
