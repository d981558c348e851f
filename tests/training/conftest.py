"""What the tests of the training package share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from textlora.training.results import TrainedRun


@pytest.fixture
def run(make_config: Callable[..., Any], tmp_path: Path) -> Callable[..., TrainedRun]:
    """Return a function that trains with changed settings into a folder of its own.

    Plots and report, which take twice as long as a tiny training, are written if `report` is true.
    """
    from textlora.files import RunFolder
    from textlora.training.job import train

    def _run(
        changes: dict[str, Any] | None = None, name: str = "run", **options: Any
    ) -> TrainedRun:
        architecture = options.pop("architecture", "distilbert")
        config = make_config(changes, architecture)
        return train(config, RunFolder(tmp_path / name), **{"report": False, **options})

    return _run


@pytest.fixture
def still(tiny: Callable[[str], Path], tmp_path: Path) -> Path:
    """A model without dropout: batches of any shape compute the same."""
    from transformers import AutoModel, AutoTokenizer

    folder = tmp_path / "still"
    model = AutoModel.from_pretrained(tiny("distilbert"), dropout=0.0, attention_dropout=0.0)
    model.config.seq_classif_dropout = 0.0
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(tiny("distilbert")).save_pretrained(folder)
    return folder


def adapter_bytes(run: Any) -> bytes:
    """The weights that the run saved."""
    content: bytes = (run.folder.adapter / "adapter_model.safetensors").read_bytes()
    return content


def interrupt(monkeypatch: pytest.MonkeyPatch, nth: int) -> None:
    """Break off in the middle of writing the nth checkpoint."""
    from textlora.training import trainer

    seal, count = trainer.seal, 0

    def kill(folder: Path) -> None:
        nonlocal count
        count += 1
        if count == nth:
            raise KeyboardInterrupt
        seal(folder)

    monkeypatch.setattr(trainer, "seal", kill)


def cut_and_resumed(
    run: Callable[..., Any],
    changes: dict[str, Any],
    nth: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> TrainedRun:
    """Return a run that was broken off at its nth checkpoint and went on by its own settings."""
    from textlora.files import RunFolder
    from textlora.recipes import load_recipe
    from textlora.training import job

    interrupt(monkeypatch, nth)
    with pytest.raises(KeyboardInterrupt):
        run(changes, "cut")
    monkeypatch.undo()
    folder = RunFolder(tmp_path / "cut")
    return job.train(load_recipe(str(folder.config)).config(), folder, resume=True, report=False)
