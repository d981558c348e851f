"""Sequences of several adapters in one batch; for inference alone.

The sequences of an adapter lie side by side. The frozen products run once over all rows, and
each adapter's updates over its own: the idea of S-LoRA (https://arxiv.org/abs/2311.03285) and
Punica (https://arxiv.org/abs/2310.18547), on packed rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from itertools import pairwise

import torch
from torch import Tensor

from textlora.fast.encoder import Batch, Pooling, pool, run_layers
from textlora.fast.packing import Packed
from textlora.fast.weights import Encoder, Layer, Lora, LoraSlices


@dataclass(frozen=True)
class LayerUpdates:
    """What an adapter adds to one layer; None where it adds nothing."""

    query: Lora | None
    key: Lora | None
    value: Lora | None
    output: Lora | None
    up: Lora | None
    down: Lora | None


@dataclass(frozen=True)
class Segment:
    """The sequences of one adapter, side by side in a batch.

    Args:
        updates: what the adapter adds to each layer, bottom to top.
        pooling: "cls" or "mean".
        sequences: how many there are, at least one.
    """

    updates: tuple[LayerUpdates, ...]
    pooling: Pooling
    sequences: int


def encode_mixed(batch: Batch, segments: Sequence[Segment]) -> list[Tensor]:
    """Return the pooled states of every segment, [its sequences, hidden] in fp32.

    Args:
        batch: the packed sequences, segment after segment, on an encoder without updates.
        segments: the adapters, in the same order.

    Raises:
        ValueError: the segments do not add up to the batch.
    """
    counts = [segment.sequences for segment in segments]
    if sum(counts) != len(batch.packed.cu_seqlens) - 1:
        raise ValueError(f"segments of {counts} sequences do not add up to the batch")
    # Where all pool [CLS], the last layer computes these rows alone.
    together: Pooling = "cls" if all(s.pooling == "cls" for s in segments) else "mean"
    encoder = _with_updates(batch.encoder, segments, batch.packed)
    mixed = replace(batch, encoder=encoder, pooling=together)
    states, _ = run_layers(mixed, keep_states=False)
    pooled = pool(states, mixed)
    if together == "mean":
        first = states[batch.packed.cu_seqlens[:-1]].float()
        choices = {"mean": pooled.split(counts), "cls": first.split(counts)}
        return [choices[segment.pooling][place] for place, segment in enumerate(segments)]
    return list(pooled.split(counts))


def _with_updates(encoder: Encoder, segments: Sequence[Segment], packed: Packed) -> Encoder:
    ends = torch.tensor([0, *(s.sequences for s in segments)]).cumsum(0).tolist()
    sequences = tuple(slice(*pair) for pair in pairwise(ends))
    tokens = tuple(slice(*pair) for pair in pairwise(packed.cu_seqlens[ends].tolist()))
    rows = len(packed.input_ids)
    layers = []
    for number, layer in enumerate(encoder.layers):
        columns = {
            field.name: tuple(getattr(s.updates[number], field.name) for s in segments)
            for field in fields(LayerUpdates)
        }
        slices = {
            name: LoraSlices(loras, tokens, sequences, rows) if set(loras) != {None} else None
            for name, loras in columns.items()
        }
        layers.append(_layer_with(layer, slices))
    return replace(encoder, layers=tuple(layers))


def _layer_with(layer: Layer, slices: dict[str, LoraSlices | None]) -> Layer:
    return replace(
        layer,
        query=slices["query"],
        key=slices["key"],
        value=slices["value"],
        output=replace(layer.output, lora=slices["output"]),
        up=replace(layer.up, lora=slices["up"]),
        down=replace(layer.down, lora=slices["down"]),
    )
