"""Which modules of a model get an adapter: from settings to module names."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from torch import nn

from textlora.config import LoraSettings
from textlora.errors import ConfigError
from textlora.model.architectures import LOGICAL_TARGETS, architecture_of, layer_range
from textlora.model.heads import BaseClassifier

# A name of PEFT's for every linear layer outside the head.
ALL_LINEAR = "all-linear"
_ATTENTION_OUTPUT = ("attention.output.dense",)


def adapted_modules(base: BaseClassifier, settings: LoraSettings) -> list[str]:
    """Return the full names of the modules that get an adapter.

    Raises:
        ConfigError: a name fits no module, or the layers are out of range.
    """
    wanted: set[str] = set()
    for target in settings.target_modules:
        found = _named_by(target, base)
        if not found:
            raise ConfigError(
                f"lora.target_modules: '{target}' fits no module of this model.",
                f"Use {', '.join(LOGICAL_TARGETS)}, or one of: "
                f"{_short_names(_linear_modules(base.model))}.",
            )
        wanted.update(found)
    head = {name for name in wanted if is_inside(name, base.trained_head)}
    if head == wanted:
        raise ConfigError(
            "lora.target_modules: the head alone leaves the encoder without an adapter.",
            "Add q and v.",
        )
    if head:
        # The rest of a fresh head must not stay as it was drawn.
        wanted.update(_named_by("head", base))
    return _in_layers(sorted(wanted), base, settings)


def shortest(names: list[str], base: BaseClassifier, settings: LoraSettings) -> list[str]:
    """Return modules as PEFT takes them, in the shortest form that means exactly these.

    Endings such as `q_lin` where they are unambiguous, full names otherwise.
    """
    endings = sorted({e for target in settings.target_modules for e in _endings(target, base)})
    matched = {name for name in _linear_modules(base.model) if _ends_in(name, endings)}
    return endings if matched == set(names) else names


def is_inside(name: str, modules: Iterable[str]) -> bool:
    """Return whether a module is one of others, or inside one."""
    return any(name == module or name.startswith(f"{module}.") for module in modules)


def checked_modules(names: list[str], base: BaseClassifier) -> list[str]:
    """Return `modules_to_save`, all of which the model has.

    Raises:
        ConfigError: a name fits no module.
    """
    known = [name for name, _ in base.model.named_modules()]
    for name in names:
        if not any(module == name or module.endswith(f".{name}") for module in known):
            raise ConfigError(
                f"lora.modules_to_save: '{name}' is no module of this model.",
                f"Its modules end in: {_short_names(known)}.",
            )
    return names


def _named_by(target: str, base: BaseClassifier) -> list[str]:
    """Return the modules that one target means."""
    linear = _linear_modules(base.model)
    if target == "head":
        return [name for name in linear if is_inside(name, base.trained_head)]
    outside = [name for name in linear if not is_inside(name, base.trained_head)]
    if target == ALL_LINEAR:
        return [
            name for name in outside if not isinstance(base.model.get_submodule(name), nn.Embedding)
        ]
    endings = _endings(target, base)
    if target in LOGICAL_TARGETS:
        found = [name for name in outside if _ends_in(name, endings)]
        # BERT's FFN and its attention both end in output.dense.
        return (
            found if target == "out" else [n for n in found if not _ends_in(n, _ATTENTION_OUTPUT)]
        )
    # A module of the head is meant only where nothing else is: the head is trained in full.
    return [name for name in outside if _ends_in(name, endings)] or [
        name for name in linear if _ends_in(name, endings)
    ]


def _endings(target: str, base: BaseClassifier) -> tuple[str, ...]:
    if target not in LOGICAL_TARGETS or target == "head":
        return (target,)
    config: Any = base.model.config
    known = architecture_of(config)
    if known is None:
        raise ConfigError(
            f"lora.target_modules: '{target}' is not defined for the architecture "
            f"'{config.model_type}'.",
            f"Name the model's own modules: {_short_names(_linear_modules(base.model))}.",
        )
    return known.targets[target]


def _ends_in(name: str, endings: Iterable[str]) -> bool:
    return any(name == ending or name.endswith(f".{ending}") for ending in endings)


def _linear_modules(model: nn.Module) -> list[str]:
    kinds = (nn.Linear, nn.Embedding, nn.Conv1d, nn.Conv2d)
    return [
        name
        for name, module in model.named_modules()
        if isinstance(module, kinds) or type(module).__name__ == "Conv1D"
    ]


def _in_layers(names: list[str], base: BaseClassifier, settings: LoraSettings) -> list[str]:
    if settings.layers is None:
        return names
    config: Any = base.model.config
    allowed = layer_range(settings.layers, config.num_hidden_layers)
    kept = []
    for name in names:
        number = re.search(r"\.(\d+)\.", name)
        if number is None or int(number.group(1)) in allowed:
            kept.append(name)
    return kept


def _short_names(names: list[str]) -> str:
    short = (re.sub(r"^.*\.\d+\.", "", name) for name in names)
    return ", ".join(dict.fromkeys(name for name in short if name))
