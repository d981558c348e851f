"""The learning curve: how good at growing numbers of labels, whether more are worth it; drawn."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator, PercentFormatter
from rich.console import Console

from textlora.auditing.extrapolation import Extrapolation
from textlora.auditing.folder import CurveFolder
from textlora.auditing.learning_curve import (
    SHARES,
    LearningCurve,
    Measured,
    check_smallest,
    nested_order,
    sizes_of,
)
from textlora.config import RunConfig
from textlora.data.loading import Parts, load_parts
from textlora.data.tables import write_rejected
from textlora.errors import ConfigError
from textlora.files import check_free, whole_folder
from textlora.metrics.comparison import Predictions
from textlora.metrics.statistics import NAMES, judging_metric
from textlora.report.theme import ACCENT, MUTED, styled, svg_text
from textlora.report.wording import column, count, duration, metric_value
from textlora.run import write_json, write_text
from textlora.training.progress import ProgressCallback
from textlora.training.refitting import refitting


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


def curve(
    config: RunConfig,
    out: Path,
    *,
    shares: Sequence[float] | None = None,
    repeats: int = 1,
    console: Console | None = None,
) -> LearningCurve:
    """Train on growing subsets of the training rows, and measure each on the same rows.

    Args:
        config: every setting; the validation part is measured on, and nothing is chosen by it.
        out: the folder to make; it is absent or complete.
        shares: of the training rows, each above 0 and at most 1; None: `SHARES`.
        repeats: trainings at each size, with other subsets and other seeds.
        console: where progress is shown; None for silence.

    Raises:
        TextloraError: anything the user can mend; nothing is left behind.
    """
    console = console or Console(quiet=True)
    check_free(out)
    if repeats < 1:
        raise ConfigError(f"--repeats {repeats}: at least one is needed.", "1 is the quickest.")
    parts = _parts(config)
    sizes = sizes_of(shares or SHARES, len(parts.train))
    started = time.perf_counter()
    measured = measure(config, parts, sizes, repeats, console)
    done = LearningCurve.of(sizes, measured, time.perf_counter() - started)
    with whole_folder(out, "writing the curve") as folder:
        _write(done, parts, config, CurveFolder(folder))
    return done


def measure(
    config: RunConfig, parts: Parts, sizes: Sequence[int], repeats: int, console: Console
) -> Measured:
    """Return what each training makes of the validation texts.

    Args:
        config: every setting.
        parts: the rows to train on and to measure on.
        sizes: ascending numbers of rows.
        repeats: trainings at each size.
        console: where progress is shown.
    """
    train, validation = parts.train, parts.validation
    assert validation is not None  # noqa: S101 - _parts has asked
    orders = [nested_order(train.targets, config.data.seed + number) for number in range(repeats)]
    for order in orders:
        check_smallest(
            train.targets, order, sizes[0], parts.labels.names, source=train.table.source
        )
    answers: list[list[Predictions]] = [[] for _ in orders]
    with refitting(config, parts, console) as (refitter, inputs):
        chosen = refitter.config.training.metric_for_best_model
        metric = judging_metric(chosen, parts.labels.multi_label)
        for repeat, size in np.ndindex(repeats, len(sizes)):
            rows = orders[repeat][: sizes[size]]
            progress, started = ProgressCallback(console), time.perf_counter()
            with progress.bar:
                refitter.fit(
                    inputs["train"].select(rows),
                    train.select(rows),
                    seed=config.training.seed + repeat,
                    callbacks=[progress],
                )
            found = Predictions.of(validation.targets, refitter.predict_proba(inputs["validation"]))
            answers[repeat].append(found)
            console.print(
                f"Size       {len(rows):,} rows, {NAMES[metric]} "
                f"{metric_value(metric, found.value(metric))}, "
                f"{duration(time.perf_counter() - started)}",
                highlight=False,
            )
    return Measured(answers, metric)


def _parts(config: RunConfig) -> Parts:
    # A test part is for final figures: a split of one's own is added to the rows to train on.
    parts = load_parts(config.data.model_copy(update={"test_size": 0}))
    if parts.validation is None:
        raise ConfigError(
            "There are no rows to measure on (data.validation_size is 0).",
            "Set data.validation_size to a share such as 0.2, or give rows with --valid.",
        )
    return replace(parts, test=None)


def _write(done: LearningCurve, parts: Parts, config: RunConfig, folder: CurveFolder) -> None:
    write_json(folder.curve, done.to_dict())
    write_text(folder.plot, learning_curve_svg(done))
    write_text(folder.config, config.to_yaml())
    if parts.set_aside:
        write_rejected(parts.set_aside, folder.rejected)
