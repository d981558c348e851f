"""The Trainer: its optimisation, its evaluations, its checkpoints."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

from support.settled import settled_training
from textlora.errors import ConfigError
from textlora.training import trainer
from textlora.training.arguments import check_precision, optimizer_of, training_arguments
from textlora.training.trainer import is_kept

Run = Callable[..., Any]


def weights(run: Any) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = load_file(run.folder.adapter / "adapter_model.safetensors")
    return found


def checkpoints(run: Any) -> list[int]:
    return sorted(int(path.name.split("-")[1]) for path in run.folder.checkpoints.iterdir())


@pytest.mark.parametrize("path", ["plain", "auto"])
def test_gradient_accumulation_equals_the_big_batch(path: str, run: Run, still: Path) -> None:
    exact = {
        **{"lora.lora_dropout": 0.0, "training.num_train_epochs": 1},
        **{"compute.path": path, "model.name_or_path": str(still)},
    }
    big = run({**exact, "training.per_device_train_batch_size": 16}, "big")
    small = {
        "training.per_device_train_batch_size": 4,
        "training.gradient_accumulation_steps": 4,
    }
    accumulated = run({**exact, **small}, "small")
    assert [r.step for r in big.history] == [r.step for r in accumulated.history] == [3]
    assert big.history[0].training_loss == pytest.approx(accumulated.history[0].training_loss)
    other = weights(accumulated)
    for name, weight in weights(big).items():
        torch.testing.assert_close(other[name], weight, atol=1e-4, rtol=1e-3)


def test_adam_decays_through_the_gradient(run: Run, still: Path) -> None:
    def both(decay: float) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
        changes = {
            **{"training.weight_decay": decay, "training.num_train_epochs": 1},
            **{"model.name_or_path": str(still), "lora.lora_dropout": 0.0},
        }
        first = run({**changes, "training.optim": "adamw"}, f"adamw-{decay}")
        return weights(first), weights(run({**changes, "training.optim": "adam"}, f"adam-{decay}"))

    adamw, adam = both(0.0)
    for name, weight in adamw.items():
        torch.testing.assert_close(adam[name], weight, atol=1e-4, rtol=1e-3)
    adamw, adam = both(0.5)
    assert any(not torch.allclose(adam[name], weight, atol=1e-3) for name, weight in adamw.items())


def test_the_optimizer_is_the_one_that_was_asked_for() -> None:
    assert optimizer_of(settled_training()) is None
    kind, options = optimizer_of(settled_training(optim="adam", learning_rate=0.1)) or (None, {})
    assert kind is torch.optim.Adam
    assert options == {"lr": 0.1}


def test_settings_reach_the_trainer_s_arguments(tmp_path: Path) -> None:
    config = settled_training(
        warmup_ratio=0.25,
        max_grad_norm=0.3,
        lr_scheduler_type="cosine",
        metric_for_best_model="loss",
        max_steps=12,
        eval_strategy="steps",
        eval_steps=4,
        report_to=["tensorboard"],
    )
    arguments = training_arguments(config, tmp_path)
    assert arguments.get_warmup_steps(100) == 25
    assert (arguments.max_grad_norm, arguments.max_steps) == (0.3, 12)
    assert (arguments.eval_steps, arguments.save_steps) == (4, 4)
    assert arguments.greater_is_better is False
    assert arguments.report_to == ["tensorboard"]
    assert training_arguments(settled_training(), tmp_path).report_to == []


def test_warm_up_and_decay_of_the_learning_rate(run: Run) -> None:
    done = run(
        {
            **{"training.warmup_ratio": 0.5, "training.eval_strategy": "steps"},
            **{"training.eval_steps": 3, "training.learning_rate": 0.01},
        }
    )
    rates = [record.learning_rate for record in done.history]
    assert rates == pytest.approx([0.005, 0.01, 0.005, 0.0])


def test_half_precision_without_a_gpu_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match="fp16 needs a GPU"):
        check_precision("fp16")
    check_precision("bf16")


def test_the_best_checkpoint_is_what_is_saved(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    # How good an epoch is said to be is made up, so that the second is the best on any machine.
    said = iter([0.5, 0.9, 0.7, 0.6])

    def metrics(*_: object) -> Callable[..., dict[str, float]]:
        return lambda *_: {"accuracy": next(said), "f1": 0.5, "mcc": 0.0}

    monkeypatch.setattr(trainer, "validation_metrics", metrics)
    done = run(
        {
            **{"training.num_train_epochs": 4, "training.save_total_limit": 4},
            "evaluation.calibrate": False,
        }
    )
    (best,) = [record for record in done.history if record.best]
    assert best is done.history[1]
    file = "adapter_model.safetensors"
    kept = load_file(done.folder.checkpoints / f"checkpoint-{best.step}" / file)
    last = load_file(done.folder.checkpoints / f"checkpoint-{done.history[-1].step}" / file)
    saved = weights(done)
    assert all(torch.equal(saved[name], weight) for name, weight in kept.items())
    assert not all(torch.equal(saved[name], weight) for name, weight in last.items())
    assert done.results["validation"].metrics.log_loss == pytest.approx(best.validation_loss)
    assert json.loads(done.folder.metrics.read_text())["training"]["best_epoch"] == best.epoch


def test_evaluation_by_steps_includes_the_last(run: Run) -> None:
    done = run({"training.eval_strategy": "steps", "training.eval_steps": 5})
    assert [record.step for record in done.history] == [5, 10, 12]
    assert all(record.training_loss is not None for record in done.history)


def test_more_steps_between_evaluations_than_there_are(run: Run) -> None:
    done = run({"training.eval_strategy": "steps", "training.eval_steps": 500})
    assert [(record.step, record.best) for record in done.history] == [(12, True)]


def test_max_steps_end_the_training(run: Run) -> None:
    assert [record.step for record in run({"training.max_steps": 4}).history] == [4]


def test_half_an_epoch(run: Run) -> None:
    assert [record.step for record in run({"training.num_train_epochs": 0.5}).history] == [3]


def test_early_stopping(run: Run) -> None:
    done = run(
        {
            **{"training.num_train_epochs": 20, "training.early_stopping_patience": 2},
            **{"training.learning_rate": 1e-9},  # nothing gets better
        }
    )
    assert len(done.history) == 3
    assert done.history[0].best


@pytest.mark.parametrize("limit", [1, 2])
def test_checkpoints_are_limited_and_the_best_is_kept(limit: int, run: Run) -> None:
    done = run(
        {
            **{"training.num_train_epochs": 5, "training.save_total_limit": limit},
            **{"training.learning_rate": 1e-9},  # the first stays the best
        }
    )
    kept = checkpoints(done)
    assert kept == [6, 30]
    assert all(
        (done.folder.checkpoints / f"checkpoint-{step}" / "manifest.json").is_file()
        for step in kept
    )


def test_losses_are_means_over_rows(run: Run, still: Path) -> None:
    """Not over batches: 16 validation rows are scored in batches of uneven size."""
    from sklearn.metrics import log_loss

    done = run(
        {
            **{"model.name_or_path": str(still), "training.num_train_epochs": 1},
            "evaluation.calibrate": False,
        }
    )
    result = done.results["validation"]
    shares = result.probabilities.astype(float)
    expected = log_loss(result.part.targets, shares / shares.sum(axis=1, keepdims=True))
    assert done.history[0].validation_loss == pytest.approx(expected, abs=1e-4)


def test_tensorboard_gets_the_run(run: Run) -> None:
    pytest.importorskip("tensorboard")
    done = run({"training.report_to": ["tensorboard"], "training.num_train_epochs": 1})
    assert list(done.folder.path.rglob("events.out.tfevents.*"))


@pytest.mark.parametrize(
    ("last", "rows", "kept"),
    [
        ((0.94, 0.3), 1000, True),  # equal: the later one
        ((0.935, 0.2), 1000, True),  # within a standard error of 0.75 points, and the loss is lower
        ((0.935, 0.3), 1000, False),
        ((0.938, 0.4), 1000, True),  # within half of one
        ((0.93, 0.1), 1000, False),  # beyond it, whatever the loss
        ((0.92, 0.4), 77, True),  # few rows: a standard error of 2.7 points
        ((0.90, 0.1), 77, False),
    ],
)
def test_a_later_checkpoint_counts_unless_it_is_worse_beyond_chance(
    last: tuple[float, float], rows: int, kept: bool
) -> None:
    assert is_kept([(0.94, 0.3), (0.9, 0.5), last], rows) == kept


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 9)), min_size=1), st.integers(1, 10_000))
def test_the_best_so_far_is_always_kept(before: list[tuple[float, float]], rows: int) -> None:
    best = max(value for value, _ in before)
    assert is_kept([*before, (best, 1.0)], rows)
