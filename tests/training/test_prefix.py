"""A training that reuses the frozen layers' states: the same result, and nothing left behind."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from rich.console import Console
from safetensors.torch import load_file
from torch import nn

from support.tiny import Reviews
from textlora.errors import ConfigError, StorageError
from textlora.model.backends.fast import FastForward
from textlora.model.backends.frozen_layers import PrefixForward
from textlora.training import trainer
from textlora.training.fitting import _below

from .conftest import adapter_bytes

Run = Callable[..., Any]

MAPS = Path("/proc/self/maps")
TOP = {"lora.layers": "top:1"}
CACHED = {**TOP, "compute.prefix_cache": True}
ON_DISK = {**CACHED, "compute.prefix_ram_gb": 0}


@pytest.fixture
def modes(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[bool]]:
    """Whether the model was in training, for every batch of token ids and of states."""
    seen: dict[str, list[bool]] = {"tokens": [], "states": []}
    for name, kind in (("tokens", FastForward), ("states", PrefixForward)):

        def noted(
            self: Any, model: nn.Module, batch: Any, name: str = name, logits: Any = kind.logits
        ) -> Any:
            seen[name].append(model.training)
            return logits(self, model, batch)

        monkeypatch.setattr(kind, "logits", noted)
    return seen


@pytest.fixture
def mapped(cache: Path, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many files of the cache were mapped into memory at every checkpoint."""
    if not MAPS.exists():
        pytest.skip("needs Linux's list of mapped files")
    counts: list[int] = []
    seal = trainer.seal

    def noted(folder: Path) -> None:
        counts.append(files_mapped(cache))
        seal(folder)

    monkeypatch.setattr(trainer, "seal", noted)
    return counts


def files_mapped(cache: Path) -> int:
    return sum(f"{cache / 'prefix'}/" in line for line in MAPS.read_text().splitlines())


@pytest.mark.parametrize("pooling", ["cls", "mean"])
def test_without_dropout_it_ends_in_the_same_weights(
    pooling: str, run: Run, still: Path, modes: dict[str, list[bool]]
) -> None:
    exact = {
        **{"lora.lora_dropout": 0.0, "model.name_or_path": str(still)},
        **{"model.pooling": pooling, "model.head": "linear", "training.num_train_epochs": 2},
    }
    plain = run({**exact, **TOP}, "plain")
    assert sum(modes["tokens"]) == 12
    assert modes["states"] == []
    modes["tokens"].clear()
    cached = run({**exact, **CACHED}, "cached")
    assert sum(modes["states"]) == 12
    assert not any(modes["tokens"])
    first, second = (
        load_file(each.folder.adapter / "adapter_model.safetensors") for each in (plain, cached)
    )
    assert first.keys() == second.keys()
    for name, weight in first.items():
        torch.testing.assert_close(second[name], weight, atol=1e-4, rtol=1e-3, msg=name)
    for before, after in zip(plain.history, cached.history, strict=True):
        assert after.training_loss == pytest.approx(before.training_loss, abs=1e-4)
        assert after.validation_loss == pytest.approx(before.validation_loss, abs=1e-4)


def test_the_trained_model_says_on_texts_what_it_said_on_states(run: Run) -> None:
    as_trained = {"training.metric_for_best_model": "loss", "evaluation.calibrate": False}
    done = run({**CACHED, **as_trained})
    (best,) = [record for record in done.history if record.best]
    assert done.results["validation"].metrics.log_loss == pytest.approx(
        best.validation_loss, abs=1e-5
    )


def test_memory_and_file_end_in_the_same_bytes(run: Run, mapped: list[int]) -> None:
    in_memory = run({**CACHED, "lora.lora_dropout": 0.2}, "memory")
    assert mapped == [0, 0]
    in_file = run({**ON_DISK, "lora.lora_dropout": 0.2}, "file")
    assert mapped == [0, 0, 1, 1]
    assert adapter_bytes(in_file) == adapter_bytes(in_memory)


def test_the_file_goes_when_the_training_ends(run: Run, cache: Path, mapped: list[int]) -> None:
    done = run(ON_DISK)
    assert mapped == [1, 1]
    assert files_mapped(cache) == 0
    assert list((cache / "prefix").iterdir()) == []
    assert done.folder.state()["state"] == "finished"


@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
def test_the_file_goes_when_the_training_fails(
    error: type[BaseException],
    run: Run,
    cache: Path,
    mapped: list[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    noted = trainer.seal

    def failing(folder: Path) -> None:
        noted(folder)
        raise error

    monkeypatch.setattr(trainer, "seal", failing)
    with pytest.raises(error):
        run(ON_DISK)
    assert mapped == [1]
    assert files_mapped(cache) == 0
    assert list((cache / "prefix").iterdir()) == []


def test_a_full_disk_is_named_and_leaves_no_run(
    run: Run, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=0))
    run(CACHED, "memory")
    with pytest.raises(StorageError, match=r"No space left.*the prefix cache") as caught:
        run(ON_DISK)
    assert str(cache / "prefix") in caught.value.problem
    assert "TEXTLORA_CACHE" in caught.value.remedy
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("settings", "place"), [(CACHED, "in memory"), (ON_DISK, "on disk")])
def test_the_run_says_what_it_costs_and_saves(
    settings: dict[str, Any], place: str, run: Run, reviews: Reviews
) -> None:
    console = Console(record=True, width=100, file=open("/dev/null", "w"))  # noqa: PTH123, SIM115
    sequences = run(settings, console=console).predictor.sequences(reviews.texts[:64])
    tokens = sum(len(sequences[row]) for row in range(64))
    shown = console.export_text()
    assert shown.index("Path  ") < shown.index("Prefix  ") < shown.index("epoch 1.00")
    lines = shown[shown.index("Prefix  ") :].splitlines()
    assert lines[0] == "Prefix     layer 0 of 2 run once over 64 sequences, without dropout"
    cost = f"           {tokens * 32 * 4 / 1000:.0f} kB {place}, built in "
    assert lines[1].startswith(cost)
    assert lines[1].endswith(" s; each epoch skips 1 of 2 layers")


def test_a_bar_shows_how_far_the_layers_are(run: Run) -> None:
    shown = io.StringIO()
    run(CACHED, console=Console(file=shown, force_terminal=True))
    assert "running layer 0 once" in shown.getvalue()


def test_without_it_nothing_is_said_or_reused(run: Run, modes: dict[str, list[bool]]) -> None:
    console = Console(record=True, width=100, file=open("/dev/null", "w"))  # noqa: PTH123, SIM115
    run(TOP, console=console)
    assert "Prefix" not in console.export_text()
    assert modes["states"] == []


def test_several_layers_are_named_from_the_first_to_the_last() -> None:
    def below(first_layer: int) -> str:
        return _below(PrefixForward(None, first_layer))  # type: ignore[arg-type]

    assert [below(1), below(2), below(4)] == ["layer 0", "layers 0 to 1", "layers 0 to 3"]


@pytest.mark.parametrize(
    ("changes", "problem", "remedy"),
    [
        ({"compute.path": "plain"}, "the path is plain, as compute.path says", "--fast-prefix"),
        ({"lora.use_dora": True}, "the path is plain: the LoRA variant Dora", "--fast-prefix"),
        ({"lora.layers": None}, "the lowest layer has an adapter", "lora.layers=top:1"),
        ({"training.mixed_precision": "fp16"}, "fp16 needs a GPU", "bf16"),
    ],
    ids=["plain", "dora", "all layers", "fp16"],
)
def test_what_cannot_be_is_refused_before_the_layers_are_run(
    changes: dict[str, Any],
    problem: str,
    remedy: str,
    run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(PrefixForward, "run_frozen", None)
    with pytest.raises(ConfigError) as caught:
        run({**CACHED, **changes})
    assert problem in caught.value.problem
    assert remedy in caught.value.remedy
    assert list(tmp_path.iterdir()) == []
