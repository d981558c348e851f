"""What is made of a trained model: weights of classes, temperature, rule, verdict, mistakes."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from support.tiny import Reviews, write_table
from textlora.config import ComputeConfig
from textlora.errors import ConfigError
from textlora.inference.predictor import Predictor
from textlora.report.wording import leakage_sentence
from textlora.training.reporting import print_run

Run = Callable[..., Any]


def test_class_weights_reach_the_training(run: Run) -> None:
    answers = {}
    for name in ("0", "1"):
        trained = run({"training.class_weight": {name: 1e5}}, name=name)
        matrix = trained.results["test"].metrics.confusion_matrix
        answers[name] = [sum(column) for column in zip(*matrix, strict=True)]
    assert answers["0"][1] == 0
    assert answers["1"][0] == 0


def test_temperature_and_rule_are_saved_and_used(run: Run) -> None:
    trained = run({"evaluation.threshold": "f1", "evaluation.min_confidence": 0.9})
    loaded = Predictor.load(trained.folder.path, ComputeConfig(precision="fp32"))
    assert loaded.spec == trained.predictor.spec
    assert loaded.spec.decision.min_confidence == 0.9
    assert loaded.spec.decision.thresholds is not None
    saved = json.loads(trained.folder.calibration.read_text())
    assert saved["temperature"] == loaded.spec.temperature != 1
    assert saved["test"] is not None


@pytest.mark.parametrize(
    "changes",
    [
        {"evaluation.costs": {"x": {"0": 1.0}}},
        {"training.class_weight": {"x": 1.0}},
    ],
)
def test_what_does_not_fit_the_classes_is_refused_first(
    run: Run, changes: dict[str, Any], tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="no class"):
        run(changes)
    assert not (tmp_path / "run").exists()


def test_the_verdict_is_in_the_folder_and_in_the_report(run: Run) -> None:
    trained = run({"evaluation.baselines": True}, report=True)
    verdict = json.loads(trained.folder.verdict.read_text())
    assert verdict["part"] == "test"
    assert verdict["sentence"] == json.loads(trained.folder.metrics.read_text())["verdict"]
    names = [candidate["name"] for candidate in verdict["candidates"]]
    assert len(names) == 4
    assert "LoRA" in names
    report = trained.folder.report.read_text()
    assert all(name in report for name in names)


@pytest.fixture
def leaky(reviews: Reviews, tmp_path: Path) -> Path:
    """Test rows of which the first third are two training texts, again and again."""
    common = [(reviews.texts[0], reviews.labels[0]), (f" {reviews.texts[3]}", reviews.labels[3])]
    rows = [*common * 4, *zip(reviews.texts[64:], reviews.labels[64:], strict=True)]
    return write_table(tmp_path / "leaky.csv", *map(list, zip(*rows, strict=True)))


def test_leaked_rows_are_counted_and_told(run: Run, leaky: Path, reviews: Reviews) -> None:
    trained = run({"data.test": str(leaky), "evaluation.baselines": True}, report=True)
    known = {" ".join(text.split()) for text in reviews.texts[:48]}
    lead = trained.results["test"]
    copied = np.array([" ".join(text.split()) in known for text in lead.part.table.texts])
    right = lead.predictions.right
    leakage = trained.conclusion.leakage
    assert leakage.rows == copied.sum() >= 8
    assert leakage.share == copied.mean()
    assert leakage.copies.accuracy == right[copied].mean()
    assert leakage.clean.accuracy == right[~copied].mean()
    written = json.loads(trained.folder.metrics.read_text())["leakage"]
    assert written == leakage.to_dict()
    (note,) = [note for note in trained.conclusion.verdict.notes if "not in the training" in note]
    assert note.startswith(f"On the {(~copied).sum()} test texts that are not in the training rows")
    assert note in json.loads(trained.folder.verdict.read_text())["notes"]
    shown = io.StringIO()
    print_run(trained, Console(file=shown, width=200))
    sentence = leakage_sentence(leakage)
    assert sentence in shown.getvalue()
    report = trained.folder.report.read_text()
    assert sentence.replace(" %", "\N{NO-BREAK SPACE}%") in report
    assert "--drop-leaks" in report


def test_leaks_are_dropped_where_asked_for(run: Run, leaky: Path, reviews: Reviews) -> None:
    shown = io.StringIO()
    changes = {"data.test": str(leaky), "data.drop_leaks": True}
    trained = run(changes, console=Console(file=shown, width=120), report=True)
    assert trained.conclusion.leakage is None
    assert json.loads(trained.folder.metrics.read_text())["leakage"] is None
    assert len(trained.results["test"].part) == 24
    assert not trained.inspection.of_kind("leakage")
    assert re.search(r"\d+ train, \d+ validation rows dropped: a later split", shown.getvalue())
    assert "Dropped: the text is in a later split" in trained.folder.report.read_text()


def test_mistakes_are_explained_where_asked_for(run: Run) -> None:
    pytest.importorskip("captum")
    # One step of training leaves mistakes.
    changes = {"training.max_steps": 1, "evaluation.explained_errors": 2}
    mistakes = run(changes).conclusion.mistakes
    explained = [item for item in mistakes.certain if item.explanation is not None]
    assert len(explained) == min(2, len(mistakes.certain)) > 0
    assert all(item.true != item.predicted for item in mistakes.certain)
    assert [item.probability for item in mistakes.certain] == sorted(
        (item.probability for item in mistakes.certain), reverse=True
    )


def test_windows_and_no_test_part_are_reported(run: Run) -> None:
    changes = {"data.test": None, "data.test_size": 0, "data.long_texts": "windows"}
    trained = run(changes, report=True)
    assert list(trained.results) == ["validation"]
    assert "no test part" in trained.folder.report.read_text()
