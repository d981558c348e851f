"""A finished run: on labelled rows it has not seen, and what it answered on its own parts."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from textlora.config import ComputeConfig, build_config
from textlora.data.classes import reasons_in_words
from textlora.data.labels import LabelSet, Targets
from textlora.data.loading import Part, load_labelled
from textlora.data.rows import bad_row_error, rows_of_html
from textlora.errors import RunError
from textlora.files import RunFolder, read_json
from textlora.inference.logits import Logits
from textlora.inference.predictor import Predictor, Probabilities
from textlora.metrics.classification import ClassificationMetrics, classification_metrics
from textlora.metrics.comparison import Predictions
from textlora.metrics.decisions import Decision
from textlora.metrics.statistics import Metric, judging_metric
from textlora.metrics.subsets import DecisionFigures
from textlora.model.spec import ClassifierSpec
from textlora.recipes import load_recipe, saved_config
from textlora.report.progress import progress_bar

_PROBABILITY = "probability_"


@dataclass(frozen=True)
class AnsweredTexts:
    """Texts with their truth and what a classifier answers.

    Args:
        texts: as the run read them.
        predictions: one a text; class numbers are positions in `labels`.
        labels: the classes' names.
    """

    texts: tuple[str, ...]
    predictions: Predictions
    labels: tuple[str, ...]

    def aligned(self, labels: Sequence[str]) -> AnsweredTexts:
        """Return the same with the classes as in `labels`, and the texts in alphabetical order.

        Two runs that judged the same rows then hold them in the same order.
        """
        to_new = np.array([list(labels).index(name) for name in self.labels])
        truth, predicted = (
            _renumbered(values, to_new)
            for values in (self.predictions.truth, self.predictions.predicted)
        )
        order = sorted(range(len(truth)), key=lambda row: (self.texts[row], truth[row].tolist()))
        predictions = Predictions(truth[order], predicted[order], len(labels))
        return AnsweredTexts(tuple(self.texts[row] for row in order), predictions, tuple(labels))


@dataclass(frozen=True)
class FinishedRun:
    """A finished run.

    Args:
        path: its folder.
        spec: what its adapter says about itself.
        parts: what it answered, by part.
        seconds: training time.
        size_bytes: size of its adapter's weights.
        metric: what it is judged by.
    """

    path: Path
    spec: ClassifierSpec
    parts: Mapping[str, AnsweredTexts]
    seconds: float
    size_bytes: int
    metric: Metric = "accuracy"

    @classmethod
    def read(cls, path: Path) -> FinishedRun:
        """Read a run folder.

        Raises:
            RunError: it is missing, unfinished or damaged.
            ModelError: its adapter is damaged.
        """
        folder = RunFolder(path)
        folder.require_finished()
        spec = ClassifierSpec.load(folder.adapter)
        try:
            seconds = float(read_json(folder.metrics)["training"]["seconds"])
            parts = _read_predictions(folder.predictions, spec)
            metric = _metric(folder, spec)
        except (OSError, KeyError, ValueError, TypeError) as error:
            raise RunError(
                f"{path}: the run's figures cannot be read ({error}).", "Train it again."
            ) from error
        return cls(path, spec, parts, seconds, adapter_bytes(folder), metric)


def adapter_bytes(folder: RunFolder) -> int:
    """Return the size of a run's adapter weights, the head among them."""
    return sum(file.stat().st_size for file in folder.adapter.glob("*.safetensors"))


def _metric(folder: RunFolder, spec: ClassifierSpec) -> Metric:
    if not folder.config.is_file():
        return "accuracy"
    chosen = load_recipe(str(folder.config)).config().training.metric_for_best_model
    return judging_metric(chosen, spec.head.multi_label)


def _read_predictions(path: Path, spec: ClassifierSpec) -> dict[str, AnsweredTexts]:
    by_part: dict[str, list[dict[str, str]]] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            by_part.setdefault(row["part"], []).append(row)
    return {part: _answered(rows, spec) for part, rows in by_part.items()}


def _answered(rows: Sequence[Mapping[str, str]], spec: ClassifierSpec) -> AnsweredTexts:
    names = spec.label_names
    probabilities = np.array([[float(row[_PROBABILITY + name]) for name in names] for row in rows])
    truth = np.array([_number(row["true"], spec) for row in rows], dtype=np.int64)
    predictions = Predictions.of(truth, probabilities, spec.decision)
    return AnsweredTexts(tuple(row["text"] for row in rows), predictions, names)


def _number(cell: str, spec: ClassifierSpec) -> Any:
    """Return the class number of a label's name; multi-label: 0 or 1 for each class."""
    names = spec.label_names
    if not spec.head.multi_label:
        return names.index(cell)
    given = cell.split("|") if cell else []
    if not set(given) <= set(names):
        raise ValueError(f"'{cell}' is not made of the classes' names")
    return [int(name in given) for name in names]


def _renumbered(values: Any, to_new: Any) -> Any:
    if values.ndim == 1:
        return to_new[values]
    renumbered = np.empty_like(values)
    renumbered[:, to_new] = values
    return renumbered


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
