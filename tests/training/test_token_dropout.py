"""Tokens left out at random: the special ones stay, and the choice can be repeated."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from textlora.training.regularization import FEWEST_TOKENS, DroppedTokens
from textlora.training.trainer import ClassifierTrainer

from .conftest import adapter_bytes


@given(
    st.lists(st.integers(1, 60), min_size=1, max_size=8),
    st.floats(0, 0.99),
    st.integers(0, 2**31),
)
def test_what_is_left_is_the_text_with_gaps(lengths: list[int], share: float, seed: int) -> None:
    whole = [np.arange(length) for length in lengths]
    dropped = DroppedTokens(whole, share, seed)
    assert len(dropped) == len(whole)
    for index, sequence in enumerate(whole):
        left = dropped[index]
        assert (np.diff(left) > 0).all()
        assert {0, len(sequence) - 1} <= set(left.tolist()) <= set(sequence.tolist())
        assert np.array_equal(left, dropped[index])
        if len(sequence) < FEWEST_TOKENS or share == 0:
            assert np.array_equal(left, sequence)


def test_other_tokens_go_in_every_epoch_and_about_so_many() -> None:
    whole = [np.arange(1_000)]
    dropped = DroppedTokens(whole, 0.2, seed=1)
    kept = []
    for epoch in range(10):
        dropped.epoch = epoch
        kept.append(dropped[0])
    assert np.mean([len(each) for each in kept]) == pytest.approx(800, abs=20)
    assert len({each.tobytes() for each in kept}) == 10


def test_states_lose_rows() -> None:
    states = torch.arange(40.0).reshape(20, 2)
    left = DroppedTokens([states], 0.5, seed=0)[0]
    assert left.shape[1] == 2
    assert 2 < len(left) < 20
    assert torch.equal(left[0], states[0])
    assert torch.equal(left[-1], states[-1])


@pytest.mark.parametrize(
    "way", [{}, {"compute.prefix_cache": True, "lora.layers": "top:1"}, {"compute.path": "plain"}]
)
def test_training_sees_fewer_tokens_and_validation_all(
    run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, way: dict[str, Any]
) -> None:
    seen: list[tuple[int, list[int]]] = []
    collate = ClassifierTrainer._collate

    def spy(self: ClassifierTrainer, rows: list[dict[str, Any]]) -> Any:
        dropped: Any = self.train_dataset.sequences  # type: ignore[union-attr]
        seen.append((dropped.epoch, [len(row["input_ids"]) for row in rows]))
        return collate(self, rows)

    whole = run(way, "whole")
    monkeypatch.setattr(ClassifierTrainer, "_collate", spy)
    less = run({**way, "training.token_dropout": 0.5}, "less")
    again = run({**way, "training.token_dropout": 0.5}, "again")
    assert adapter_bytes(less) == adapter_bytes(again) != adapter_bytes(whole)
    by_epoch = [sum(sum(lengths) for number, lengths in seen if number == each) for each in (0, 1)]
    assert by_epoch[0] != by_epoch[1]
    # Figures of validation rows are of whole texts.
    scored = less.predictor.predict_proba(less.results["validation"].part.table.texts)
    np.testing.assert_allclose(scored, less.results["validation"].probabilities, atol=1e-5)
