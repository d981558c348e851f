"""Metrics, epochs and sentences in the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Group
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from textlora.metrics.classification import MANY_CLASSES, ClassificationMetrics
from textlora.metrics.comparison import Candidate
from textlora.metrics.records import BeforeAfter, EpochRecord
from textlora.metrics.statistics import NAMES, Metric
from textlora.report.comparisons import Repetitions, SideBySide
from textlora.report.verdict import Verdict
from textlora.report.wording import (
    bounds,
    column,
    count,
    decimal,
    duration,
    epoch_number,
    interval,
    metric_value,
    percent,
    points,
    shown_before,
    size,
)

if TYPE_CHECKING:
    pass

MOST_EPOCHS = 16  # rows of the table of epochs, or one or two more
_WORST, _BEST = 10, 5
MARGIN = 11
"""Columns before what `labelled` says."""


def labelled(label: str, line: str, style: str = "dim") -> Table:
    """Return a line with a word in the margin; what is too long for it goes on below itself.

    Args:
        label: at most `MARGIN` - 2 characters.
        line: shown as it is.
        style: of the label.
    """
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(width=MARGIN - 2, no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_row(Text(label, style=style), Text(line))
    return grid


def metrics_table(
    metrics: ClassificationMetrics,
    title: str | None = None,
    elsewhere: str = "metrics.json and the report",
) -> Group:
    """Return the figures: the overall ones as a line, below a table with one row per class.

    Of many classes it has those with the worst F1 and those with the best.

    Args:
        metrics: the figures of one part.
        title: what stands above the table.
        elsewhere: where the other classes are.
    """
    table = _table("Class", "Precision", "Recall", "F1", "Rows", title=title)
    worst, best = metrics.listed, metrics.listed[:0]
    if len(worst) > MANY_CLASSES:
        known = tuple(entry for entry in metrics.listed if entry.support)
        worst, best = known[:_WORST], known[_WORST:][-_BEST:]
    left_out = len(metrics.listed) - len(worst) - len(best)
    for entries in (worst, best):
        for entry in entries:
            shares = (percent(value) for value in (entry.precision, entry.recall, entry.f1))
            table.add_row(escape(entry.name), *shares, count(entry.support))
        if left_out and entries is worst:
            table.add_row(f"… and {count(left_out)} more in {elsewhere}", style="dim")
    macro = (metrics.macro_precision, metrics.macro_recall, metrics.macro_f1)
    table.add_section()
    table.add_row("macro", *map(percent, macro), count(metrics.rows), style="bold")
    return Group(table, Text(_overall(metrics)))


def epochs_table(history: Sequence[EpochRecord]) -> Table:
    """Return the evaluations during training, some of many; the kept checkpoint is bold."""
    table = _table("Epoch", "Training loss", "Validation loss", "Accuracy", "F1")
    every = -(-len(history) // MOST_EPOCHS)
    for number, record in enumerate(history):
        if number % every and not record.best and record is not history[-1]:
            continue
        table.add_row(
            epoch_number(record.epoch) + (" *" if record.best else ""),
            decimal(record.training_loss, 4),
            decimal(record.validation_loss, 4),
            decimal(record.accuracy, 4),
            decimal(record.f1, 4),
            style="bold" if record.best else None,
        )
    if any(record.best for record in history):
        table.caption = "* kept" if every == 1 else "* kept; all are in history.jsonl"
        table.caption_justify = "left"
    return table


def verdict_table(verdict: Verdict) -> Group:
    """Return every candidate's figures, and below them what follows.

    Args:
        verdict: the tuned classifier (bold) beside the baselines (the best of them has a *).
    """
    title = f"Verdict on {count(verdict.rows)} {verdict.part} texts"
    table = _table("", *candidate_columns(verdict.metric), title=title)
    for each in verdict.candidates:
        best = each.name == verdict.best_baseline
        table.add_row(
            escape(each.name) + (" *" if best else ""),
            *candidate_cells(each, verdict.metric),
            style="bold" if each.name == verdict.tuned else None,
        )
    by = "" if verdict.metric == "accuracy" else f" by {NAMES[verdict.metric]}"
    table.caption = f"* best baseline{by}; sizes without the encoder that stays as it is"
    table.caption_justify = "left"
    sentence = Text(verdict.sentence, style="bold")
    return Group(table, sentence, *(Text(note) for note in verdict.notes))


def side_by_side_table(compared: SideBySide) -> Group:
    """Return every run's figures, and below them how each stands to the first."""
    place = f"{compared.judged_on} texts"
    if compared.judged_on not in ("test", "validation"):
        place = f"texts of {compared.judged_on}"
    title = f"{count(compared.rows)} {place}"
    table = _table("", *candidate_columns(compared.metric), title=title)
    for each in compared.candidates:
        table.add_row(escape(each.name), *candidate_cells(each, compared.metric))
    words = [compared.sentence(number) for number in range(1, len(compared.candidates))]
    return Group(table, *(Text(line) for line in [*words, *compared.notes]))


def repetitions_table(repeated: Repetitions) -> Group:
    """Return the figures of every seed with their mean, and below them what follows."""
    title = (
        f"{count(repeated.accuracy.count)} seeds on {count(repeated.rows)} {repeated.part} texts"
    )
    by_mcc = repeated.metric == "mcc"
    more = ["MCC"] if by_mcc else []
    table = _table("Seed", "Accuracy", "Macro F1", *more, "Training", title=title)
    for run in repeated.runs:
        shares = [percent(run[name]) for name in ("accuracy", "macro_f1")]
        shares += [decimal(run["mcc"])] if by_mcc else []
        table.add_row(str(run["seed"]), *shares, duration(run["seconds"]))
    table.add_section()
    means = (repeated.accuracy, repeated.macro_f1)
    spreads = [f"{percent(each.mean)} ± {points(each.std or 0, digits=2)}" for each in means]
    spreads += [f"{decimal(repeated.mcc.mean)} ± {decimal(repeated.mcc.std)}"] if by_mcc else []
    table.add_row("mean", *spreads, style="bold")
    if repeated.advantage is not None:
        baseline = repeated.advantage.baseline
        shares = [percent(share) for share in (baseline.accuracy, baseline.macro_f1)]
        shares += [decimal(baseline.mcc)] if by_mcc else []
        table.add_row(escape(baseline.name), *shares, duration(baseline.seconds or 0))
    return Group(table, Text(repeated.sentence, style="bold"))


def candidate_columns(metric: Metric) -> list[str]:
    """Return what `candidate_cells` are about: what is judged by first, with its interval.

    The interval of the other figure is in the report; here it would not fit into 80 columns.
    """
    return [column(metric), "95 %", column(_beside(metric)), "Training", "Size"]


def candidate_cells(each: Candidate, metric: Metric) -> list[str]:
    """Return a classifier's figures, training time and size."""
    (value, limits), beside = each.figure(metric), _beside(metric)
    within = f"{limits.low:.3f} to {limits.high:.3f}" if metric == "mcc" else bounds(limits)
    return [
        metric_value(metric, value),
        within,
        metric_value(beside, each.figure(beside)[0]),
        "–" if each.seconds is None else duration(each.seconds),
        "–" if each.size_bytes is None else size(each.size_bytes),
    ]


def before_after_table(items: Sequence[BeforeAfter]) -> Table:
    """Return what sentences were taken for before and after the training."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for name, ratio in (("Text", 3), ("Before", 1), ("After", 1)):
        table.add_column(name, ratio=ratio, overflow="fold")
    for item in items:
        table.add_row(
            escape(item.text),
            _answer(
                shown_before(item),
                item.before_probability,
                item.expected,
                right=item.before_label == item.expected,
            ),
            _answer(
                item.after_label,
                item.after_probability,
                item.expected,
                right=item.after_label == item.expected,
            ),
        )
    return table


def _beside(metric: Metric) -> Metric:
    return "f1" if metric == "accuracy" else "accuracy"


def _table(*columns: str, title: str | None = None) -> Table:
    table = Table(
        title=None if title is None else escape(title), title_justify="left", header_style="dim"
    )
    for number, name in enumerate(columns):
        table.add_column(
            name, justify="left" if number == 0 else "right", no_wrap=number > 0, overflow="fold"
        )
    return table


def _overall(metrics: ClassificationMetrics) -> str:
    figures = [
        f"accuracy {percent(metrics.accuracy)} ({interval(metrics)})",
        f"MCC {decimal(metrics.mcc)}",
        f"ROC-AUC {decimal(metrics.roc_auc)}",
        f"log loss {decimal(metrics.log_loss)}",
        f"ECE {decimal(metrics.ece)}",
        f"Brier {decimal(metrics.brier)}",
    ]
    if metrics.micro_f1 is not None:
        figures.insert(1, f"micro F1 {percent(metrics.micro_f1)}")
    return ", ".join(figures)


def _answer(label: str, probability: float, expected: str | None, *, right: bool) -> str:
    mark = "" if expected is None else " [green]✓[/]" if right else " [red]✗[/]"
    return f"{escape(label)} {percent(probability)}{mark}"
