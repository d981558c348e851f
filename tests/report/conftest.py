"""Small made-up results, hostile names and texts included."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from support.draws import draw_predictions
from support.reports import FINDINGS, HOSTILE, explanation, verdict
from textlora.metrics.calibration import calibrate
from textlora.metrics.classification import (
    ClassificationMetrics,
    classification_metrics,
)
from textlora.metrics.decisions import Decision
from textlora.metrics.mistakes import ErrorExample, find_mistakes
from textlora.metrics.records import BeforeAfter, EpochRecord
from textlora.metrics.subsets import DecisionFigures, accuracy_by_length
from textlora.report.html import ReportData
from textlora.report.plots import save_plots
from textlora.report.view import LengthLoss, PartSummary


@pytest.fixture(scope="session")
def hostile() -> str:
    return HOSTILE


@pytest.fixture(scope="session")
def predictions() -> Callable[..., tuple[np.ndarray, np.ndarray]]:
    """A function that draws (targets, probabilities) of plausible quality."""
    return draw_predictions


@pytest.fixture(scope="session")
def metrics(predictions: Callable[..., tuple]) -> ClassificationMetrics:
    return classification_metrics(*predictions(2), ["negative", "positive"])


@pytest.fixture(scope="session")
def history() -> list[EpochRecord]:
    return [
        EpochRecord(1.0, 63, None, 0.4123, 0.831, 0.829, 0.66, 3e-4, 31.0),
        EpochRecord(2.0, 126, 0.3012, 0.3456, 0.872, 0.871, 0.74, 1e-4, 65.0, best=True),
    ]


@pytest.fixture(scope="session")
def report_data(
    tmp_path_factory: pytest.TempPathFactory,
    predictions: Callable[..., tuple],
    history: list[EpochRecord],
) -> Callable[..., ReportData]:
    """A function that makes a full report's data for any kind of classes."""

    def make(
        names: list[str], *, multi_label: bool = False, test: bool = True, **changes: object
    ) -> ReportData:
        targets, probabilities = predictions(len(names), multi_label=multi_label)
        figures = classification_metrics(targets, probabilities, names, multi_label=multi_label)
        logits = 3 * (np.log(probabilities) - np.log1p(-probabilities) * multi_label)
        calibration = calibrate(logits, targets)
        if test:
            calibration = calibration.tested(logits, targets)
        decision = Decision(min_confidence=0.6)
        decided = DecisionFigures.of(targets, probabilities, decision)
        folder: Path = tmp_path_factory.mktemp("plots")
        paths = save_plots(
            folder,
            history=history,
            metrics=figures,
            targets=targets,
            probabilities=probabilities,
            lengths=[5, 90, 600],
            max_length=512,
            calibration=calibration.lead,
            decisions=decided,
        )
        texts = [f"{HOSTILE} text number {row} " * (1 + row % 40) for row in range(len(targets))]
        mistakes = find_mistakes(texts, targets, probabilities, names, decision, most=6)
        shown = (*mistakes.certain, *mistakes.worst)
        mistakes = mistakes.explained(
            {item.text: explanation(item.text, names[1]) for item in shown}
        )
        values: dict = {
            "title": f"run {HOSTILE}",
            "created": "2025-11-21T14:05:00+00:00",
            "model": f"model {HOSTILE}",
            "metrics": {"validation": figures} | ({"test": figures} if test else {}),
            "verdict": verdict(targets, probabilities, "test" if test else "validation"),
            "recipe": f"recipe {HOSTILE}",
            "published": {"accuracy": 0.8713, "rows": 1000, "source": HOSTILE, HOSTILE: 1.5},
            "trainable_parameters": 628_994,
            "total_parameters": 67_584_004,
            "history": history,
            "before_after": [
                BeforeAfter(HOSTILE, names[0], 0.51, names[1], 0.97, names[1]),
                BeforeAfter("no label known", names[0], 0.5, HOSTILE, 0.6),
            ],
            "calibration": calibration,
            "decision": decision,
            "decision_figures": decided,
            "length_buckets": accuracy_by_length(
                np.arange(len(targets)) * 11,
                targets,
                decision.labels(probabilities, multi_label),
                max_length=512,
            ),
            "errors": [
                *mistakes.certain,
                ErrorExample(f"{HOSTILE} " * 40, names[0], names[1], 0.987),
            ],
            "worst_errors": mistakes.worst,
            "findings": FINDINGS,
            "length_losses": [LengthLoss(256, 90, 0.3, 0.12), LengthLoss(512, 30, 0.1, 0.03)],
            "parts": [PartSummary("training", 100, {names[0]: 60, HOSTILE: 40}, 3)],
            "max_length": 512,
            "truncated_share": 1 / 3,
            "plots": {name: path.read_text() for name, path in paths.items()},
            "settings": f"data:\n  train: {HOSTILE}\n",
            "environment": {"python": "3.11", HOSTILE: HOSTILE},
            "notes": [f"optimistic {HOSTILE}"],
            "unit": "reviews",
        }
        return ReportData(**{**values, **changes})

    return make
