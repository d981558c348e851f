"""All layers of a packed batch as one autograd function; and several adapters in one batch.

Below the lowest adapter nothing is kept for the backward, and the backward ends there. Where a
batch has several adapters (for inference), the sequences of one lie side by side. The frozen
products run once over all rows, and each adapter's updates over its own: the idea of S-LoRA
(https://arxiv.org/abs/2311.03285) and Punica (https://arxiv.org/abs/2310.18547), on packed rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional

from textlora.fast.elementwise import Masks
from textlora.fast.kernels import Kernels
from textlora.fast.layer import Gradients, LayerState, layer_backward, layer_forward
from textlora.fast.packing import Packed
from textlora.fast.weights import Encoder, Layer, Lora, LoraSlices

Pooling = Literal["cls", "mean"]


@dataclass(frozen=True)
class Batch:
    """What one run of the encoder needs beside its trained tensors.

    Args:
        encoder: the weights.
        packed: the sequences.
        pooling: "cls" or "mean".
        kernels: what runs between the products.
        training: whether dropout is on.
        states: hidden states [tokens, hidden] that enter layer `first_layer`, in place of
            the embeddings.
        first_layer: where `states` enter.
    """

    encoder: Encoder
    packed: Packed
    pooling: Pooling
    kernels: Kernels
    training: bool
    states: Tensor | None = None
    first_layer: int = 0


def encode(batch: Batch) -> Tensor:
    """Return the pooled states [sequences, hidden] in fp32, differentiable by the updates."""
    parameters = batch.encoder.parameters()
    if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in parameters):
        pooled: Tensor = _Encode.apply(batch, *parameters)  # type: ignore[no-untyped-call]
        return pooled
    return pool(run_layers(batch, keep_states=False)[0], batch)


def run_layers(
    batch: Batch, *, keep_states: bool, stop: int | None = None
) -> tuple[Tensor, list[LayerState | None]]:
    """Run the layers up to `stop`.

    Args:
        batch: what to run.
        keep_states: whether a backward will follow.
        stop: number of the first layer not to run; None: all run, and with [CLS] pooling
            the last gives the [CLS] rows alone.

    Returns:
        The last hidden states, and a state a layer (None below the lowest adapter).
    """
    encoder = batch.encoder
    masks = Masks() if batch.training else None
    x = batch.states
    if x is None:
        x = embed(batch, masks)
    lengths = batch.packed.lengths
    last = len(encoder.layers) - 1
    states: list[LayerState | None] = [None] * batch.first_layer
    for number in range(batch.first_layer, len(encoder.layers) if stop is None else stop):
        pruned = number == last and batch.pooling == "cls"
        x, state = layer_forward(
            x,
            encoder.layers[number],
            num_heads=encoder.num_heads,
            lengths=lengths,
            rows=batch.packed.cu_seqlens[:-1] if pruned else None,
            kernels=batch.kernels,
            masks=masks,
            keep_state=keep_states and number >= encoder.lowest_adapter,
        )
        states.append(state)
    return x, states


def embed(batch: Batch, masks: Masks | None) -> Tensor:
    """Return the embedded tokens [tokens, hidden]."""
    embeddings, packed = batch.encoder.embeddings, batch.packed
    x = functional.embedding(packed.input_ids, embeddings.words)
    x = x + functional.embedding(packed.position_ids, embeddings.positions)
    if embeddings.token_type is not None:
        x = x + embeddings.token_type
    norm = embeddings.norm
    x = functional.layer_norm(x, [x.shape[1]], norm.weight, norm.bias, norm.eps)
    x = x.to(batch.encoder.dtype)
    elementwise = batch.kernels.elementwise
    x = elementwise.drop(x, elementwise.draw(masks, x, embeddings.dropout))
    return x if embeddings.projection is None else embeddings.projection(x)


class _Encode(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, batch: Batch, *parameters: Tensor) -> Tensor:
        x, ctx.states = run_layers(batch, keep_states=True)
        ctx.batch = batch
        ctx.hidden_type = x.dtype
        return pool(x, batch)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        with torch.autocast(grads[0].device.type, enabled=False):
            return _Encode._backward(ctx, *grads)

    @staticmethod
    def _backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        batch: Batch = ctx.batch
        encoder = batch.encoder
        gradients: Gradients = {}
        grad: Tensor | None = _pool_backward(grads[0], batch).to(ctx.hidden_type)
        lowest = max(encoder.lowest_adapter, batch.first_layer)
        for number in range(len(encoder.layers) - 1, lowest - 1, -1):
            assert grad is not None  # noqa: S101
            grad = layer_backward(
                grad,
                encoder.layers[number],
                ctx.states[number],
                num_heads=encoder.num_heads,
                kernels=batch.kernels,
                gradients=gradients,
                need_input=number > lowest,
            )
            ctx.states[number] = None
        return None, *(gradients.get(id(tensor)) for tensor in encoder.parameters())


def pool(x: Tensor, batch: Batch) -> Tensor:
    """Return the pooled states [sequences, hidden] in fp32 of what `run_layers` gave."""
    if batch.pooling == "cls":
        return x.float()
    starts = batch.packed.cu_seqlens
    tokens = x[: int(starts[-1])].float()
    return torch.segment_reduce(tokens, "sum", offsets=starts, axis=0) / starts.diff().unsqueeze(1)


def _pool_backward(grad: Tensor, batch: Batch) -> Tensor:
    if batch.pooling == "cls":
        return grad
    lengths = batch.packed.cu_seqlens.diff()
    spread = (grad / lengths.unsqueeze(1)).repeat_interleave(lengths, dim=0)
    filler = len(batch.packed.input_ids) - len(spread)
    return functional.pad(spread, (0, 0, 0, filler))


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
