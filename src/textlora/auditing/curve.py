"""The learning curve, from settings to a folder: trainings on subsets that grow."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from rich.console import Console

from textlora.auditing.audit import write_rows_and_settings
from textlora.auditing.learning_curve import LearningCurve, Measured
from textlora.auditing.showing import CURVE_PLOT, learning_curve_svg
from textlora.config import RunConfig
from textlora.data.labels import Targets
from textlora.data.loading import Parts, load_parts
from textlora.data.splitting import Indices
from textlora.errors import ConfigError, DataError
from textlora.files import check_free, whole_folder, write_json, write_text
from textlora.metrics.comparison import Predictions
from textlora.metrics.statistics import (
    NAMES,
    judging_metric,
)
from textlora.report.wording import duration, metric_value
from textlora.training.progress import ProgressCallback
from textlora.training.refitting import refitting

SHARES = (0.1, 0.2, 0.4, 0.7, 1.0)


def nested_order(targets: Targets, seed: int) -> Indices:
    """Return the rows in an order of which every beginning is a stratified subset.

    Within a class the order is random. Row i of the n rows of a class stands at (i + 1/2) / n of
    the whole, so that every beginning holds each class in proportion, to within one row.
    Multi-label rows stand in random order.

    Args:
        targets: class ids `[rows]`, or multi-label indicators `[rows, classes]`.
        seed: the same seed gives the same order.
    """
    draw = np.random.default_rng(seed)
    rows = draw.permutation(len(targets)).astype(np.int64)
    if targets.ndim == 2:
        return rows
    place = np.empty(len(targets))
    for number in np.unique(targets):
        members = rows[targets[rows] == number]
        place[members] = (np.arange(len(members)) + 0.5) / len(members)
    # The order of `rows` decides between classes that stand at the same place.
    return rows[np.argsort(place[rows], kind="stable")]


def sizes_of(shares: Sequence[float], total: int) -> list[int]:
    """Return shares of the rows as growing numbers of rows.

    Raises:
        ConfigError: a share is not above 0 and at most 1, or there are fewer than two sizes.
    """
    wrong = next((share for share in shares if not 0 < share <= 1), None)
    if wrong is not None:
        raise ConfigError(
            f"--shares: {wrong:g} is no share of the rows.",
            "Give shares above 0 and up to 1, such as 0.1,0.2,0.4,0.7,1.",
        )
    sizes = sorted({max(1, round(share * total)) for share in shares})
    if len(sizes) < 2:
        raise ConfigError(
            f"--shares: of {total} rows these are {len(sizes)} different sizes.",
            "Give at least two shares that are further apart.",
        )
    return sizes


def check_smallest(
    targets: Targets, order: Indices, size: int, names: Sequence[str], source: str
) -> None:
    """Refuse a smallest subset in which a class is missing.

    Raises:
        DataError: naming the class.
    """
    if targets.ndim == 2:
        return
    missing = np.setdiff1d(np.unique(targets), targets[order[:size]])
    if len(missing):
        raise DataError(
            f"the smallest subset, of {size} rows, has none of the class "
            f"'{names[int(missing[0])]}'.",
            source=source,
            remedy="Begin with a larger share, as with --shares 0.2,0.4,0.6,0.8,1.",
        )


CURVE = "curve.json"


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
        write_json(folder / CURVE, done.to_dict())
        write_text(folder / CURVE_PLOT, learning_curve_svg(done))
        write_rows_and_settings(folder, parts, config)
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
