"""What a finished training leaves in its run folder, with the versions it was made by."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from peft import PeftModel

from textlora.config import SettledConfig
from textlora.data.loading import Parts
from textlora.data.tables import csv_text, write_rejected
from textlora.errors import storage_errors
from textlora.files import RunFolder, write_json, write_text
from textlora.inference.predictor import Predictor
from textlora.inspection import Inspection
from textlora.metrics.records import BeforeAfter, EpochRecord
from textlora.metrics.statistics import Metric, judging_metric
from textlora.model.adapters import ParameterCount, UntrainedAdapter, export_adapter
from textlora.model.card import Circumstances, model_card
from textlora.training.concluding import Conclusion, PartResult
from textlora.training.fitting import Refit

PACKAGES = (
    "textlora",
    "torch",
    "transformers",
    "peft",
    "accelerate",
    "tokenizers",
    "datasets",
    "scikit-learn",
    "numpy",
)


def describe_environment() -> dict[str, Any]:
    """Return versions, processor, threads and device as plain values."""
    import torch

    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "device": device,
        "packages": {name: _version(name) for name in PACKAGES},
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
    }


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _processor() -> str:
    try:
        with Path("/proc/cpuinfo").open(encoding="utf-8") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or "unknown"


@dataclass(frozen=True)
class TrainedRun:
    """A finished training.

    Args:
        folder: the run folder.
        config: every setting.
        parameters: trainable and total.
        history: the evaluations during training.
        conclusion: the tuned classifier, its figures and the verdict.
        before_after: sample texts before and after.
        inspection: what was found in the data.
        seconds: training time, evaluations included.
        notices: what is wrong with the training, a sentence each.
        refitted: how it was trained once more on all rows; None: it was not.
    """

    folder: RunFolder
    config: SettledConfig
    parameters: ParameterCount
    history: list[EpochRecord]
    conclusion: Conclusion
    before_after: list[BeforeAfter]
    inspection: Inspection
    seconds: float
    notices: list[str] = field(default_factory=list)
    refitted: Refit | None = None

    @property
    def predictor(self) -> Predictor:
        """The tuned classifier."""
        return self.conclusion.predictor

    @property
    def results(self) -> dict[str, PartResult]:
        """The figures by part: "validation" and, where there is one, "test"."""
        return self.conclusion.results

    @property
    def metric(self) -> Metric:
        """What the run is judged by."""
        chosen = self.config.training.metric_for_best_model
        return judging_metric(chosen, self.predictor.spec.head.multi_label)

    @property
    def lead(self) -> tuple[str, PartResult]:
        """The part that the headline is about: test, else validation."""
        name = "test" if "test" in self.results else "validation"
        return name, self.results[name]


def write_results(run: TrainedRun, parts: Parts, untrained: UntrainedAdapter) -> None:
    """Write every file of the run folder but its state, its settings and its report.

    Raises:
        StorageError: the folder cannot be written.
    """
    folder = run.folder
    write_json(folder.metrics, _metrics(run))
    lines = [json.dumps(record.to_dict()) + "\n" for record in run.history]
    write_text(folder.history, "".join(lines))
    write_json(folder.before_after, [item.to_dict() for item in run.before_after])
    write_json(folder.environment, describe_environment())
    write_text(folder.predictions, predictions_csv(run.results, run.predictor))
    if parts.set_aside:
        write_rejected(parts.set_aside, folder.rejected)
    write_adapter(run, untrained)
    write_json(folder.inspection, run.inspection.to_dict())
    for path, record in (
        (folder.verdict, run.conclusion.verdict),
        (folder.calibration, run.conclusion.calibration),
    ):
        if record is not None:
            write_json(path, record.to_dict())


def write_adapter(run: TrainedRun, untrained: UntrainedAdapter) -> None:
    """Write the adapter folder: PEFT files with the head, tokenizer, spec and model card."""
    folder, predictor = run.folder.adapter, run.predictor
    assert isinstance(predictor.model, PeftModel)  # noqa: S101
    with storage_errors(f"writing the adapter {folder}"):
        export_adapter(predictor.model, folder, untrained)
        predictor.tokenizer.save_pretrained(folder)
    predictor.spec.save(folder)
    figures = {name: result.metrics for name, result in run.results.items()}
    verdict = run.conclusion.verdict
    known = Circumstances(
        rows=run.inspection.class_rows,
        verdict=verdict.sentence if verdict else None,
        notes=verdict.notes if verdict else (),
        parameters=(run.parameters.trainable, run.parameters.total),
        refitted=None if run.refitted is None else run.refitted.told,
    )
    write_text(folder / "README.md", model_card(predictor.spec, run.config, figures, known))


def predictions_csv(results: Mapping[str, PartResult], predictor: Predictor) -> str:
    """Return every evaluated row: part, text, true and predicted label, a probability per class."""
    names = predictor.spec.label_names
    header = ["part", "text", "true", "predicted", *(f"probability_{name}" for name in names)]
    rows = (
        [
            part,
            text,
            shown(result.part.targets[row], names),
            shown(result.predictions.predicted[row], names),
            *(f"{value:.6f}" for value in result.probabilities[row]),
        ]
        for part, result in results.items()
        for row, text in enumerate(result.part.table.texts)
    )
    return csv_text([header, *rows])


def _metrics(run: TrainedRun) -> dict[str, Any]:
    verdict, leakage = run.conclusion.verdict, run.conclusion.leakage
    return {
        "parts": {name: result.metrics.to_dict() for name, result in run.results.items()},
        "verdict": None if verdict is None else verdict.sentence,
        "leakage": None if leakage is None else leakage.to_dict(),
        "training": {
            "seconds": run.seconds,
            "trainable_parameters": run.parameters.trainable,
            "total_parameters": run.parameters.total,
            "best_epoch": next((record.epoch for record in run.history if record.best), None),
            "refitted": run.refitted is not None,
            "notices": run.notices,
        },
    }


def shown(target: Any, names: tuple[str, ...]) -> str:
    """Return a class number, or 0/1 for every class, as names."""
    if np.ndim(target) == 0:
        return names[int(target)]
    return "|".join(name for name, is_set in zip(names, target, strict=True) if is_set)
