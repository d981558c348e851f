"""Logical names, raw names and layers become exactly the modules that are meant."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from support.tiny import ARCHITECTURES
from textlora.config import LoraSettings
from textlora.errors import ConfigError
from textlora.model.adapters import add_adapter
from textlora.model.architectures import ARCHITECTURES as KNOWN
from textlora.model.architectures import layer_range, max_positions
from textlora.model.heads import HeadSpec

BERT = {
    "q": {"attention.self.query"},
    "k": {"attention.self.key"},
    "v": {"attention.self.value"},
    "out": {"attention.output.dense"},
    "ffn": {"intermediate.dense", "output.dense"},
}
WQKV = {"attn.Wqkv"}
EXPECTED = {
    "distilbert": {
        "q": {"attention.q_lin"},
        "k": {"attention.k_lin"},
        "v": {"attention.v_lin"},
        "out": {"attention.out_lin"},
        "ffn": {"ffn.lin1", "ffn.lin2"},
    },
    "bert": BERT,
    "roberta": BERT,
    "electra": BERT,
    "mpnet": {
        "q": {"attention.attn.q"},
        "k": {"attention.attn.k"},
        "v": {"attention.attn.v"},
        "out": {"attention.attn.o"},
        "ffn": {"intermediate.dense", "output.dense"},
    },
    "modernbert": {
        **dict.fromkeys("qkv", WQKV),
        "out": {"attn.Wo"},
        "ffn": {"mlp.Wi", "mlp.Wo"},
    },
}
Make = Callable[..., Any]


def adapted(model: Any) -> set[str]:
    return {
        name.removeprefix("base_model.model.").removesuffix(".lora_A.default")
        for name, _ in model.named_modules()
        if name.endswith(".lora_A.default")
    }


def in_layers(model: Any) -> dict[int, set[str]]:
    found: dict[int, set[str]] = {}
    for name in adapted(model):
        head, _, rest = name.partition("layers." if ".layers." in name else "layer.")
        assert head, name
        number, _, ending = rest.partition(".")
        found.setdefault(int(number), set()).add(ending)
    return found


def settings(*targets: str, **more: Any) -> LoraSettings:
    return LoraSettings(target_modules=list(targets), r=2, **more)


@pytest.mark.parametrize("target", ["q", "k", "v", "out", "ffn"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_logical_target_is_the_same_part_of_every_architecture(
    architecture: str, target: str, make_base: Make
) -> None:
    model = add_adapter(make_base(architecture), settings(target))
    modules = EXPECTED[architecture][target]
    assert in_layers(model) == {0: modules, 1: modules}


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_layers_limit_the_adapter(architecture: str, make_base: Make) -> None:
    model = add_adapter(make_base(architecture), settings("q", "ffn", layers="top:1"))
    modules = EXPECTED[architecture]["q"] | EXPECTED[architecture]["ffn"]
    assert in_layers(model) == {1: modules}


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_head_is_trained_in_full_beside_the_adapter(architecture: str, make_base: Make) -> None:
    model = add_adapter(make_base(architecture), settings("q"))
    trained = {name for name, weight in model.named_parameters() if weight.requires_grad}
    heads = {name for name in trained if "lora_" not in name}
    assert heads
    assert all(".modules_to_save.default." in name for name in heads)
    for module in KNOWN[architecture].trained_head:
        assert any(f".{module}." in name for name in heads)


@pytest.mark.parametrize(
    ("architecture", "raw", "modules"),
    [
        ("distilbert", "q_lin", {"attention.q_lin"}),
        ("distilbert", "attention.q_lin", {"attention.q_lin"}),
        ("bert", "query", {"attention.self.query"}),
        ("bert", "output.dense", {"attention.output.dense", "output.dense"}),
        ("modernbert", "Wo", {"attn.Wo", "mlp.Wo"}),
        ("roberta", "all-linear", set().union(*BERT.values())),
        # The head has such modules, too, but is trained in full.
        ("roberta", "dense", BERT["out"] | BERT["ffn"]),
    ],
)
def test_raw_names_mean_what_peft_means(
    architecture: str, raw: str, modules: set[str], make_base: Make
) -> None:
    assert in_layers(add_adapter(make_base(architecture), settings(raw))) == {
        0: modules,
        1: modules,
    }


def test_raw_and_logical_names_mix_and_pooled_models_are_named_alike(make_base: Make) -> None:
    head = HeadSpec("mlp", "mean", "cross_entropy", 3)
    model = add_adapter(make_base("bert", head), settings("q", "value", layers=[0]))
    assert in_layers(model) == {0: {"attention.self.query", "attention.self.value"}}


def test_embeddings_can_have_an_adapter(make_base: Make) -> None:
    model = add_adapter(make_base(), settings("word_embeddings", "q"))
    assert any("lora_embedding_A" in name for name, _ in model.named_parameters())


@pytest.mark.parametrize(
    ("targets", "problem"),
    [
        (["qq"], "'qq' fits no module.*q_lin"),
        (["head"], "the head alone"),
        (["classifier"], "the head alone"),
    ],
)
def test_targets_that_fit_nothing_are_refused(
    targets: list[str], problem: str, make_base: Make
) -> None:
    with pytest.raises(ConfigError, match=problem):
        add_adapter(make_base(), settings(*targets))


def test_modules_to_save_must_exist(make_base: Make) -> None:
    with pytest.raises(ConfigError, match="'embedings' is no module"):
        add_adapter(make_base(), settings("q", modules_to_save=["embedings"]))


def test_logical_names_need_a_known_architecture(make_base: Make) -> None:
    base = make_base()
    base.model.config.model_type = "unheard-of"
    with pytest.raises(ConfigError, match="'q' is not defined for the architecture 'unheard-of'"):
        add_adapter(base, settings("q"))


@pytest.mark.parametrize(
    ("layers", "numbers"),
    [
        (None, [0, 1, 2, 3, 4, 5]),
        ([5, 4, 4], [4, 5]),
        ("4-5", [4, 5]),
        ("3", [3]),
        ("top:2", [4, 5]),
    ],
)
def test_layer_ranges(layers: Any, numbers: list[int]) -> None:
    assert layer_range(layers, 6) == numbers


@pytest.mark.parametrize("layers", [[6], "4-6", "top:7", "top:0", "5-4", "", "all", [-1], []])
def test_layers_that_are_not_there_are_refused(layers: Any) -> None:
    with pytest.raises(ConfigError, match="layers are 0 to 5"):
        layer_range(layers, 6)


def test_positions_that_no_token_uses_do_not_count(make_base: Make) -> None:
    assert max_positions(make_base("bert").model.config) == 64
    assert max_positions(make_base("roberta").model.config) == 62
