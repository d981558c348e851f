"""What a finished run answered on its own parts, read from its folder."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from textlora.errors import RunError
from textlora.metrics.comparison import Answers
from textlora.metrics.statistics import Metric, judging_metric
from textlora.model.spec import ClassifierSpec
from textlora.recipes import load_recipe
from textlora.run import RunFolder, read_json

_PROBABILITY = "probability_"


@dataclass(frozen=True)
class AnsweredTexts:
    """Texts with their truth and what a classifier answers.

    Args:
        texts: as the run read them.
        answers: one a text; class numbers are positions in `labels`.
        labels: the classes' names.
    """

    texts: tuple[str, ...]
    answers: Answers
    labels: tuple[str, ...]

    def aligned(self, labels: Sequence[str]) -> AnsweredTexts:
        """Return the same with the classes as in `labels`, and the texts in alphabetical order.

        Two runs that judged the same rows then hold them in the same order.
        """
        to_new = np.array([list(labels).index(name) for name in self.labels])
        truth, predicted = (
            _renumbered(values, to_new) for values in (self.answers.truth, self.answers.predicted)
        )
        order = sorted(range(len(truth)), key=lambda row: (self.texts[row], truth[row].tolist()))
        answers = Answers(truth[order], predicted[order], len(labels))
        return AnsweredTexts(tuple(self.texts[row] for row in order), answers, tuple(labels))


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
    answers = Answers.of(truth, probabilities, spec.decision)
    return AnsweredTexts(tuple(row["text"] for row in rows), answers, names)


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
