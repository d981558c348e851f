"""How metrics are put into words: the same in the terminal and in the report."""

from __future__ import annotations

from collections.abc import Sequence

from textlora.metrics.calibration import Calibration
from textlora.metrics.classification import ClassificationMetrics, Interval
from textlora.metrics.decisions import Decision
from textlora.metrics.records import BeforeAfter
from textlora.metrics.statistics import NAMES, Metric
from textlora.metrics.subsets import DecisionFigures, Leakage, Selective

SHOWN_LABELS = 3

# What a reader must know of the rows that figures are about.
NO_TEST_PART = (
    "There is no test part: the best epoch was chosen on these very texts, so LoRA's figure "
    "is optimistic."
)
CHOSEN_ON = "These validation texts chose each run's best epoch, so the figures are optimistic."
ALL_REFITTED = (
    "LoRA and what it is compared with were trained once more in the end, with the validation rows "
    "among their training rows."
)


def refitted_in_words(epochs: float, rows: int) -> str:
    """Return what a reader of a run's figures must know of its last training on all rows."""
    return (
        f"Once everything was chosen, {epochs:g} epochs on all {count(rows)} rows followed, those "
        "of validation among them; figures on validation are from before."
    )


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


def rule_in_words(decision: Decision, label_names: Sequence[str]) -> str | None:
    """Return how answers are given; None where it is by probability alone.

    Args:
        decision: the rule.
        label_names: the class names.
    """
    sentences = []
    if decision.costs is not None:
        sentences.append("The answer is the one with the least expected cost.")
    elif decision.thresholds is not None and len(decision.thresholds) == len(label_names):
        each = zip(label_names, decision.thresholds, strict=True)
        listed = ", ".join(f"{name} {percent(threshold)}" for name, threshold in each)
        sentences.append(f"A label is given from its own probability on: {listed}.")
    elif decision.thresholds is not None:
        no, yes = label_names
        threshold = percent(decision.thresholds[0])
        sentences.append(f"The answer is {yes} from a probability of {threshold} on, else {no}.")
    if decision.min_confidence is not None:
        sentences.append(f"Answers less sure than {percent(decision.min_confidence)} are withheld.")
    return " ".join(sentences) or None


def selective_in_words(selective: Selective) -> str:
    """Return what is left when unsure answers are withheld."""
    least = percent(selective.min_confidence)
    if selective.accuracy is None:
        return f"No answer is as sure as {least}."
    return (
        f"At a confidence of at least {least}: {percent(selective.coverage)} of the texts "
        f"answered, {percent(selective.accuracy)} of these right."
    )


def figures_in_words(figures: DecisionFigures) -> list[str]:
    """Return a sentence for each figure that the rule gives rise to."""
    sentences = []
    if figures.mean_cost is not None:
        sentences.append(
            f"Mean cost of an answer {decimal(figures.mean_cost)} "
            f"(the most probable class: {decimal(figures.mean_cost_default)})."
        )
    if figures.selective is not None:
        sentences.append(selective_in_words(figures.selective))
    return sentences


def calibration_in_words(calibration: Calibration) -> str:
    """Return the temperature and what it does, or why there is none."""
    if calibration.note is not None:
        return calibration.note
    before, after = calibration.lead.before, calibration.lead.after
    part = "validation" if calibration.test is None else "test"
    return (
        f"Temperature {decimal(calibration.temperature, 2)}: on the {part} part the calibration "
        f"error (ECE) went from {percent(before.ece)} to {percent(after.ece)}, the Brier score "
        f"from {decimal(before.brier)} to {decimal(after.brier)}."
    )
