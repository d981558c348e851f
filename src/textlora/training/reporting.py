"""From a finished training to its report, and to what the terminal shows of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime

import numpy as np
from rich.console import Console

from textlora.data.loading import Part, Parts
from textlora.data.tokenizing import TokenizedTexts
from textlora.errors import storage_errors
from textlora.files import read_json, write_text
from textlora.metrics.subsets import DecisionFigures, accuracy_by_length
from textlora.recipes import load_recipe, recipe_names
from textlora.report.html import ReportData, render_report
from textlora.report.plots import save_plots
from textlora.report.terminal import before_after_table, epochs_table, metrics_table, verdict_table
from textlora.report.view import PartSummary
from textlora.report.wording import NO_TEST_PART, duration, headline, leakage_sentence
from textlora.training.results import TrainedRun


def write_report(run: TrainedRun, parts: Parts, sequences: Mapping[str, TokenizedTexts]) -> None:
    """Write the plots and the report of a run whose other files are written.

    Raises:
        StorageError: the folder cannot be written.
    """
    name, lead = run.lead
    spec = run.predictor.spec
    calibration = run.conclusion.calibration
    # Read in windows, a text loses nothing.
    longest = spec.max_length if spec.long_texts == "truncate" else None
    figures = DecisionFigures.of(lead.part.targets, lead.probabilities, spec.decision)
    with storage_errors(f"writing the plots {run.folder.plots}"):
        plots = save_plots(
            run.folder.plots,
            history=run.history,
            metrics=lead.metrics,
            targets=lead.part.targets,
            probabilities=lead.probabilities,
            lengths=sequences["train"].full_lengths,
            max_length=longest,
            calibration=None if calibration is None else calibration.lead,
            decisions=figures,
        )
    recipe = run.config.recipe
    no_test = [NO_TEST_PART] if name != "test" and run.conclusion.verdict is None else []
    data = ReportData(
        title=run.folder.path.name,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        model=spec.backbone.name_or_path,
        metrics={part: result.metrics for part, result in run.results.items()},
        metric=run.metric,
        verdict=run.conclusion.verdict,
        recipe=recipe,
        published=load_recipe(recipe).published if recipe in recipe_names() else None,
        trainable_parameters=run.parameters.trainable,
        total_parameters=run.parameters.total,
        history=run.history,
        before_after=run.before_after,
        calibration=calibration,
        decision=spec.decision,
        decision_figures=figures,
        length_buckets=accuracy_by_length(
            sequences[name].full_lengths,
            lead.part.targets,
            lead.predictions.predicted,
            max_length=spec.max_length,
        ),
        errors=run.conclusion.mistakes.certain,
        worst_errors=run.conclusion.mistakes.worst,
        findings=run.inspection.findings,
        length_losses=run.inspection.lengths.losses if run.inspection.lengths else (),
        parts=part_summaries(parts, spec.label_names),
        max_length=longest,
        truncated_share=float(np.mean(sequences["train"].full_lengths > spec.max_length)),
        plots={plot: path.read_text(encoding="utf-8") for plot, path in plots.items()},
        settings=run.config.to_yaml(),
        environment=read_json(run.folder.environment),
        leakage=run.conclusion.leakage,
        notes=[*run.notices, *no_test, *([run.refitted.told] if run.refitted else [])],
    )
    write_text(run.folder.report, render_report(data))


def part_summaries(parts: Parts, names: tuple[str, ...]) -> list[PartSummary]:
    """Return rows by part and class."""
    summaries = []
    # Parts split off the same source share its bad rows: they are told of once.
    rejected = Counter(row.source for row in parts.set_aside)
    for name, part in (
        ("training", parts.train),
        ("validation", parts.validation),
        ("test", parts.test),
    ):
        if part is None:
            continue
        bad = rejected.pop(part.table.source, 0)
        left_out = parts.dropped.get("train" if name == "training" else name, 0)
        counts = _class_counts(part, names)
        summaries.append(PartSummary(name, len(part.table), counts, bad, left_out))
    return summaries


def _class_counts(part: Part, names: tuple[str, ...]) -> dict[str, int]:
    if part.targets.ndim == 2:
        counts = part.targets.sum(axis=0)
    else:
        counts = np.bincount(part.targets.astype(np.int64), minlength=len(names))
    return {name: int(count) for name, count in zip(names, counts, strict=True)}


def print_run(run: TrainedRun, console: Console) -> None:
    """Print epochs, sample texts before and after, figures, and where everything is."""
    part, lead = run.lead
    console.print()
    console.print(epochs_table(run.history))
    if run.before_after:
        console.print()
        console.print(before_after_table(run.before_after))
    console.print()
    console.print(metrics_table(lead.metrics, title=f"{part} part"))
    console.print()
    console.print(headline(lead.metrics, part, metric=run.metric), style="bold", highlight=False)
    leakage = run.conclusion.leakage
    if leakage is not None and leakage.matters:
        told = leakage_sentence(leakage, multi_label=lead.metrics.multi_label)
        console.print(told, style="bold yellow", highlight=False)
    for notice in run.notices:
        console.print(notice, style="bold yellow", highlight=False)
    verdict = run.conclusion.verdict
    if part != "test" and verdict is None:
        console.print(NO_TEST_PART)
    if verdict is not None:
        console.print()
        console.print(verdict_table(verdict))
    console.print(f"Trained in {duration(run.seconds)}.", highlight=False)
    # Paths must stay in one piece to be copied.
    console.print(f"Run folder  {run.folder.path}", markup=False, soft_wrap=True)
    console.print(f"Report      {run.folder.report}", markup=False, soft_wrap=True)
    console.print(
        f'Next        textlora predict {run.folder.path} "It was good."',
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
