"""A checkpoint that was not written to its end does not exist."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from textlora.errors import RunError
from textlora.files import RunFolder
from textlora.recipes import load_recipe
from textlora.training import trainer
from textlora.training.checkpoints import (
    MANIFEST,
    check_contents,
    discard,
    is_sound,
    newest_sound,
    seal,
)
from textlora.training.job import train

from .conftest import adapter_bytes

Run = Callable[..., Any]


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    for step in (2, 10, 9):
        folder = tmp_path / f"checkpoint-{step}"
        (folder / "deep").mkdir(parents=True)
        (folder / "weights").write_bytes(b"w" * step)
        (folder / "deep" / "state").write_text("s")
        seal(folder)
    return tmp_path


def test_the_newest_is_the_one_of_most_steps(saved: Path) -> None:
    assert newest_sound(saved) == (saved / "checkpoint-10", [])


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "weights").write_bytes(b"w" * 9),
        lambda folder: (folder / "weights").unlink(),
        lambda folder: (folder / "deep" / "state").write_text("x"),
        lambda folder: (folder / "more").write_text("x"),
        lambda folder: (folder / MANIFEST).unlink(),
        lambda folder: (folder / MANIFEST).write_text("{"),
        lambda folder: shutil.rmtree(folder / "deep"),
    ],
)
def test_any_damage_is_noticed(damage: Callable[[Path], object], saved: Path) -> None:
    assert is_sound(saved / "checkpoint-10")
    damage(saved / "checkpoint-10")
    checkpoint, unsound = newest_sound(saved)
    assert checkpoint == saved / "checkpoint-9"
    assert unsound == [saved / "checkpoint-10"]
    discard(unsound)
    assert newest_sound(saved) == (saved / "checkpoint-9", [])


def test_there_may_be_none(tmp_path: Path) -> None:
    (tmp_path / "checkpoint-3").mkdir()
    (tmp_path / "checkpoint-final").mkdir()
    assert newest_sound(tmp_path) == (None, [tmp_path / "checkpoint-3"])
    assert newest_sound(tmp_path / "none") == (None, [])


class Killed(BaseException):
    """Stands for a kill: nothing in the program handles it."""


def resumed(folder: RunFolder) -> Any:
    return train(load_recipe(str(folder.config)).config(), folder, resume=True, report=False)


def interrupted(
    run: Run, changes: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nth: int
) -> RunFolder:
    """A run that ends in the middle of writing its nth checkpoint."""
    count = 0

    def kill(folder: Path) -> None:
        nonlocal count
        count += 1
        if count == nth:
            raise Killed
        seal(folder)

    monkeypatch.setattr(trainer, "seal", kill)
    with pytest.raises(Killed):
        run(changes, "cut")
    monkeypatch.undo()
    return RunFolder(tmp_path / "cut")


@pytest.mark.parametrize(
    ("nth", "changes"),
    [
        (1, {"lora.lora_dropout": 0.2}),
        (3, {"lora.lora_dropout": 0.2}),
        (2, {"training.eval_strategy": "steps", "training.eval_steps": 4}),
        (3, {"lora.init_lora_weights": "pissa", "training.optim": "adam"}),
        (2, {"lora.target_modules": ["q", "head"], "training.lr_scheduler_type": "cosine"}),
        (3, {"model.head": "linear", "model.loss": "bce", "compute.path": "plain"}),
        (3, {"training.gradient_accumulation_steps": 2, "training.early_stopping_patience": 2}),
        (2, {"lora.layers": "top:1", "compute.prefix_cache": True, "lora.lora_dropout": 0.2}),
        (1, {"lora.layers": "top:1", "compute.prefix_cache": True, "compute.prefix_ram_gb": 0}),
    ],
)
def test_a_resumed_run_ends_in_the_same_bytes(
    changes: dict[str, Any], nth: int, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = {"training.num_train_epochs": 3, **changes}
    whole = run(changes, "whole")
    folder = interrupted(run, changes, tmp_path, monkeypatch, nth)
    assert folder.state()["state"] == "failed"
    done = resumed(folder)
    assert adapter_bytes(done) == adapter_bytes(whole)
    assert [record.accuracy for record in done.history] == [
        record.accuracy for record in whole.history
    ]
    assert [record.training_loss for record in done.history] == pytest.approx(
        [record.training_loss for record in whole.history]
    )
    seconds = [record.seconds for record in done.history]
    assert seconds == sorted(seconds)
    assert folder.state()["state"] == "finished"


def test_a_damaged_newest_checkpoint_is_passed_over(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rich.console import Console

    changes = {"training.num_train_epochs": 4, "training.save_total_limit": 4}
    whole = run(changes, "whole")
    folder = interrupted(run, changes, tmp_path, monkeypatch, 4)
    newest = folder.checkpoints / "checkpoint-18"
    (newest / "optimizer.pt").write_bytes(b"half")
    console = Console(record=True, width=100)
    done = train(
        load_recipe(str(folder.config)).config(), folder, resume=True, console=console, report=False
    )
    shown = console.export_text()
    assert "checkpoint-24 is incomplete" in shown
    assert "checkpoint-18 is incomplete" in shown
    assert "from checkpoint-12" in shown
    assert adapter_bytes(done) == adapter_bytes(whole)


def test_a_moved_run_resumes_where_it_is_now(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = {"training.num_train_epochs": 3, "training.learning_rate": 1e-9}
    whole = run(changes, "whole")
    folder = interrupted(run, changes, tmp_path, monkeypatch, 3)
    moved = RunFolder(folder.path.rename(tmp_path / "moved"))
    done = resumed(moved)
    assert done.history[0].best
    assert adapter_bytes(done) == adapter_bytes(whole)


class Payload:
    """A pickle of it makes a folder when it is loaded."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.mark),)


@pytest.mark.parametrize("name", ["optimizer.pt", "scheduler.pt", "rng_state.pth"])
def test_a_hostile_checkpoint_runs_nothing(
    name: str, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = interrupted(run, {}, tmp_path, monkeypatch, 2)
    checkpoint, _ = newest_sound(folder.checkpoints)
    assert checkpoint is not None
    torch.save({"state": Payload(tmp_path / "it-ran")}, checkpoint / name)
    seal(checkpoint)  # a manifest that fits: it is no protection against intent
    with pytest.raises(RunError, match="more in it than tensors"):
        resumed(folder)
    assert not (tmp_path / "it-ran").exists()
    torch.load(checkpoint / name, weights_only=False)
    assert (tmp_path / "it-ran").exists()


@pytest.mark.parametrize(
    "name",
    ["adapter_model.bin", "pytorch_model.bin", "other/adapter_model.bin", "pytorch_model_fsdp"],
)
def test_what_the_trainer_would_read_beyond_a_checkpoint_is_refused(
    name: str, tmp_path: Path
) -> None:
    state = tmp_path / "trainer_state.json"
    state.write_text("{}")
    check_contents(tmp_path)
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(RunError, match="no file of a checkpoint"):
        check_contents(tmp_path)


def test_nor_is_a_link_followed(tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("{}")
    checkpoint = tmp_path / "checkpoint-1"
    checkpoint.mkdir()
    (checkpoint / "trainer_state.json").symlink_to(tmp_path / "outside")
    with pytest.raises(RunError, match="no file of a checkpoint"):
        check_contents(checkpoint)


def test_nor_does_the_one_that_it_names_as_the_best(tmp_path: Path) -> None:
    best, newest = tmp_path / "elsewhere", tmp_path / "checkpoint-2"
    for folder in (best, newest):
        folder.mkdir()
    (newest / "trainer_state.json").write_text(json.dumps({"best_model_checkpoint": str(best)}))
    check_contents(newest)
    (best / "adapter_model.bin").write_bytes(b"")
    with pytest.raises(RunError, match=r"elsewhere.adapter_model\.bin"):
        check_contents(newest)
