"""What textlora knows of each encoder architecture: module names, and nothing else.

Adding an architecture means adding one entry here. `transformers` names the
architectures by `config.model_type`; so does this table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

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
