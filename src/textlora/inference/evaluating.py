"""A finished run on labelled rows it has not seen."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from textlora.config import ComputeConfig, build_config
from textlora.data.labels import LabelSet, Targets
from textlora.data.loading import Part, load_labelled
from textlora.data.rare_classes import reasons_in_words
from textlora.data.rows import bad_row_error, rows_of_html
from textlora.inference.predictor import Predictor, Probabilities
from textlora.inference.scoring import Logits
from textlora.metrics.classification import ClassificationMetrics, classification_metrics
from textlora.metrics.coverage import DecisionFigures
from textlora.metrics.decisions import Decision
from textlora.recipes import saved_config
from textlora.report.terminal import progress_bar
from textlora.run import RunFolder


@dataclass(frozen=True)
class Evaluation:
    """A run on labelled rows.

    Args:
        metrics: the figures, by the run's rule; unsure answers count as what they would be.
        decisions: what the rule and its least confidence are worth.
        decision: the rule.
    """

    metrics: ClassificationMetrics
    decisions: DecisionFigures
    decision: Decision

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as plain values that JSON can hold."""
        return {**self.metrics.to_dict(), "decisions": self.decisions.to_dict()}


@dataclass(frozen=True)
class AnsweredRows:
    """Labelled rows with what a run makes of them.

    Args:
        part: the rows.
        logits: raw, [rows, units].
        predictor: the run.
    """

    part: Part
    logits: Logits
    predictor: Predictor

    @property
    def probabilities(self) -> Probabilities:
        """Of every class, [rows, classes]."""
        return self.predictor.probabilities_of(self.logits)


def evaluate_file(
    run: Path,
    source: str,
    *,
    console: Console | None = None,
    compute: ComputeConfig | None = None,
    min_confidence: float | None = None,
    **overrides: Any,
) -> Evaluation:
    """Evaluate a run on a labelled source.

    Args:
        run: run folder, or adapter folder.
        source: file, saved dataset or Hub dataset id.
        console: where progress is shown; None for silence.
        compute: how the arithmetic is done; None: as the run was trained.
        min_confidence: answers less sure are withheld; None: as the run has it.
        overrides: settings of section `data` that differ from the run's; None is no override.

    Raises:
        RunError: the run is missing or did not finish.
        DataError: the source cannot be used, or has a label the run does not know.
    """
    answered = answer_file(
        run,
        source,
        console=console,
        compute=compute,
        min_confidence=min_confidence,
        **overrides,
    )
    targets, decision = answered.part.targets, answered.predictor.spec.decision
    metrics = metrics_of(answered.predictor, targets, answered.logits)
    decisions = DecisionFigures.of(targets, answered.probabilities, decision)
    return Evaluation(metrics, decisions, decision)


def metrics_of(predictor: Predictor, targets: Targets, logits: Logits) -> ClassificationMetrics:
    """Return the figures of a classifier, by its temperature and its rule.

    Args:
        predictor: the classifier.
        targets: the truth.
        logits: its raw logits, [rows, units].
    """
    spec = predictor.spec
    return classification_metrics(
        targets,
        predictor.probabilities_of(logits),
        spec.label_names,
        multi_label=spec.head.multi_label,
        decision=spec.decision,
        logits=logits.astype(np.float64) / spec.temperature,
    )


def answer_file(
    run: Path,
    source: str,
    *,
    console: Console | None = None,
    compute: ComputeConfig | None = None,
    min_confidence: float | None = None,
    **overrides: Any,
) -> AnsweredRows:
    """Let a run answer labelled rows; arguments and errors as in `evaluate_file`."""
    predictor = Predictor.load(run, compute).with_min_confidence(min_confidence)
    spec = predictor.spec
    trained_on = saved_config(RunFolder(run).config).data
    values = {
        **trained_on.model_dump(),
        "strip_html": False,  # the predictor does it
        "test_split": None,
        "on_bad_rows": "error",  # figures over a part of the rows must be asked for
        "on_unknown_classes": "error",
        **{name: value for name, value in overrides.items() if value is not None},
    }
    if source not in (trained_on.train, trained_on.validation, trained_on.test):
        values |= {"dataset_config": None, "dataset_revision": None}
    settings = build_config({"data": values}, origin="evaluate").data
    labels = LabelSet(
        spec.label_names, spec.head.multi_label, spec.label_values, spec.merged_labels
    )
    part = load_labelled(source, settings, labels)
    if spec.strip_html:
        part = _without_rows_of_html(part, settings.on_bad_rows)
    if part.table.rejected and console is not None:
        why = reasons_in_words(part.table.rejected)
        console.print(f"{len(part.table.rejected):,} rows left out: {why}", style="yellow")
    with progress_bar(console, "evaluating", len(part)) as progress:
        logits = predictor.logits(predictor.sequences(part.table.texts), progress)
    return AnsweredRows(part, logits, predictor)


def _without_rows_of_html(part: Part, on_bad_rows: str) -> Part:
    """Leave rows out of which nothing is left to be read, or refuse them.

    Raises:
        DataError: there is one, and bad rows are errors.
    """
    bad = rows_of_html(part.table)
    if not bad:
        return part
    if on_bad_rows == "error":
        raise bad_row_error(bad[0])
    lines = {row.line for row in bad}
    kept = [row for row, line in enumerate(part.table.lines) if line not in lines]
    chosen = part.select(np.array(kept, np.int64))
    return replace(chosen, table=replace(chosen.table, rejected=part.table.rejected + bad))
