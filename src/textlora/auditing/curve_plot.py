"""The learning curve as a picture."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator, PercentFormatter

from textlora.auditing.extrapolation import Extrapolation
from textlora.auditing.learning_curve import LearningCurve
from textlora.report.plots import ACCENT, MUTED, styled, svg_text
from textlora.report.wording import column, count


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
