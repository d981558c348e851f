"""How far a finished run is from its baselines on the test rows, and how sure that is.

A run keeps its own answers for every test row, and the baselines' figures alone. So they are
trained once more, on the same rows and by the same function.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
from rich.console import Console

from textlora.data.loading import load_parts
from textlora.files import RunFolder
from textlora.inference.predictor import Predictor
from textlora.metrics.comparison import Comparison, Predictions
from textlora.metrics.statistics import Metric
from textlora.recipes import load_recipe
from textlora.training.building import tokenize_parts
from textlora.training.fitting import all_rows
from textlora.training.settling import settle
from textlora.training.verdict import train_baselines

# By what a run calls them: what the table calls them.
BASELINES = {
    "Frozen encoder + logistic regression": "frozen encoder + LR",
    "TF-IDF + logistic regression": "TF-IDF + LR",
}
Bounds = tuple[float, float, float]


def differences_of(run: Path, metric: str) -> dict[str, Bounds]:
    """Return, by baseline, the run's figure minus its, and the paired 95 % interval.

    Args:
        run: the folder of a finished run with a test part.
        metric: "accuracy" or "macro_f1".
    """
    folder = RunFolder(run)
    config = load_recipe(str(folder.config)).config()
    parts, predictor = load_parts(config.data), Predictor.load(run)
    assert parts.test is not None
    sequences = tokenize_parts(parts, predictor, train_windows=config.data.train_windows)
    quiet = Console(quiet=True)
    settled = settle(config, parts, quiet)
    refitted = json.loads(folder.metrics.read_text(encoding="utf-8"))["training"]["refitted"]
    baselines, _ = train_baselines(
        predictor,
        parts,
        sequences,
        config=settled.config,
        states=settled.states,
        console=quiet,
        all_rows=all_rows(settled.config, predictor, parts) if refitted else None,
    )
    kept = _test_probabilities(folder)
    ours = Predictions.of(parts.test.targets, kept, predictor.spec.decision)
    theirs = {each.name: each.predictions for each in baselines}
    judged_by: Metric = "accuracy" if metric == "accuracy" else "f1"
    return {name: _bounds(ours, theirs[name], judged_by) for name in BASELINES}


def _test_probabilities(folder: RunFolder) -> np.ndarray:
    kept = pd.read_csv(folder.predictions, keep_default_na=False)
    columns = [name for name in kept if str(name).startswith("probability_")]
    return kept.loc[kept["part"] == "test", columns].to_numpy(dtype=float)


def _bounds(ours: Predictions, theirs: Predictions, metric: Metric) -> Bounds:
    found = Comparison.of(ours, theirs, metric=metric)
    return found.difference, found.interval.low, found.interval.high
