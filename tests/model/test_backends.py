"""Which path a model takes, and the reason that is given."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import BertConfig, DistilBertConfig, ElectraConfig, ModernBertConfig, MPNetConfig

from textlora.config import ComputeConfig, LoraSettings, ModelConfig
from textlora.errors import ConfigError
from textlora.model.adapters import add_adapter
from textlora.model.backends import Choice, choose_forward, choose_prefix
from textlora.model.backends.fast import FastForward
from textlora.model.backends.plain import PlainForward
from textlora.model.heads import build_base_classifier, resolve_head

_SMALL: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "vocab_size": 60,
}


def _choice(config: Any, lora: LoraSettings, compute: ComputeConfig) -> Choice:
    head = resolve_head(ModelConfig(), 2, False)
    model = add_adapter(build_base_classifier(config, head), lora)
    return choose_forward(model, head, 0, compute)


def _distilbert(n_layers: int = 2, **more: Any) -> DistilBertConfig:
    return DistilBertConfig(
        dim=32,
        n_layers=n_layers,
        n_heads=2,
        hidden_dim=64,
        vocab_size=60,
        max_position_embeddings=40,
        **more,
    )


def test_the_fast_path_is_the_default_and_says_how_it_runs() -> None:
    choice = _choice(_distilbert(), LoraSettings(), ComputeConfig())
    assert isinstance(choice.forward, FastForward)
    assert "batched products" in choice.reason


def test_plain_can_be_demanded() -> None:
    choice = _choice(_distilbert(), LoraSettings(), ComputeConfig(path="plain"))
    assert isinstance(choice.forward, PlainForward)


@pytest.mark.parametrize(
    ("config", "lora", "reason"),
    [
        (MPNetConfig(**_SMALL), LoraSettings(), "architecture mpnet"),
        (ModernBertConfig(**_SMALL, pad_token_id=0), LoraSettings(), "architecture modernbert"),
        (_distilbert(), LoraSettings(use_dora=True), "variant Dora"),
        (_distilbert(), LoraSettings(bias="lora_only"), "trained in full"),
        (_distilbert(activation="relu"), LoraSettings(), "activation relu"),
        (BertConfig(**_SMALL), LoraSettings(modules_to_save=["embeddings"]), "trained in full"),
        (
            ElectraConfig(**_SMALL, embedding_size=16),
            LoraSettings(target_modules=["q", "embeddings_project"]),
            "adapter on embeddings_project",
        ),
    ],
    ids=["mpnet", "modernbert", "dora", "bias", "activation", "modules_to_save", "projection"],
)
def test_what_it_cannot_do_runs_plain_with_a_reason(
    config: Any, lora: LoraSettings, reason: str
) -> None:
    choice = _choice(config, lora, ComputeConfig())
    assert isinstance(choice.forward, PlainForward)
    assert reason in choice.reason


def test_demanding_the_fast_path_where_there_is_none_is_an_error() -> None:
    with pytest.raises(ConfigError, match="variant Dora"):
        _choice(_distilbert(), LoraSettings(use_dora=True), ComputeConfig(path="fast"))


@pytest.mark.parametrize(
    ("precision", "dtype"), [("fp32", torch.float32), ("bf16", torch.bfloat16)]
)
def test_precision_is_that_of_the_frozen_products(precision: Any, dtype: torch.dtype) -> None:
    choice = _choice(_distilbert(), LoraSettings(), ComputeConfig(precision=precision))
    assert isinstance(choice.forward, FastForward)
    assert choice.forward.encoder.dtype == dtype


def test_attention_dropout_can_be_turned_off() -> None:
    for setting, rate in (("keep", 0.1), ("off", 0.0)):
        compute = ComputeConfig(attention_dropout=setting)  # type: ignore[arg-type]
        choice = _choice(_distilbert(), LoraSettings(), compute)
        assert isinstance(choice.forward, FastForward)
        assert choice.forward.encoder.layers[0].attention_dropout == rate


@pytest.mark.parametrize(
    ("layers", "first"), [("top:2", 2), ("top:1", 3), ([1, 3], 1), ("2-2", 2)], ids=str
)
def test_what_lies_below_the_lowest_adapter_is_run_once(layers: Any, first: int) -> None:
    choice = _choice(_distilbert(n_layers=4), LoraSettings(layers=layers), ComputeConfig())
    prefix = choose_prefix(choice)
    assert (prefix.first_layer, prefix.layers) == (first, 4)
    assert prefix.fast is choice.forward


def test_raw_module_names_may_leave_the_lower_layers_alone() -> None:
    lora = LoraSettings(target_modules=["layer.3.attention.q_lin", "layer.2.ffn.lin1"])
    choice = _choice(_distilbert(n_layers=4), lora, ComputeConfig())
    assert choose_prefix(choice).first_layer == 2


@pytest.mark.parametrize(
    ("layers", "suggested"), [(1, "top:1"), (2, "top:1"), (3, "top:2"), (6, "top:2")]
)
def test_nothing_below_the_lowest_adapter_is_an_error(layers: int, suggested: str) -> None:
    choice = _choice(_distilbert(n_layers=layers), LoraSettings(layers=[0]), ComputeConfig())
    with pytest.raises(ConfigError, match="the lowest layer has an adapter") as caught:
        choose_prefix(choice)
    assert f"lora.layers={suggested}," in caught.value.remedy
    assert "--fast-prefix" in caught.value.remedy


@pytest.mark.parametrize(
    ("config", "compute", "reason"),
    [
        (_distilbert(), ComputeConfig(path="plain"), "plain, as compute.path says."),
        (MPNetConfig(**_SMALL), ComputeConfig(), "plain: the architecture mpnet has no fast path."),
    ],
    ids=["setting", "model"],
)
def test_states_are_reused_on_the_fast_path_alone(
    config: Any, compute: ComputeConfig, reason: str
) -> None:
    choice = _choice(config, LoraSettings(layers="top:1"), compute)
    with pytest.raises(ConfigError) as caught:
        choose_prefix(choice)
    assert caught.value.problem == (
        f"compute.prefix_cache needs the fast path, and the path is {reason}"
    )
