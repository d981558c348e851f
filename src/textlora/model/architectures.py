"""What textlora knows of each encoder architecture, and which of its modules get an adapter.

Adding an architecture means adding one entry to the table. `transformers` names the
architectures by `config.model_type`; so does the table.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from torch import nn

from textlora.config import LoraSettings
from textlora.errors import ConfigError

LOGICAL_TARGETS = ("q", "k", "v", "out", "ffn", "head")


@dataclass(frozen=True)
class Architecture:
    """Names inside one architecture's `…ForSequenceClassification`.

    Args:
        targets: for every logical target the endings of the modules it stands for.
        head: the modules between the pooled state and the logits.
        trained_head: the head modules that are trained in full beside the adapter.
        layers: the path of the list of layers inside the encoder.
        position_offset: rows of the position table that no token uses (RoBERTa counts from
            `pad_token_id + 1`).
    """

    targets: dict[str, tuple[str, ...]]
    head: tuple[str, ...]
    trained_head: tuple[str, ...]
    layers: str
    position_offset: int = 0


_BERT_TARGETS = {
    "q": ("attention.self.query",),
    "k": ("attention.self.key",),
    "v": ("attention.self.value",),
    "out": ("attention.output.dense",),
    "ffn": ("intermediate.dense", "output.dense"),
}

ARCHITECTURES = {
    "distilbert": Architecture(
        targets={
            "q": ("q_lin",),
            "k": ("k_lin",),
            "v": ("v_lin",),
            "out": ("out_lin",),
            "ffn": ("ffn.lin1", "ffn.lin2"),
        },
        head=("pre_classifier", "classifier"),
        trained_head=("pre_classifier", "classifier"),
        layers="transformer.layer",
    ),
    "bert": Architecture(
        targets=_BERT_TARGETS,
        head=("classifier",),
        trained_head=("classifier",),
        layers="encoder.layer",
    ),
    "roberta": Architecture(
        targets=_BERT_TARGETS,
        head=("classifier.dense", "classifier.out_proj"),
        trained_head=("classifier",),
        layers="encoder.layer",
        position_offset=2,
    ),
    "electra": Architecture(
        targets=_BERT_TARGETS,
        head=("classifier.dense", "classifier.out_proj"),
        trained_head=("classifier",),
        layers="encoder.layer",
    ),
    "mpnet": Architecture(
        targets={
            "q": ("attn.q",),
            "k": ("attn.k",),
            "v": ("attn.v",),
            "out": ("attn.o",),
            "ffn": ("intermediate.dense", "output.dense"),
        },
        head=("classifier.dense", "classifier.out_proj"),
        trained_head=("classifier",),
        layers="encoder.layer",
        position_offset=2,
    ),
    # One fused projection makes query, key and value: any of the three adapts it whole.
    "modernbert": Architecture(
        targets={
            "q": ("attn.Wqkv",),
            "k": ("attn.Wqkv",),
            "v": ("attn.Wqkv",),
            "out": ("attn.Wo",),
            "ffn": ("mlp.Wi", "mlp.Wo"),
        },
        head=("head.dense", "classifier"),
        trained_head=("head", "classifier"),
        layers="layers",
    ),
}


def architecture_of(config: Any) -> Architecture | None:
    """Return the entry for a `transformers` config, or None for an architecture unknown here."""
    return ARCHITECTURES.get(config.model_type)


def max_positions(config: Any) -> int | None:
    """Return how many tokens the architecture takes, or None where it sets no limit."""
    positions = getattr(config, "max_position_embeddings", None)
    if positions is None:
        return None
    known = architecture_of(config)
    return int(positions) - (known.position_offset if known else 0)


def layer_range(layers: list[int] | str | None, count: int) -> list[int]:
    """Return the layer numbers that a setting names.

    Args:
        layers: None for all, a list, "4-5" (inclusive) or "top:2".
        count: how many layers the encoder has.

    Raises:
        ConfigError: the setting cannot be read, or names a layer that is not there.
    """
    if layers is None:
        return list(range(count))
    numbers = _parse_layers(layers, count)
    wrong = [number for number in numbers if not 0 <= number < count]
    if wrong or not numbers:
        raise ConfigError(
            f"lora.layers={layers!r}: the encoder's layers are 0 to {count - 1}.",
            "Give a list such as [4, 5], a range such as '4-5', or 'top:2'.",
        )
    return sorted(set(numbers))


def _parse_layers(layers: list[int] | str, count: int) -> list[int]:
    if isinstance(layers, list):
        return layers
    try:
        if layers.startswith("top:"):
            return list(range(count - int(layers.removeprefix("top:")), count))
        first, _, last = layers.partition("-")
        return list(range(int(first), int(last or first) + 1))
    except ValueError:
        return []


# A name of PEFT's for every linear layer outside the head.
ALL_LINEAR = "all-linear"
_ATTENTION_OUTPUT = ("attention.output.dense",)


@dataclass(frozen=True)
class BaseClassifier:
    """A classifier before it gets its adapter.

    Args:
        model: the module.
        trained_head: modules that must be trained in full and saved with the adapter.
    """

    model: nn.Module
    trained_head: list[str]

    @property
    def encoder(self) -> Any:
        """The encoder, or the model that has it in a class of its own."""
        return getattr(self.model, "encoder", self.model)


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
    matched = {name for name in _linear_modules(base.model) if ends_in(name, endings)}
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
        if not any(ends_in(module, [name]) for module in known):
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
        found = [name for name in outside if ends_in(name, endings)]
        # BERT's FFN and its attention both end in output.dense.
        return found if target == "out" else [n for n in found if not ends_in(n, _ATTENTION_OUTPUT)]
    # A module of the head is meant only where nothing else is: the head is trained in full.
    return [name for name in outside if ends_in(name, endings)] or [
        name for name in linear if ends_in(name, endings)
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


def ends_in(name: str, endings: Iterable[str]) -> bool:
    """Return whether a module's full name is one of the endings, or ends in one after a dot."""
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
