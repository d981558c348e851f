"""The same training with several seeds: what is trained, and what is not trained again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from textlora.errors import ConfigError, RunError
from textlora.files import SeedsFolder
from textlora.training import seeds as module
from textlora.training.seeds import train_seeds

QUICK = {"training.num_train_epochs": 1, "training.seed": 3}


def test_two_seeds(make_config: Callable[..., Any], tmp_path: Path) -> None:
    folder = SeedsFolder(tmp_path / "seeds")
    found = train_seeds(make_config({**QUICK, "evaluation.baselines": True}), folder, 2)
    assert [path.name for path in sorted(folder.path.iterdir())] == [
        "seed-3",
        "seed-4",
        "seeds.json",
    ]
    runs = {entry["seed"]: entry for entry in found.runs}
    for seed in (3, 4):
        metrics = json.loads(folder.run(seed).metrics.read_text())["parts"]["test"]
        assert runs[seed]["accuracy"] == metrics["accuracy"]
        assert runs[seed]["macro_f1"] == pytest.approx(metrics["macro_f1"])
        assert f"seed: {seed}\n" in folder.run(seed).config.read_text()
    assert found.advantage is not None
    assert (found.part, found.rows, found.accuracy.count) == ("test", 16, 2)
    written = json.loads(folder.summary.read_text())
    assert written["state"] == "finished"
    assert written["sentence"] == found.sentence


def test_a_seed_is_trained_once(
    make_config: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stop in the second of three: the same call trains what is missing, and nothing twice."""
    folder = SeedsFolder(tmp_path / "seeds")
    config = make_config(QUICK)
    train, trained = module.train, []

    def stopping(config: Any, run: Any, **options: Any) -> Any:
        if config.training.seed == 4 and not trained.count("seed-4"):
            trained.append(run.path.name)
            raise KeyboardInterrupt
        trained.append(run.path.name)
        return train(config, run, **options)

    monkeypatch.setattr(module, "train", stopping)
    with pytest.raises(KeyboardInterrupt):
        train_seeds(config, folder, 3)
    assert json.loads(folder.summary.read_text())["state"] == "running"
    found = train_seeds(config, folder, 3)
    assert trained == ["seed-3", "seed-4", "seed-4", "seed-5"]
    again = train_seeds(config, folder, 3)
    assert trained == ["seed-3", "seed-4", "seed-4", "seed-5"]
    assert again.accuracy == found.accuracy
    with pytest.raises(RunError, match="other settings"):
        train_seeds(make_config({**QUICK, "training.learning_rate": 1e-3}), folder, 3)
    assert json.loads(folder.summary.read_text())["state"] == "finished"
    fewer = train_seeds(
        make_config({**QUICK, "training.num_train_epochs": 2}), folder, 2, overwrite=True
    )
    assert fewer.accuracy.count == 2
    assert not folder.run(5).path.exists()


def test_a_killed_seed_goes_on(
    make_config: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that was killed is still "running"; with or without its settings it is taken up."""
    folder = SeedsFolder(tmp_path / "seeds")
    config = make_config(QUICK)
    folder.run(3).begin()
    folder.summary.write_text("{}")
    folder.run(4).begin()
    folder.run(4).config.write_text(module._for_seed(config, 4).to_yaml())
    found = train_seeds(config, folder, 2)
    assert found.accuracy.count == 2
    assert found.advantage is None


def test_a_seed_in_its_second_try_is_the_same_run(
    make_config: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its settings say a lower learning rate than those that were asked for."""
    config = make_config(
        {
            **QUICK,
            **{"model.head": "linear", "model.pooling": "mean"},
            **{"model.head_init": "logistic_regression", "training.learning_rate": 3.0},
        }
    )
    folder = SeedsFolder(tmp_path / "seeds")
    first = train_seeds(config, folder, 2)
    assert "second_try: false" in folder.run(3).config.read_text()
    monkeypatch.setattr(module, "train", lambda *_, **__: pytest.fail("trained again"))
    assert train_seeds(config, folder, 2) == first
    once = config.training.model_copy(update={"second_try": False, "learning_rate": 12.0})
    with pytest.raises(RunError, match="other settings"):
        train_seeds(config.model_copy(update={"training": once}), folder, 2)


def test_what_is_refused(make_config: Callable[..., Any], tmp_path: Path) -> None:
    config = make_config(QUICK)
    with pytest.raises(ConfigError, match="no spread"):
        train_seeds(config, SeedsFolder(tmp_path), 1)
    full = make_config({**QUICK, "evaluation.full_fine_tuning": True})
    with pytest.raises(ConfigError, match="full fine-tuning"):
        train_seeds(full, SeedsFolder(tmp_path / "a"), 2)
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(RunError, match="not of repeated runs"):
        train_seeds(config, SeedsFolder(tmp_path), 2, overwrite=True)
    assert (tmp_path / "notes.txt").is_file()
    with pytest.raises(RunError, match="a file"):
        train_seeds(config, SeedsFolder(tmp_path / "notes.txt"), 2)


def test_the_baselines_have_the_rows_of_the_runs(
    make_config: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = []
    train_baselines = module.train_baselines

    def spy(*args: Any, **options: Any) -> Any:
        rows.append(len(options["all_rows"].targets))
        return train_baselines(*args, **options)

    monkeypatch.setattr(module, "train_baselines", spy)
    changes = {"training.refit": True, "data.validation": None, "data.validation_size": 0.25}
    config = make_config({**QUICK, **changes, "evaluation.baselines": True})
    train_seeds(config, SeedsFolder(tmp_path / "seeds"), 2)
    assert rows == [48]
