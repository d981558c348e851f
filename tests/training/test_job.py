"""The main job: what it learns, what it leaves, and that it does so again."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from support.tiny import ARCHITECTURES, Reviews, save_model, write_table
from textlora.config import ComputeConfig
from textlora.errors import ConfigError, DataError, ModelError, RunError, StorageError
from textlora.files import RunFolder
from textlora.inference.predictor import Predictor
from textlora.recipes import load_recipe
from textlora.training import job
from textlora.training.job import train

from .conftest import adapter_bytes

Run = Callable[..., Any]

FILES = {
    *("calibration.json", "inspection.json"),
    *("adapter", "before_after.json", "checkpoints", "config.yaml", "environment.json"),
    *("history.jsonl", "metrics.json", "plots", "predictions.csv", "report.html", "run.json"),
}
ADAPTER_FILES = {
    *("README.md", "adapter_config.json", "adapter_model.safetensors"),
    *("textlora.json", "tokenizer.json", "tokenizer_config.json"),
}


def probabilities(folder: Path, texts: list[str]) -> Any:
    return Predictor.load(folder, ComputeConfig(precision="fp32")).predict_proba(texts)


def test_the_run_folder_is_complete(finished: Any) -> None:
    folder = finished.folder
    assert {path.name for path in folder.path.iterdir()} == FILES
    assert {path.name for path in folder.adapter.iterdir()} == ADAPTER_FILES
    assert folder.state()["state"] == "finished"
    metrics = json.loads(folder.metrics.read_text())
    assert set(metrics["parts"]) == {"validation", "test"}
    assert metrics["parts"]["test"]["accuracy"] == finished.results["test"].metrics.accuracy
    assert metrics["training"]["trainable_parameters"] == finished.parameters.trainable
    history = [json.loads(line) for line in folder.history.read_text().splitlines()]
    assert [record["epoch"] for record in history] == [1, 2, 3, 4]
    assert sum(record["best"] for record in history) == 1
    assert json.loads(folder.environment.read_text())["packages"]["torch"]
    assert any(folder.plots.iterdir())
    assert "Negative" in folder.report.read_text()


def test_predictions_are_those_of_the_model(finished: Any, reviews: Reviews) -> None:
    with finished.folder.predictions.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["part"] for row in rows] == ["validation"] * 16 + ["test"] * 16
    assert [row["text"] for row in rows] == reviews.texts[48:]
    names = ["Negative", "Positive"]
    assert [row["true"] for row in rows] == [names[label] for label in reviews.labels[48:]]
    written = np.array([[float(row[f"probability_{name}"]) for name in names] for row in rows])
    found = probabilities(finished.folder.path, reviews.texts[48:])
    np.testing.assert_allclose(written, found, atol=1e-5)
    assert [row["predicted"] for row in rows] == [names[best] for best in found.argmax(axis=1)]


def test_before_and_after(finished: Any) -> None:
    items = json.loads(finished.folder.before_after.read_text())
    assert len(items) == 5  # no sample texts are set: validation rows
    assert all(item["expected"] in ("Negative", "Positive") for item in items)
    assert sum(item["after_label"] == item["expected"] for item in items) >= 4
    assert any(item["before_probability"] != item["after_probability"] for item in items)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_architecture_learns_and_loads(architecture: str, run: Run, reviews: Reviews) -> None:
    changes = {"training.num_train_epochs": 4, "training.metric_for_best_model": "loss"}
    done = run(changes, architecture=architecture)
    assert done.results["test"].metrics.accuracy >= 0.8
    found = probabilities(done.folder.path, reviews.texts[64:])
    np.testing.assert_allclose(found, done.results["test"].probabilities, atol=1e-5)


@pytest.mark.parametrize(
    "changes",
    [
        {"model.head": "linear", "model.loss": "bce"},
        {"model.pooling": "mean"},
        {"model.pooling": "mean", "model.loss": "bce"},
        {"lora.target_modules": ["q", "v", "head"]},
        {"lora.init_lora_weights": "pissa", "lora.use_rslora": True},
        {"lora.use_dora": True, "lora.layers": "top:1"},
        {"lora.bias": "all", "lora.modules_to_save": ["sa_layer_norm"]},
        {"training.optim": "adam", "training.lr_scheduler_type": "cosine"},
        {"training.mixed_precision": "bf16"},
        {"lora.layers": "top:1", "compute.prefix_cache": True, "training.mixed_precision": "bf16"},
        {"data.truncation_side": "left", "data.max_length": 6},
    ],
    ids=lambda changes: ",".join(str(value) for value in changes.values()),
)
def test_what_is_saved_is_what_was_evaluated(
    changes: dict[str, Any], run: Run, reviews: Reviews
) -> None:
    done = run(changes)
    found = probabilities(done.folder.path, reviews.texts[64:])
    np.testing.assert_allclose(found, done.results["test"].probabilities, atol=2e-5)
    # The model in memory, which TextClassifier goes on with, is the same one.
    kept = done.predictor.predict_proba(reviews.texts[64:])
    np.testing.assert_allclose(kept, found, atol=2e-5)


def test_the_base_is_bit_equal_after_training(run: Run, tiny: Any) -> None:
    from transformers import AutoModel

    base = AutoModel.from_pretrained(tiny("distilbert")).state_dict()
    model = run().predictor.model.unload().distilbert.state_dict()
    assert base.keys() == model.keys()
    assert all(torch.equal(weight, model[name]) for name, weight in base.items())


def test_the_saved_settings_rerun_to_the_same_bytes(run: Run, tmp_path: Path) -> None:
    first = run({"lora.lora_dropout": 0.2})
    config = load_recipe(str(first.folder.config)).config()
    assert config.model_dump() == first.config.model_dump()
    torch.rand(17)  # whatever happened before in the process
    again = train(config, RunFolder(tmp_path / "again"))
    assert adapter_bytes(again) == adapter_bytes(first)
    other = run({"lora.lora_dropout": 0.2, "training.seed": 1}, name="other")
    assert adapter_bytes(other) != adapter_bytes(first)


def test_many_classes_and_string_labels(run: Run, reviews: Reviews, tmp_path: Path) -> None:
    names = ["gut", "schlecht", "weder, noch"]
    labels = [names[row % 3] for row in range(48)]
    table = write_table(tmp_path / "t.csv", reviews.texts[:48], labels)
    done = run({"data.train": str(table), "data.validation": None, "data.test": None})
    assert done.predictor.spec.label_names == ("gut", "schlecht", "weder, noch")
    assert done.results["test"].probabilities.shape == (5, 3)
    (answer,) = Predictor.load(done.folder.path).predict(["a film"])
    assert set(answer.probabilities) == set(names)
    assert answer.label in names


def test_multi_label(run: Run, reviews: Reviews, tmp_path: Path) -> None:
    kinds = ["funny|good", "good", "", "funny"]
    rows = [(text, kinds[row % 4]) for row, text in enumerate(reviews.texts[:48])]
    kept = [(text, label or "funny|sad") for text, label in rows]
    table = write_table(tmp_path / "t.csv", [t for t, _ in kept], [label for _, label in kept])
    done = run(
        {
            **{"data.train": str(table), "data.validation": None, "data.test": None},
            **{"data.label_separator": "|", "training.metric_for_best_model": "f1"},
        }
    )
    assert done.predictor.spec.head.multi_label
    assert done.predictor.spec.label_names == ("funny", "good", "sad")
    (answer,) = Predictor.load(done.folder.path).predict(["a film"])
    assert isinstance(answer.label, list)
    header = done.folder.predictions.read_text().splitlines()[0]
    assert header == "part,text,true,predicted,probability_funny,probability_good,probability_sad"


def test_a_pad_token_that_was_added_is_there_after_loading(
    run: Run, reviews: Reviews, tmp_path: Path
) -> None:
    folder = save_model(tmp_path / "model", "roberta", pad=False)
    done = run({"model.name_or_path": str(folder)})
    found = probabilities(done.folder.path, reviews.texts[64:])
    np.testing.assert_allclose(found, done.results["test"].probabilities, atol=1e-5)


def test_an_architecture_that_is_not_in_the_table_trains_by_raw_names(
    run: Run, reviews: Reviews, tmp_path: Path
) -> None:
    """GPT-2 has no pad token, pools the last token, and has a head called score."""
    from transformers import GPT2Config, GPT2Model

    from support.tiny import ROBERTA_SPECIALS, build_tokenizer, words_of

    folder, size = tmp_path / "gpt2", len(words_of(ROBERTA_SPECIALS))
    shape = {"n_embd": 32, "n_layer": 2, "n_head": 2, "n_positions": 64}
    GPT2Model(GPT2Config(vocab_size=size, **shape)).save_pretrained(folder)
    build_tokenizer(ROBERTA_SPECIALS, pad=False).save_pretrained(folder)
    done = run({"model.name_or_path": str(folder), "lora.target_modules": ["c_attn"]})
    found = probabilities(done.folder.path, reviews.texts[64:])
    np.testing.assert_allclose(found, done.results["test"].probabilities, atol=1e-5)


def test_a_relative_model_folder_is_found_from_elsewhere(
    run: Run, tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tiny("distilbert").parent)
    done = run({"model.name_or_path": "tiny-distilbert"})
    monkeypatch.chdir(tmp_path)
    assert probabilities(done.folder.path, ["good"]).shape == (1, 2)


def test_rejected_rows_are_written_and_told_of_once(
    run: Run, reviews: Reviews, tmp_path: Path
) -> None:
    table = tmp_path / "t.csv"
    table.write_text(reviews.train.read_text() + " ,1\n")
    done = run(
        {
            **{"data.train": str(table), "data.on_bad_rows": "skip"},
            **{"data.validation": None, "data.test": None},
        },
        report=True,
    )
    (row,) = csv.DictReader(done.folder.rejected.open())
    assert (row["line"], row["reason"]) == ("50", "the text is blank")
    assert done.folder.report.read_text().count("rejected") >= 1


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"data.train": "/nowhere/a.csv"}, DataError),
        ({"model.name_or_path": "/nowhere/model"}, ModelError),
        ({"data.max_length": 65}, ModelError),
    ],
)
def test_a_mistake_leaves_nothing_behind(
    changes: dict[str, Any], error: type[Exception], run: Run, tmp_path: Path
) -> None:
    with pytest.raises(error):
        run(changes, name="runs/new")
    assert list(tmp_path.iterdir()) == []


def test_a_mistake_leaves_the_old_run_even_with_overwrite(run: Run) -> None:
    first = run()
    before = adapter_bytes(first)
    with pytest.raises(ModelError):
        run({"model.name_or_path": "/nowhere/model"}, overwrite=True)
    first.folder.require_finished()
    assert adapter_bytes(first) == before
    with pytest.raises(RunError, match="--overwrite"):
        run()
    assert adapter_bytes(run({"training.seed": 3}, overwrite=True)) != before


def test_a_crash_is_told_of_in_the_folder(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("once")

    monkeypatch.setattr(job, "write_results", broken)
    with pytest.raises(ZeroDivisionError):
        run()
    with pytest.raises(RunError, match=r"is failed, not finished: ZeroDivisionError\('once'\)"):
        Predictor.load(tmp_path / "run")


def test_a_full_disk_is_named_and_leaves_no_finished_run(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from textlora.training import trainer

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(trainer, "seal", full)
    with pytest.raises(StorageError, match="No space left on the device while writing a check"):
        run()
    assert RunFolder(tmp_path / "run").state().get("state") != "finished"


def test_a_training_that_diverges_is_stopped_and_not_finished(run: Run, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"diverged: at step \d+ .*Lower training.learning_rate"):
        run({"training.learning_rate": 1e38, "training.max_grad_norm": 0})
    assert RunFolder(tmp_path / "run").state().get("state") != "finished"


def test_no_validation_rows_is_a_mistake_in_the_settings(run: Run, reviews: Reviews) -> None:
    with pytest.raises(ConfigError, match=r"--valid"):
        run({"data.validation": None, "data.validation_size": 0, "data.test": None})


def test_the_screen_shows_what_happened(run: Run) -> None:
    from rich.console import Console

    from textlora.training.reporting import print_run

    console = Console(record=True, width=120, file=open("/dev/null", "w"))  # noqa: PTH123, SIM115
    print_run(run(console=console), console)
    shown = console.export_text()
    for words in (
        "48 train, 16 validation, 16 test",
        "Trainable",
        "epoch 2.00",
        "textlora predict",
    ):
        assert words in shown
