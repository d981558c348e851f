"""The export as a whole: complete and proven, or not there."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from export.conftest import MakeRun
from support.adapters import Recipe
from support.tiny import ARCHITECTURES
from textlora.errors import MissingExtraError, ModelError, RunError
from textlora.export import exporting, onnx_graph
from textlora.export.exporting import drop_in_words, export_run, notes
from textlora.export.onnx_graph import GRAPH_FILE, OnnxRunner
from textlora.metrics.decisions import Decision
from textlora.model.spec import ClassifierSpec


@pytest.mark.parametrize(
    ("architecture", "recipe"),
    [
        ("distilbert", Recipe(head="mlp", pooling="mean", classes=3)),
        ("bert", Recipe(classes=4, multi_label=True)),
        ("electra", Recipe(head="linear", loss="bce")),
        *(pytest.param(name, Recipe(classes=3), marks=pytest.mark.slow) for name in ARCHITECTURES),
    ],
)
def test_onnx_and_int8_of_every_kind(make_run: MakeRun, architecture: str, recipe: Recipe) -> None:
    run = make_run(architecture, recipe, temperature=0.7)
    exported = export_run(run, "onnx")
    assert exported.proof.texts == 31
    assert exported.proof.different_answers == 0
    assert exported.proof.largest_difference < 1e-5
    assert exported.proof.reference_accuracy == exported.proof.accuracy > 0

    graph = (exported.folder / GRAPH_FILE).read_bytes()
    assert str(Path.cwd()).encode() not in graph
    runner = OnnxRunner.load(exported.folder)
    for batch, length in ((1, 1), (3, 9), (2, 40)):
        ids = np.full((batch, length), 7, np.int64)
        out = runner(ids, np.ones_like(ids))
        assert out.logits.shape == out.probabilities.shape == (batch, recipe.classes)

    smaller = export_run(run, "onnx-int8").folder
    weights = {each.name: each.type for each in OnnxRunner.load(smaller).session.get_inputs()}
    assert set(weights) == {"input_ids", "attention_mask"}
    assert b"MatMulInteger" in (smaller / GRAPH_FILE).read_bytes()


def test_the_table_and_the_record(make_run: MakeRun, cli: Callable[..., Any]) -> None:
    run = make_run("distilbert")
    done = cli("export", run, "--to", "merged", "--texts", 12)
    assert done.code == 0, done.err
    for shown in ("12 test texts", "Accuracy", "0 of 12", "Weights", "One text", "Proven"):
        assert shown in done.out
    folder = run / "exports" / "merged"
    record = json.loads((folder / "export.json").read_text())
    assert record["proof"]["texts"] == 12
    assert record["proof"]["tolerance"] == 1e-4
    assert record["transformers_class"] is True
    config = json.loads((folder / "config.json").read_text())
    assert config["id2label"] == {"0": "bad", "1": "good"}
    assert str(run.parent) not in (folder / "textlora.json").read_text()
    assert not list(run.glob("exports/.*"))

    again = cli("export", run, "--to", "merged")
    assert again.code == 2
    assert "--overwrite" in again.err
    done = cli("export", run, "--to", "merged", "--overwrite", "--json")
    assert json.loads(done.out)["proof"]["texts"] == 31


def spoil(monkeypatch: pytest.MonkeyPatch, value: float) -> None:
    usual = exporting.portable

    def _spoilt(predictor: Any) -> Any:
        merged = usual(predictor)
        with torch.no_grad():
            merged.model.classifier.bias[0] += value
        return merged

    monkeypatch.setattr(exporting, "portable", _spoilt)


@pytest.mark.parametrize("value", [0.01, float("nan")])
def test_a_model_that_answers_otherwise_is_not_kept(
    make_run: MakeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: float
) -> None:
    run = make_run("distilbert")
    spoil(monkeypatch, value)
    with pytest.raises(ModelError, match="does not answer as the run does"):
        export_run(run, "merged", tmp_path / "new")
    assert list(tmp_path.iterdir()) == []


def test_a_failed_export_leaves_the_earlier_one(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run("distilbert")
    folder = export_run(run, "merged").folder
    before = (folder / "export.json").read_text()
    spoil(monkeypatch, 0.01)
    with pytest.raises(ModelError):
        export_run(run, "merged", overwrite=True)
    assert (folder / "export.json").read_text() == before


def test_what_is_no_export_is_never_replaced(make_run: MakeRun, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(RunError, match="no earlier export"):
        export_run(make_run("distilbert"), "merged", tmp_path, overwrite=True)
    assert (tmp_path / "mine.txt").read_text() == "mine"


def test_long_texts_are_cut_as_in_the_run(make_run: MakeRun) -> None:
    windows = make_run(
        "distilbert", long_texts="windows", window_stride=4, max_windows=8, temperature=0.6
    )
    exported = export_run(windows, "merged")
    assert exported.proof.largest_difference < 1e-5
    spec = ClassifierSpec.load(windows / "adapter")
    assert "read in windows" in " ".join(notes(exported, spec))
    middle = export_run(make_run("distilbert", truncation_side="head+tail"), "merged")
    assert middle.proof.largest_difference < 1e-5


def test_notes_say_what_is_left_to_the_reader(make_run: MakeRun) -> None:
    run = make_run("distilbert", Recipe(head="mlp", pooling="mean"))
    exported = export_run(run, "merged")
    spec = ClassifierSpec.load(run / "adapter")
    assert "no class" in " ".join(notes(exported, spec))
    ruled = replace(spec, strip_html=True, decision=Decision(thresholds=(0.3,)))
    said = " ".join(notes(exported, ruled))
    assert "HTML" in said
    assert "textlora.json" in said
    free = replace(exported.proof, tolerance=None, drop=0.02)
    assert "Accuracy drop 2.0 points" in drop_in_words(free)


def test_user_mistakes(
    make_run: MakeRun,
    cli: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = make_run("distilbert")
    unknown = cli("export", run, "--to", "gguf")
    assert unknown.code == 2
    assert "merged, onnx, onnx-int8" in unknown.err
    assert cli("export", tmp_path, "--to", "merged").code == 2
    monkeypatch.setattr(onnx_graph, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"\.\[export\]"):
        export_run(run, "onnx")
    assert not (run / "exports").exists()
