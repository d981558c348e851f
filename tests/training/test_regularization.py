"""Texts of one class drawn together: the loss, and the order that brings pairs about."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from support.examples import examples
from textlora.data.python import parts_from_python
from textlora.errors import ConfigError
from textlora.training.job import train
from textlora.training.regularization import (
    ROWS_TOGETHER,
    TEMPERATURE,
    ClassGroups,
    HeadInput,
    contrastive_loss,
)


def by_hand(states: np.ndarray[Any, Any], targets: list[int]) -> float:
    """The definition, in loops: only rows with a partner count."""
    unit = states / np.linalg.norm(states, axis=1, keepdims=True)
    losses = []
    for row, own in enumerate(targets):
        others = [other for other in range(len(targets)) if other != row]
        partners = [other for other in others if targets[other] == own]
        if not partners:
            continue
        exponents = {other: unit[row] @ unit[other] / TEMPERATURE for other in others}
        total = np.log(sum(np.exp(value) for value in exponents.values()))
        losses.append(np.mean([total - exponents[other] for other in partners]))
    return float(np.mean(losses)) if losses else 0.0


@examples(30)
@given(st.integers(0, 1_000), st.lists(st.integers(0, 3), min_size=2, max_size=9))
def test_the_loss_is_its_definition(seed: int, targets: list[int]) -> None:
    states = np.random.default_rng(seed).normal(size=(len(targets), 5))
    leaf = torch.tensor(states, requires_grad=True)
    loss = contrastive_loss(leaf, torch.tensor(targets))
    assert float(loss.detach()) == pytest.approx(by_hand(states, targets), abs=1e-5)
    loss.backward()
    assert leaf.grad is not None
    assert torch.isfinite(leaf.grad).all()


def test_alike_rows_of_a_class_cost_less() -> None:
    targets = torch.tensor([0, 0, 1, 1])
    apart = torch.eye(2).repeat_interleave(2, dim=0)
    mixed = torch.eye(2).repeat(2, 1)
    assert contrastive_loss(apart, targets) < 0.01 < 1 < contrastive_loss(mixed, targets)


def test_a_row_of_little_weight_is_all_but_absent() -> None:
    """So of two texts that differ in their label alone the heavier decides."""
    states = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))
    targets = torch.tensor([0, 0, 1, 1, 0, 1])
    kept = contrastive_loss(states[:4], targets[:4])
    weights = torch.tensor([1.0, 1.0, 1.0, 1.0, 1e-9, 1e-9])
    assert float(contrastive_loss(states, targets, weights)) * 6 == pytest.approx(
        4 * float(kept), rel=1e-4
    )
    torch.testing.assert_close(
        contrastive_loss(states, targets, torch.ones(6)), contrastive_loss(states, targets)
    )


@given(st.lists(st.integers(0, 4), min_size=1, max_size=60), st.integers(0, 9))
def test_every_row_comes_once_and_most_with_a_partner(classes: list[int], seed: int) -> None:
    targets = np.array(classes)
    order = ClassGroups(targets, seed)
    rows = list(order)
    assert sorted(rows) == list(range(len(targets))) == list(range(len(order)))
    assert list(order) == rows
    changes = np.flatnonzero(np.diff(targets[rows]))
    groups = sum(-(-int(count) // ROWS_TOGETHER) for count in np.bincount(targets))
    assert len(changes) < groups


def test_another_epoch_and_another_seed_deal_otherwise() -> None:
    targets = np.arange(60) % 3
    first, again, other = ClassGroups(targets, 1), ClassGroups(targets, 1), ClassGroups(targets, 2)
    start = list(first)
    assert list(other) != start
    first.set_epoch(1)
    again.set_epoch(1)
    assert list(first) == list(again) != start


def test_the_input_of_the_head_is_given_once() -> None:
    head = torch.nn.Linear(3, 2)
    kept = HeadInput(head)
    states = torch.randn(4, 3)
    head(states)
    assert kept.take() is states
    with pytest.raises(RuntimeError):
        kept.take()
    kept.close()
    head(states)
    with pytest.raises(RuntimeError):
        kept.take()


@pytest.mark.parametrize("path", ["fast", "plain"])
def test_it_is_part_of_the_training(path: str, run: Callable[..., Any]) -> None:
    linear = {
        **{"model.head": "linear", "model.pooling": "mean", "compute.path": path},
        "training.num_train_epochs": 5,
    }
    plain = run(linear, "plain")
    weighed = run({**linear, "training.contrastive_weight": 0.5}, "weighed")
    heads = [
        {name: each for name, each in done.predictor.model.named_parameters() if "lora_B" in name}
        for done in (plain, weighed)
    ]
    assert any(not torch.equal(each, heads[1][name]) for name, each in heads[0].items())
    assert weighed.history[-1].accuracy >= 0.75


def test_several_labels_have_no_partners(make_config: Callable[..., Any], tmp_path: Any) -> None:
    from textlora.files import RunFolder

    settings = {"model.head": "linear", "model.pooling": "mean", "training.contrastive_weight": 0.5}
    config = make_config(settings)
    data = config.data.model_copy(update={"train": None, "validation": None, "test": None})
    texts = [f"it was good {number}" for number in range(20)]
    parts = parts_from_python(texts, [["a"], ["a", "b"]] * 10, None, data)
    with pytest.raises(ConfigError, match="one label per text"):
        train(config, RunFolder(tmp_path / "run"), parts=parts)
    assert not (tmp_path / "run").exists()
