"""Adapters of every kind on a tiny base, written as a run would write them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Recipe:
    """What makes an adapter different from another."""

    r: int = 4
    targets: tuple[str, ...] = ("q", "v")
    head: str = "auto"
    pooling: str = "cls"
    classes: int = 2
    multi_label: bool = False
    loss: str = "auto"
    more: tuple[tuple[str, Any], ...] = ()


RECIPES = (
    Recipe(),
    Recipe(r=1, targets=("q",), head="linear"),
    Recipe(r=12, targets=("q", "k", "v", "out", "ffn"), head="mlp", pooling="mean", classes=3),
    Recipe(r=3, targets=("ffn",), multi_label=True, classes=4),
    Recipe(r=2, head="linear", pooling="mean", more=(("layers", [1]), ("use_rslora", True))),
)


def save_adapter(folder: Path, model: Path, recipe: Recipe, seed: int = 0) -> Any:
    """Write an adapter whose every weight does something; return its head."""
    import torch
    from torch import nn

    from textlora.config import LoraSettings, ModelConfig
    from textlora.model.adapters import add_adapter, export_adapter, untrained_adapter
    from textlora.model.encoders import Backbone, resize_embeddings
    from textlora.model.heads import load_base_classifier, resolve_head

    torch.manual_seed(seed)
    backbone = Backbone(str(model))
    config: Any = {"head": recipe.head, "pooling": recipe.pooling, "loss": recipe.loss}
    head = resolve_head(ModelConfig(**config), recipe.classes, recipe.multi_label)
    base = load_base_classifier(backbone, head, [str(n) for n in range(recipe.classes)])
    resize_embeddings(getattr(base.model, "encoder", base.model), backbone.load_tokenizer())
    settings = LoraSettings(
        r=recipe.r, target_modules=list(recipe.targets), lora_dropout=0.0, **dict(recipe.more)
    )
    adapted = add_adapter(base, settings, backbone)
    untrained = untrained_adapter(adapted, base, settings)
    for name, parameter in adapted.named_parameters():
        if "lora_B" in name:
            nn.init.normal_(parameter, std=0.2)
    export_adapter(adapted, folder, untrained)
    return head


def save_served(
    folder: Path, model: Path, recipe: Recipe | None = None, seed: int = 0, **spec: Any
) -> Path:
    """Write an adapter folder with tokenizer and description; `spec` changes the latter."""
    from textlora.model.encoders import Backbone
    from textlora.model.spec import ClassifierSpec

    recipe = recipe or Recipe()
    head = save_adapter(folder, model, recipe, seed)
    backbone = Backbone(str(model))
    names = tuple(("bad", "good", "fair", "odd")[: recipe.classes])
    values: dict[str, Any] = {
        "backbone": backbone,
        "head": head,
        "label_names": names,
        "label_values": names,
        "max_length": 32,
        "truncation_side": "right",
        "strip_html": False,
        **spec,
    }
    ClassifierSpec(**values).save(folder)
    backbone.load_tokenizer().save_pretrained(folder)
    return folder
