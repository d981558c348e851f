"""From the frozen layers' states the fast path computes what it computes from token ids."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from test_fast_equals_plain import CONFIGS, MAX_LENGTH, TARGETS, assert_same, build, run, sequences
from torch import nn

from support.examples import examples
from textlora.fast.frozen_layers import PrefixStates
from textlora.inference.logits import score
from textlora.model.backends.fast import FastForward, bind
from textlora.model.backends.frozen_layers import PrefixForward

LENGTHS = [1, 7, MAX_LENGTH, 23, 2]


def states_of(
    forward: PrefixForward, texts: list[np.ndarray], folder: Path, ram_bytes: int = 10**9
) -> PrefixStates:
    """The states, from batches of two texts in no order."""
    order = np.random.default_rng(1).permutation(len(texts)).tolist()
    batches = [order[start : start + 2] for start in range(0, len(order), 2)]
    return forward.run_frozen(texts, batches, ram_bytes=ram_bytes, folder=folder)


def bound(
    architecture: str, pooling: str, layers: str, precision: str = "fp32"
) -> tuple[nn.Module, FastForward]:
    """A classifier with adapters in some layers of three."""
    model, head, _ = build(architecture, "linear", pooling, TARGETS[2], layers)
    return model, bind(model, head, precision, attention_dropout=True)  # type: ignore[arg-type]


@pytest.mark.parametrize("train", [False, True], ids=["eval", "train"])
@pytest.mark.parametrize("pooling", ["cls", "mean"])
@pytest.mark.parametrize(("layers", "first"), [("top:1", 2), ("top:2", 1), ("1-1", 1)])
def test_every_layer_range(
    layers: str, first: int, pooling: str, train: bool, tmp_path: Path
) -> None:
    model, fast = bound("distilbert", pooling, layers)
    prefix = PrefixForward.above_frozen(fast)
    assert prefix.first_layer == first
    texts = sequences(LENGTHS)
    states = list(states_of(prefix, texts, tmp_path))
    assert_same(run(model, prefix, states, train), run(model, fast, texts, train))  # type: ignore[arg-type]


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("architecture", CONFIGS)
def test_every_architecture(architecture: str, precision: str, tmp_path: Path) -> None:
    model, fast = bound(architecture, "mean", "top:2", precision)
    prefix = PrefixForward.above_frozen(fast)
    texts = sequences(LENGTHS)
    states = states_of(prefix, texts, tmp_path, ram_bytes=0)
    assert states.rows.values.dtype == getattr(
        torch, {"fp32": "float32", "bf16": "bfloat16"}[precision]
    )
    whole = run(model, fast, texts, True)
    assert_same(run(model, prefix, list(states), True), whole, precision)  # type: ignore[arg-type]


@examples(25, suppress_health_check=list(HealthCheck))
@given(
    lengths=st.lists(st.integers(1, MAX_LENGTH), min_size=1, max_size=6),
    pooling=st.sampled_from(["cls", "mean"]),
    seed=st.integers(0, 1000),
)
def test_any_mixture_of_lengths(
    lengths: list[int], pooling: str, seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    model, fast = bound("distilbert", pooling, "top:2")
    prefix = PrefixForward.above_frozen(fast)
    texts = sequences(lengths, seed)
    states = list(states_of(prefix, texts, tmp_path_factory.getbasetemp()))
    assert_same(run(model, prefix, states, True), run(model, fast, texts, True))  # type: ignore[arg-type]


def test_scoring_takes_states_as_it_takes_token_ids(tmp_path: Path) -> None:
    model, fast = bound("bert", "cls", "top:1")
    prefix = PrefixForward.above_frozen(fast)
    texts = sequences([5, 9, 1, 30, 2, 2, 17])
    from_states = score(model, prefix, states_of(prefix, texts, tmp_path), token_budget=40)
    from_texts = score(model, fast, texts, token_budget=40)
    np.testing.assert_allclose(from_states, from_texts, atol=1e-5, rtol=1e-4)


def test_dropout_is_off_in_the_frozen_layers_alone(tmp_path: Path) -> None:
    model, head, _ = build("bert", "linear", "cls", ["q"], "top:1")
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.5
    fast = bind(model.train(), head, "fp32", attention_dropout=True)
    prefix = PrefixForward.above_frozen(fast)
    texts = sequences([12, 30])
    drawn = torch.get_rng_state()
    states = states_of(prefix, texts, tmp_path)
    assert torch.equal(torch.get_rng_state(), drawn)
    assert torch.equal(states_of(prefix, texts, tmp_path).rows.values, states.rows.values)
    batch = prefix.collate(list(states))
    assert not torch.equal(prefix.logits(model, batch), prefix.logits(model, batch))
    assert torch.equal(
        prefix.logits(model.eval(), batch),
        prefix.logits(model, batch),
    )
    expected = fast.logits(model, fast.collate(texts))
    torch.testing.assert_close(prefix.logits(model, batch), expected, atol=1e-5, rtol=1e-4)


def test_training_on_states_does_not_change_them(tmp_path: Path) -> None:
    model, fast = bound("distilbert-one-head", "mean", "top:2")
    prefix = PrefixForward.above_frozen(fast)
    states = states_of(prefix, sequences([40, 24]), tmp_path)
    before = states.rows.values.clone()
    run(model, prefix, list(states), True)  # type: ignore[arg-type]
    assert torch.equal(states.rows.values, before)


def test_without_adapters_the_last_layer_is_still_run(tmp_path: Path) -> None:
    """With [CLS] pooling its output is the [CLS] rows alone."""
    model, fast = bound("distilbert", "cls", "top:1")
    model = model.merge_and_unload()  # type: ignore[operator]
    fast = bind(model, fast.head, "fp32", attention_dropout=True)
    prefix = PrefixForward.above_frozen(fast)
    assert prefix.first_layer == 2
    texts = sequences(LENGTHS)
    from_states = prefix.logits(model, prefix.collate(list(states_of(prefix, texts, tmp_path))))
    expected = fast.logits(model, fast.collate(texts))
    torch.testing.assert_close(from_states, expected, atol=1e-5, rtol=1e-4)
