"""What `audit` and `curve` show: tables in the terminal, and the curve as a picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator, PercentFormatter
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from textlora.auditing.audit import SUSPECTS, Audit
from textlora.auditing.learning_curve import Extrapolation, LearningCurve
from textlora.data.tables import shortened
from textlora.report.theme import ACCENT, MUTED, styled, svg_text
from textlora.report.wording import column, count, duration, metric_value, percent

CURVE_PLOT = "curve.svg"
_SHOWN_CHARACTERS = 160


def print_audit(done: Audit, out: Path, console: Console, *, top: int) -> None:
    """Print the surest suspects, what was found, and where everything is."""
    flagged = sum(suspect.flagged for suspect in done.suspects)
    console.print()
    if done.suspects[:top]:
        console.print(suspects_table(done, top))
        console.print()
    console.print(
        f"{count(flagged)} of {count(len(done.part))} labels are flagged as likely wrong "
        f"({percent(flagged / len(done.part))}), {count(len(done.suspects))} are in doubt.",
        style="bold",
        highlight=False,
    )
    console.print(
        f"Models that did not see a text agree with {percent(done.metrics.accuracy)} "
        "of the labels. "
        "A suspect is a label to look at, not one to change unseen.",
        highlight=False,
    )
    console.print(f"Audited in {duration(done.seconds)}.", highlight=False)
    console.print(f"Suspects    {out / SUSPECTS}", markup=False, soft_wrap=True)


def suspects_table(done: Audit, top: int) -> Table:
    """Return the surest suspects, one a row."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("Line", "Given", "Suggested"):
        table.add_column(name, justify="right" if name == "Line" else "left", no_wrap=True)
    table.add_column("Sure", justify="right", no_wrap=True)
    table.add_column("Text", ratio=1, overflow="fold")
    for suspect in done.suspects[:top]:
        table.add_row(
            str(suspect.line),
            escape(suspect.given_label or "(none)"),
            escape(suspect.suggested_label or "(none)"),
            percent(1 - suspect.label_quality),
            escape(_short(suspect.text)),
        )
    return table


def print_curve(done: LearningCurve, out: Path, console: Console) -> None:
    """Print the points, the verdict, and where everything is."""
    console.print()
    console.print(points_table(done))
    console.print()
    console.print(done.verdict, style="bold", highlight=False)
    console.print(f"Measured in {duration(done.seconds)}.", highlight=False)
    console.print(f"Plot        {out / CURVE_PLOT}", markup=False, soft_wrap=True)


def points_table(done: LearningCurve) -> Table:
    """Return the measured points, and the extrapolated one in a section of its own."""
    table = Table(
        title=f"{column(done.metric)} on {count(done.validation_rows)} validation texts",
        title_justify="left",
        header_style="dim",
    )
    for name in ("Labels", column(done.metric), "95 % interval"):
        table.add_column(name, justify="right", no_wrap=True)
    several = len(done.points[0].repeats) > 1
    if several:
        table.add_column("Lowest to highest", justify="right", no_wrap=True)
    for point in done.points:
        bounds = point.interval
        spread = [_range(min(point.repeats), max(point.repeats))] if several else []
        table.add_row(
            count(point.rows),
            metric_value(done.metric, point.value),
            _range(bounds.low, bounds.high),
            *spread,
        )
    found = done.extrapolation
    if found is not None:
        bounds = found.value_interval
        table.add_section()
        table.add_row(
            f"{count(found.rows)} *",
            metric_value(done.metric, found.value),
            _range(bounds.low, bounds.high),
            style="dim",
        )
        table.caption = "* extrapolated, not measured"
        table.caption_justify = "left"
    return table


def _range(low: float, high: float) -> str:
    return f"{100 * low:.1f} to {100 * high:.1f}"


def _short(text: str) -> str:
    return shortened(" ".join(text.split()), _SHOWN_CHARACTERS)


def learning_curve_figure(curve: LearningCurve) -> Figure:
    """Draw the points with their intervals, the fitted law, and how it would go on (dashed)."""
    rows = [point.rows for point in curve.points]
    values = [point.value for point in curve.points]
    below = [point.value - point.interval.low for point in curve.points]
    above = [point.interval.high - point.value for point in curve.points]
    ticks = list(rows)
    with styled():
        figure = Figure(figsize=(4.8, 3.6))
        axes = figure.subplots()
        axes.set_xscale("log")
        if curve.extrapolation is not None:
            _law(axes, curve.extrapolation, rows)
            ticks.append(curve.extrapolation.rows)
        axes.errorbar(
            rows,
            values,
            yerr=np.clip([below, above], 0, None),
            fmt="o",
            color=ACCENT,
            capsize=3,
            linewidth=1.2,
            label="Measured, 95 % interval",
        )
        axes.xaxis.set_major_locator(FixedLocator(ticks))
        axes.xaxis.set_major_formatter(FixedFormatter([count(tick) for tick in ticks]))
        axes.xaxis.set_minor_locator(NullLocator())
        if curve.metric != "mcc":
            axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=None, symbol=" %"))
        axes.set_xlabel("Labels trained on")
        axes.set_title(f"{column(curve.metric)} on {count(curve.validation_rows)} validation texts")
        axes.legend(loc="lower right")
        return figure


def learning_curve_svg(curve: LearningCurve) -> str:
    """Return the picture as the text of an SVG file."""
    return svg_text(learning_curve_figure(curve), f"{column(curve.metric)} by the number of labels")


def _law(axes: Axes, found: Extrapolation, rows: list[int]) -> None:
    inside = np.geomspace(min(rows), max(rows), 60)
    beyond = np.geomspace(max(rows), found.rows, 20)
    axes.plot(inside, found.law.value(inside), color=MUTED, linewidth=1.2, label="Power law")
    axes.plot(
        beyond,
        found.law.value(beyond),
        color=MUTED,
        linewidth=1.2,
        linestyle="--",
        label="Extrapolated",
    )
    bounds = found.value_interval
    axes.vlines(found.rows, bounds.low, bounds.high, color=MUTED, linewidth=1.2, linestyle="--")
