"""What a finished training leaves in its run folder."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from peft import PeftModel

from textlora.config import RunConfig
from textlora.data.loading import Part, Parts
from textlora.data.tables import write_rejected
from textlora.data.tokenizing import TokenizedTexts
from textlora.environment import describe_environment
from textlora.errors import storage_errors
from textlora.evaluation.metrics import (
    ClassificationMetrics,
    classification_metrics,
    predicted_labels,
)
from textlora.evaluation.plots import save_plots
from textlora.evaluation.records import BeforeAfter, EpochRecord, ErrorExample, PartSummary
from textlora.evaluation.report import ReportData, render_report
from textlora.inference.predictor import Predictor, Probabilities
from textlora.model.adapters import ParameterCount, UntrainedAdapter, export_adapter
from textlora.model.card import model_card
from textlora.model.heads import probabilities
from textlora.recipes import load_recipe, recipe_names
from textlora.run import RunFolder, write_json, write_text

SHOWN_ERRORS = 20
NO_TEST_PART = (
    "There is no test part: the best checkpoint was chosen on the very rows that this figure "
    "is about, so it is optimistic."
)


@dataclass(frozen=True)
class PartResult:
    """What the trained model makes of one part.

    Args:
        part: the rows.
        probabilities: [rows, classes].
        metrics: the figures.
    """

    part: Part
    probabilities: Probabilities
    metrics: ClassificationMetrics

    @classmethod
    def of(cls, predictor: Predictor, part: Part, sequences: TokenizedTexts) -> PartResult:
        """Score a part."""
        import torch

        spec = predictor.spec
        logits = torch.from_numpy(predictor.logits(sequences))
        values = probabilities(logits, spec.head).numpy()
        metrics = classification_metrics(
            part.targets, values, spec.label_names, multi_label=spec.head.multi_label
        )
        return cls(part, values, metrics)


@dataclass(frozen=True)
class TrainedRun:
    """A finished training.

    Args:
        folder: the run folder.
        config: every setting.
        parameters: trainable and total.
        history: the evaluations during training.
        results: by part, "validation" and, where there is one, "test".
        before_after: sample texts before and after.
        predictor: the trained classifier.
        seconds: training time, evaluations included.
    """

    folder: RunFolder
    config: RunConfig
    parameters: ParameterCount
    history: list[EpochRecord]
    results: dict[str, PartResult]
    before_after: list[BeforeAfter]
    predictor: Predictor
    seconds: float

    @property
    def lead(self) -> tuple[str, PartResult]:
        """The part that the headline is about: test, else validation."""
        name = "test" if "test" in self.results else "validation"
        return name, self.results[name]


def write_results(
    run: TrainedRun,
    parts: Parts,
    sequences: Mapping[str, TokenizedTexts],
    untrained: UntrainedAdapter,
) -> None:
    """Write every file of the run folder but its state and its settings.

    Raises:
        StorageError: the folder cannot be written.
    """
    folder = run.folder
    environment = describe_environment()
    write_json(folder.metrics, _metrics(run))
    lines = [json.dumps(record.to_dict()) + "\n" for record in run.history]
    write_text(folder.history, "".join(lines))
    write_json(folder.before_after, [item.to_dict() for item in run.before_after])
    write_json(folder.environment, environment)
    write_text(folder.predictions, predictions_csv(run.results, run.predictor))
    if parts.rejected:
        write_rejected(parts.rejected, folder.rejected)
    write_adapter(run, untrained)
    _write_report(run, parts, sequences, environment)


def write_adapter(run: TrainedRun, untrained: UntrainedAdapter) -> None:
    """Write the adapter folder: PEFT files with the head, tokenizer, spec and model card."""
    folder, predictor = run.folder.adapter, run.predictor
    assert isinstance(predictor.model, PeftModel)  # noqa: S101
    with storage_errors(f"writing the adapter {folder}"):
        export_adapter(predictor.model, folder, untrained)
        predictor.tokenizer.save_pretrained(folder)
    predictor.spec.save(folder)
    figures = {name: result.metrics for name, result in run.results.items()}
    write_text(folder / "README.md", model_card(predictor.spec, run.config, figures))


def predictions_csv(results: Mapping[str, PartResult], predictor: Predictor) -> str:
    """Return every evaluated row: part, text, true and predicted label, a probability per class."""
    names = predictor.spec.label_names
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    header = [f"probability_{name}" for name in names]
    writer.writerow(["part", "text", "true", "predicted", *header])
    for part, result in results.items():
        predicted = predicted_labels(result.probabilities, predictor.spec.head.multi_label)
        for row, text in enumerate(result.part.table.texts):
            writer.writerow(
                [
                    part,
                    text,
                    _shown(result.part.targets[row], names),
                    _shown(predicted[row], names),
                    *(f"{value:.6f}" for value in result.probabilities[row]),
                ]
            )
    return file.getvalue()


def _metrics(run: TrainedRun) -> dict[str, Any]:
    return {
        "parts": {name: result.metrics.to_dict() for name, result in run.results.items()},
        "training": {
            "seconds": run.seconds,
            "trainable_parameters": run.parameters.trainable,
            "total_parameters": run.parameters.total,
            "best_epoch": next((record.epoch for record in run.history if record.best), None),
        },
    }


def _write_report(
    run: TrainedRun,
    parts: Parts,
    sequences: Mapping[str, TokenizedTexts],
    environment: dict[str, Any],
) -> None:
    lead_name, lead = run.lead
    predictor = run.predictor
    tokens = sequences["train"]
    max_length = predictor.spec.max_length
    with storage_errors(f"writing the plots {run.folder.plots}"):
        plots = save_plots(
            run.folder.plots,
            history=run.history,
            metrics=lead.metrics,
            targets=lead.part.targets,
            probabilities=lead.probabilities,
            lengths=tokens.full_lengths,
            max_length=max_length,
        )
    recipe = run.config.recipe
    data = ReportData(
        title=run.folder.path.name,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        model=predictor.spec.backbone.name_or_path,
        metrics={name: result.metrics for name, result in run.results.items()},
        recipe=recipe,
        published=load_recipe(recipe).published if recipe in recipe_names() else None,
        trainable_parameters=run.parameters.trainable,
        total_parameters=run.parameters.total,
        history=run.history,
        before_after=run.before_after,
        errors=_worst_errors(lead, predictor),
        parts=_summaries(parts, predictor.spec.label_names),
        # Of what is read in windows the report must not say that the model does not see it.
        max_length=max_length if predictor.spec.long_texts == "truncate" else None,
        truncated_share=float(np.mean(tokens.full_lengths > max_length)),
        plots={name: path.read_text(encoding="utf-8") for name, path in plots.items()},
        settings=run.config.to_yaml(),
        environment=environment,
        notes=[] if lead_name == "test" else [NO_TEST_PART],
    )
    write_text(run.folder.report, render_report(data))


def _worst_errors(result: PartResult, predictor: Predictor) -> list[ErrorExample]:
    if predictor.spec.head.multi_label:
        return []
    names = predictor.spec.label_names
    predicted = predicted_labels(result.probabilities)
    wrong = np.flatnonzero(predicted != result.part.targets)
    surest = wrong[np.argsort(-result.probabilities[wrong, predicted[wrong]], kind="stable")]
    return [
        ErrorExample(
            text=result.part.table.texts[row],
            true=names[int(result.part.targets[row])],
            predicted=names[int(predicted[row])],
            probability=float(result.probabilities[row, predicted[row]]),
        )
        for row in surest[:SHOWN_ERRORS]
    ]


def _summaries(parts: Parts, names: tuple[str, ...]) -> list[PartSummary]:
    summaries = []
    # Parts split off the same source share its bad rows: they are told of once.
    rejected = Counter(row.source for row in parts.rejected)
    for name, part in (
        ("training", parts.train),
        ("validation", parts.validation),
        ("test", parts.test),
    ):
        if part is None:
            continue
        if part.targets.ndim == 2:
            counts = {n: int(c) for n, c in zip(names, part.targets.sum(axis=0), strict=True)}
        else:
            totals = np.bincount(part.targets.astype(np.int64), minlength=len(names))
            counts = {n: int(c) for n, c in zip(names, totals, strict=True)}
        bad = rejected.pop(part.table.source, 0)
        summaries.append(PartSummary(name, len(part.table), counts, bad))
    return summaries


def _shown(target: Any, names: tuple[str, ...]) -> str:
    if np.ndim(target) == 0:
        return names[int(target)]
    return "|".join(name for name, is_set in zip(names, target, strict=True) if is_set)
