"""Finished runs without a training: a random adapter of any kind, and what it answers."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.adapters import Recipe, save_served
from support.tiny import Reviews

MakeRun = Callable[..., Path]


def write_run(folder: Path, texts: list[str], **compute: Any) -> None:
    """Write the files of a finished run around an adapter; every third label is wrong."""
    from textlora.config import ComputeConfig
    from textlora.files import RunFolder
    from textlora.inference.predictor import Predictor

    run = RunFolder(folder)
    predictor = Predictor.load(run.adapter, ComputeConfig(precision="fp32", path="plain"))
    spec = predictor.spec
    rows = predictor.predict_proba(texts)
    chosen = spec.decision.labels(rows, spec.head.multi_label)
    with run.predictions.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        names = spec.label_names
        writer.writerow(["part", "text", "true", "predicted", *(f"probability_{n}" for n in names)])
        for number, (text, row, label) in enumerate(zip(texts, rows, chosen, strict=True)):
            if spec.head.multi_label:
                true = said = "|".join(n for n, given in zip(names, label, strict=True) if given)
            else:
                said = names[int(label)]
                true = names[(int(label) + (number % 3 == 0)) % len(names)]
            writer.writerow(["test", text, true, said, *row.tolist()])
    run.metrics.write_text(json.dumps({"parts": {}, "training": {"seconds": 1.0}}))
    run.state_file.write_text(json.dumps({"state": "finished"}))


@pytest.fixture(scope="session")
def make_run(
    tiny: Callable[[str], Path], reviews: Reviews, tmp_path_factory: pytest.TempPathFactory
) -> MakeRun:
    """Return a function that makes a run: architecture, recipe, and changes of its description."""

    def _make(architecture: str, recipe: Recipe | None = None, **spec: Any) -> Path:
        folder = tmp_path_factory.mktemp("exported") / "run"
        folder.mkdir()
        save_served(folder / "adapter", tiny(architecture), recipe, **spec)
        write_run(folder, [*reviews.texts[:30], " ".join(reviews.texts)])
        return folder

    return _make
