"""An adapter saved is the adapter trained, and the base stays as it was."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file

from support.tiny import ARCHITECTURES
from textlora.config import LoraSettings
from textlora.errors import ConfigError, ModelError
from textlora.model.adapters import (
    add_adapter,
    count_parameters,
    export_adapter,
    is_inside,
    load_adapter,
    save_adapter,
    untrained_adapter,
)
from textlora.model.heads import HeadSpec

from .conftest import disturb, logits_of

Make = Callable[..., Any]
ONE_UNIT = HeadSpec("linear", "cls", "bce", 2)
MEAN = HeadSpec("mlp", "mean", "cross_entropy", 3)


def settings(**values: Any) -> LoraSettings:
    return LoraSettings(**{"target_modules": ["q", "ffn"], "r": 4, **values})


def trained(base: Any, lora: LoraSettings, folder: Path) -> PeftModel:
    """An adapter as after training, exported to a folder."""
    model = add_adapter(base, lora)
    untrained = untrained_adapter(model, base, lora)
    disturb(model)
    export_adapter(model, folder, untrained)
    return model


VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "rslora": {"use_rslora": True},
    "dora": {"use_dora": True},
    "gaussian": {"init_lora_weights": "gaussian"},
    "orthogonal": {"init_lora_weights": "orthogonal"},
    "uninitialised": {"init_lora_weights": False},
    "pissa": {"init_lora_weights": "pissa"},
    "pissa-fast": {"init_lora_weights": "pissa_niter_4"},
    "pissa-rslora": {"init_lora_weights": "pissa", "use_rslora": True},
    "pissa-dora": {"init_lora_weights": "pissa", "use_dora": True},
    "olora": {"init_lora_weights": "olora"},
    "bias-all": {"bias": "all"},
    "bias-lora": {"bias": "lora_only"},
    "layer": {"layers": "top:1", "modules_to_save": ["sa_layer_norm"]},
    "embeddings": {"target_modules": ["q", "word_embeddings"]},
    "saved-embeddings": {"modules_to_save": ["position_embeddings"]},
    "head": {"target_modules": ["q", "head"]},
    "head-dora": {"target_modules": ["q", "head"], "use_dora": True},
    "head-pissa": {"target_modules": ["q", "head"], "init_lora_weights": "pissa", "r": 2},
    "half-head": {"target_modules": ["q", "pre_classifier"]},
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_saved_adapter_fits_the_untouched_base(
    variant: str, make_base: Make, batch: dict[str, Any], tmp_path: Path
) -> None:
    model = trained(make_base(), settings(**VARIANTS[variant]), tmp_path)
    # Another seed: the fresh head of the new base is another one.
    loaded = load_adapter(make_base(seed=99), tmp_path)
    torch.testing.assert_close(
        logits_of(loaded, batch), logits_of(model, batch), atol=1e-5, rtol=1e-4
    )


@pytest.mark.parametrize("variant", ["pissa", "head", "head-pissa", "half-head", "dora"])
@pytest.mark.parametrize("architecture", ["bert", "roberta", "modernbert"])
def test_and_so_on_other_architectures(
    variant: str, architecture: str, make_base: Make, batch: dict[str, Any], tmp_path: Path
) -> None:
    values = dict(VARIANTS[variant])
    if variant == "half-head":
        values["target_modules"] = ["q", "classifier" if architecture != "roberta" else "out_proj"]
    model = trained(make_base(architecture), settings(**values), tmp_path)
    loaded = load_adapter(make_base(architecture, seed=99), tmp_path)
    torch.testing.assert_close(
        logits_of(loaded, batch), logits_of(model, batch), atol=1e-5, rtol=1e-4
    )


@pytest.mark.parametrize("head", [ONE_UNIT, MEAN], ids=["one-unit", "mean-mlp"])
@pytest.mark.parametrize("targets", [["q"], ["q", "head"]], ids=["full-head", "lora-head"])
def test_heads_of_our_own_are_saved_with_the_adapter(
    head: HeadSpec, targets: list[str], make_base: Make, batch: dict[str, Any], tmp_path: Path
) -> None:
    model = trained(make_base(head=head), settings(target_modules=targets), tmp_path)
    loaded = load_adapter(make_base(head=head, seed=99), tmp_path)
    assert logits_of(model, batch).shape == (2, head.num_units)
    torch.testing.assert_close(
        logits_of(loaded, batch), logits_of(model, batch), atol=1e-5, rtol=1e-4
    )


@pytest.mark.parametrize("variant", ["plain", "head", "pissa"])
def test_exporting_leaves_the_model_as_it_is(
    variant: str, make_base: Make, batch: dict[str, Any], tmp_path: Path
) -> None:
    lora, base = settings(**VARIANTS[variant]), make_base()
    model = add_adapter(base, lora)
    untrained = untrained_adapter(model, base, lora)
    disturb(model)
    before = logits_of(model, batch)
    export_adapter(model, tmp_path / "a", untrained)
    assert torch.equal(logits_of(model, batch), before)
    export_adapter(model, tmp_path / "b", untrained)
    first, again = (tmp_path / name / "adapter_model.safetensors" for name in "ab")
    assert first.read_bytes() == again.read_bytes()


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_fresh_adapter_changes_nothing_and_training_leaves_the_base(
    architecture: str, make_base: Make, batch: dict[str, Any]
) -> None:
    base = make_base(architecture)
    before = logits_of(base.model, batch)
    frozen = {name: weight.clone() for name, weight in base.model.named_parameters()}
    model = add_adapter(base, settings(target_modules=["q", "v", "out", "ffn"]))
    torch.testing.assert_close(logits_of(model, batch), before, atol=1e-6, rtol=0)
    disturb(model)
    assert not torch.allclose(logits_of(model, batch), before, atol=1e-2)
    model.unload()
    for name, weight in base.model.named_parameters():
        plain = name.replace(".base_layer", "")
        if not is_inside(name, base.trained_head):
            assert torch.equal(weight, frozen.pop(plain)), name
    assert all(is_inside(name, base.trained_head) for name in frozen)


@pytest.mark.parametrize("use_rslora", [False, True])
def test_the_merged_weight_is_the_formula(use_rslora: bool, make_base: Make) -> None:
    base = make_base()
    name = "distilbert.transformer.layer.1.attention.q_lin"
    weight = base.model.get_submodule(name).weight.clone()
    lora = settings(r=4, lora_alpha=12, use_rslora=use_rslora)
    model = add_adapter(base, lora)
    disturb(model)
    layer: Any = model.base_model.model.get_submodule(name)
    a, b = layer.lora_A.default.weight, layer.lora_B.default.weight
    expected = weight + b @ a * (12 / (2 if use_rslora else 4))
    merged = model.merge_and_unload().get_submodule(name).weight
    torch.testing.assert_close(merged, expected, atol=1e-5, rtol=1e-4)


def test_a_converted_adapter_is_plain_lora_of_twice_the_rank(
    make_base: Make, tmp_path: Path
) -> None:
    trained(make_base(), settings(init_lora_weights="pissa", r=3, lora_alpha=6), tmp_path)
    config = json.loads((tmp_path / "adapter_config.json").read_text())
    assert (config["r"], config["lora_alpha"], config["init_lora_weights"]) == (6, 12, True)


def test_the_written_settings_do_not_depend_on_hash_order(make_base: Make, tmp_path: Path) -> None:
    trained(make_base(), settings(target_modules=["v", "q", "k"]), tmp_path)
    config = json.loads((tmp_path / "adapter_config.json").read_text())
    assert config["target_modules"] == ["k_lin", "q_lin", "v_lin"]
    assert config["modules_to_save"] == sorted(config["modules_to_save"])
    assert config["inference_mode"] is True
    assert config["task_type"] == "SEQ_CLS"


def test_a_checkpoint_can_be_trained_on(
    make_base: Make, batch: dict[str, Any], tmp_path: Path
) -> None:
    model = add_adapter(make_base(), settings())
    disturb(model)
    save_adapter(model, tmp_path)
    loaded = load_adapter(make_base(seed=9), tmp_path, trainable=True)
    assert torch.equal(logits_of(loaded, batch), logits_of(model, batch))
    assert count_parameters(loaded) == count_parameters(model)
    assert not (tmp_path / "README.md").exists()


@pytest.mark.parametrize(
    ("lost", "problem"),
    [
        ("classifier.weight", r"no weights for the head module 'classifier' \(weight\)"),
        ("pre_classifier.bias", r"no weights for the head module 'pre_classifier' \(bias\)"),
        ("layer.0.attention.q_lin.lora_B.weight", "does not fit this base"),
    ],
)
def test_a_lost_weight_is_an_error(
    lost: str, problem: str, make_base: Make, tmp_path: Path
) -> None:
    trained(make_base(), settings(), tmp_path)
    file = tmp_path / "adapter_model.safetensors"
    tensors = load_file(file)
    kept = {name: tensor for name, tensor in tensors.items() if not name.endswith(f".{lost}")}
    assert len(kept) == len(tensors) - 1
    save_file(kept, file)
    with pytest.raises(ModelError, match=problem):
        load_adapter(make_base(), tmp_path)


@pytest.mark.parametrize("damage", ["truncated", "no weights", "no config", "other base"])
def test_a_damaged_folder_is_an_error(damage: str, make_base: Make, tmp_path: Path) -> None:
    trained(make_base(), settings(), tmp_path)
    file = tmp_path / "adapter_model.safetensors"
    if damage == "truncated":
        file.write_bytes(file.read_bytes()[:-100])
    if damage == "no weights":
        file.unlink()
    if damage == "no config":
        (tmp_path / "adapter_config.json").unlink()
    with pytest.raises(ModelError):
        load_adapter(make_base("bert" if damage == "other base" else "distilbert"), tmp_path)


def test_a_head_of_another_size_is_an_error(make_base: Make, tmp_path: Path) -> None:
    trained(make_base(), settings(), tmp_path)
    with pytest.raises(ModelError, match="does not fit"):
        load_adapter(make_base(head=HeadSpec("auto", "cls", "cross_entropy", 5)), tmp_path)


@pytest.mark.parametrize("init", ["eva", "loftq", "corda", "lora_ga", "nonsense"])
def test_initialisations_that_need_more_are_refused(init: str, make_base: Make) -> None:
    with pytest.raises(ConfigError, match=r"lora|LoRA"):
        add_adapter(make_base(), settings(init_lora_weights=init))


def test_an_odd_rank_for_orthogonal_is_a_setting_s_fault(make_base: Make) -> None:
    with pytest.raises(ConfigError, match="even"):
        add_adapter(make_base(), settings(init_lora_weights="orthogonal", r=3))


def test_counting_has_the_frozen_copy_of_the_head_in_the_total(make_base: Make) -> None:
    base = make_base()
    encoder = sum(weight.numel() for weight in base.model.distilbert.parameters())
    head = 32 * 32 + 32 + 2 * 32 + 2
    lora = 2 * 2 * (32 * 4 + 4 * 32)
    count = count_parameters(add_adapter(base, settings(target_modules=["q", "v"])))
    assert (count.trainable, count.total) == (lora + head, encoder + lora + 2 * head)
    assert str(count) == f"{lora + head:,} of {count.total:,} ({count.share:.2%})"


def test_the_adapter_remembers_its_base(
    make_base: Make, tiny: Callable[[str], Path], tmp_path: Path
) -> None:
    from textlora.model.encoders import Backbone

    copied = shutil.copytree(tiny("distilbert"), tmp_path / "here")
    model = add_adapter(make_base(), settings(), Backbone(str(copied)))
    save_adapter(model, tmp_path / "adapter")
    config = json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == str(copied)
