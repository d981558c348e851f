"""The estimate agrees with the training, and leaves the classifier as it was."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from support.tiny import MAX_POSITIONS, NEGATIVE, OTHER, POSITIVE, Reviews, write_table
from textlora.data.loading import load_parts
from textlora.files import RunFolder
from textlora.training.building import prepare
from textlora.training.estimate import estimate_training, estimate_with
from textlora.training.job import train


@pytest.fixture
def wider(tiny: Callable[[str], Path], tmp_path: Path) -> Path:
    """A model whose steps take longer than what is around them."""
    from transformers import AutoTokenizer, DistilBertConfig, DistilBertModel

    folder = tmp_path / "wider"
    tokenizer = AutoTokenizer.from_pretrained(tiny("distilbert"))
    torch.manual_seed(0)
    config = DistilBertConfig(
        vocab_size=len(tokenizer), dim=256, n_layers=3, n_heads=4, hidden_dim=1024,
        max_position_embeddings=MAX_POSITIONS,
    )  # fmt: skip
    DistilBertModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def long_reviews(path: Path, count: int) -> Path:
    draw = random.Random(3)  # noqa: S311
    texts = []
    for row in range(count):
        words = draw.choices(OTHER, k=draw.randint(10, 60))
        words.append(draw.choice(POSITIVE if row % 2 else NEGATIVE))
        texts.append(" ".join(words))
    return write_table(path, texts, [row % 2 for row in range(count)])


@pytest.mark.slow  # it goes by the clock
@pytest.mark.parametrize("path", ["fast", "plain"])
def test_within_a_factor_of_two(
    make_config: Callable[..., Any], wider: Path, tmp_path: Path, path: str
) -> None:
    config = make_config(
        {
            "model.name_or_path": str(wider),
            "data.train": str(long_reviews(tmp_path / "train.csv", 120)),
            "data.validation": str(long_reviews(tmp_path / "validation.csv", 48)),
            "data.test": None,
            "compute.path": path,
        }
    )
    # Before and after, as other work on the machine comes and goes.
    before = estimate_training(config, load_parts(config.data))
    run = train(config, RunFolder(tmp_path / "run"))
    estimate = estimate_training(config, load_parts(config.data))
    expected = (before.seconds * estimate.seconds) ** 0.5
    assert run.seconds / 2 < expected < run.seconds * 2
    written = sum(one.stat().st_size for one in (tmp_path / "run").rglob("*") if one.is_file())
    assert written / 2 < estimate.disk_bytes < written * 2
    assert estimate.memory_bytes is not None
    assert estimate.memory_bytes > 100e6
    assert estimate.epochs == 2
    assert estimate.path.startswith(path)


def test_the_classifier_is_left_as_it_was(make_config: Callable[..., Any]) -> None:
    config = make_config()
    parts = load_parts(config.data)
    prepared = prepare(config, parts)
    model = prepared.classifier.predictor.model
    before = {name: value.clone() for name, value in model.state_dict().items()}
    state = torch.random.get_rng_state()
    estimate_with(prepared)
    assert torch.equal(torch.random.get_rng_state(), state)
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert all(weight.grad is None for weight in model.parameters())


@pytest.mark.parametrize(
    "changes",
    [
        {"compute.prefix_cache": True, "lora.layers": "top:1"},
        {"training.max_steps": 3, "training.gradient_accumulation_steps": 2},
        {"training.eval_strategy": "steps", "training.eval_steps": 2},
        {"training.per_device_train_batch_size": 100},
        {"training.mixed_precision": "bf16", "compute.path": "plain"},
        {"model.head_init": "logistic_regression", "model.head": "linear", "model.pooling": "mean"},
        {"evaluation.baselines": True},
        {"training.refit": True, "data.validation": None},
    ],
)
def test_settings(
    make_config: Callable[..., Any], reviews: Reviews, changes: dict[str, Any]
) -> None:
    config = make_config(changes)
    estimate = estimate_training(config, load_parts(config.data), steps=2)
    assert estimate.seconds > 0
    assert (estimate.start_seconds > 0) == (config.model.head_init == "logistic_regression")
    assert (estimate.baseline_seconds > 0) == config.evaluation.baselines
    assert estimate.steps == 2
    assert (estimate.refit_seconds > 0) == bool(config.training.refit)
    assert (estimate.prepare_seconds > 0) == config.compute.prefix_cache
    if "training.max_steps" in changes:
        assert estimate.epochs == 1  # 6 batches are 3 updates
