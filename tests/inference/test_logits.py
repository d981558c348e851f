"""Batches by length: every sequence once, no batch over the budget, order restored."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from textlora.inference.logits import length_batches, score
from textlora.model.backends.plain import PlainForward

settings.register_profile("textlora", deadline=None)
settings.load_profile("textlora")

COSTS = {
    "padded": PlainForward(0).cost,
    "packed": sum,
}
LENGTHS = st.lists(st.integers(1, 50), max_size=60)


@pytest.mark.parametrize("kind", COSTS)
@given(lengths=LENGTHS, budget=st.integers(1, 200))
def test_every_sequence_once_and_no_batch_over_the_budget(
    kind: str, lengths: list[int], budget: int
) -> None:
    cost = COSTS[kind]
    batches = list(length_batches(lengths, cost, budget))
    assert sorted(position for batch in batches for position in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) == 1 or cost([lengths[position] for position in batch]) <= budget


@given(lengths=LENGTHS, budget=st.integers(1, 200))
def test_the_longest_come_first_and_batches_are_as_full_as_they_can_be(
    lengths: list[int], budget: int
) -> None:
    cost = COSTS["padded"]
    batches = list(length_batches(lengths, cost, budget))
    order = [lengths[position] for batch in batches for position in batch]
    assert order == sorted(lengths, reverse=True)
    for batch, following in pairwise(batches):
        grown = [lengths[position] for position in [*batch, following[0]]]
        assert cost(grown) > budget


class Sums(nn.Module):
    """Logits that tell what a batch was made of, and notes how it was called."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))
        self.modes: list[bool] = []

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> Any:
        self.modes.append(self.training)
        total = (input_ids * attention_mask).sum(1, keepdim=True) * self.weight
        return type("Output", (), {"logits": torch.cat([total, -total], dim=1)})


@given(lengths=st.lists(st.integers(1, 20), min_size=1, max_size=30), budget=st.integers(1, 60))
def test_logits_come_back_in_order(lengths: list[int], budget: int) -> None:
    sequences = [np.full(length, row + 1, np.int32) for row, length in enumerate(lengths)]
    found = score(Sums(), PlainForward(99), sequences, token_budget=budget)
    expected = [(row + 1) * length for row, length in enumerate(lengths)]
    np.testing.assert_array_equal(found, np.array([expected, [-v for v in expected]]).T)
    assert found.dtype == np.float32


@pytest.mark.parametrize("training", [True, False])
def test_scoring_has_no_dropout_and_restores_the_mode(training: bool) -> None:
    model = Sums().train(training)
    done: list[int] = []
    sequences: Sequence[Any] = [np.ones(3, np.int32)] * 5
    score(model, PlainForward(0), sequences, token_budget=6, progress=done.append)
    assert model.modes == [False] * 3
    assert done == [2, 2, 1]
    assert model.training is training
    assert not any(weight.grad is not None for weight in model.parameters())


def test_the_mode_is_restored_after_an_error() -> None:
    model = Sums().train()
    with pytest.raises(AttributeError):
        score(model, PlainForward(0), ["no array"])  # type: ignore[list-item]
    assert model.training


def test_no_sequences_no_logits() -> None:
    assert score(Sums(), PlainForward(0), []).shape[0] == 0
