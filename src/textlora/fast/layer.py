"""One transformer layer, forward and backward, on packed rows.

All rows are [tokens, features]; `rows`, where given, picks the rows whose
output is wanted (the [CLS] rows of the last layer): query, output and
feed-forward are then computed for these alone.

Frozen matrix products with their LoRA update, forward and backward.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from textlora.fast.elementwise import LoraState, Masks, NormState
from textlora.fast.kernels import Kernels
from textlora.fast.weights import Layer, Linear, Lora, LoraSlices, Update

Gradients = dict[int, Tensor]
"""Gradients of trained tensors, by `id`."""


def linear_forward(
    x: Tensor, linear: Linear, masks: Masks | None, kernels: Kernels
) -> tuple[Tensor, LoraState | None]:
    """Return x W^T + b with the update.

    Args:
        x: [tokens, in_features].
        linear: the layer.
        masks: where dropout comes from; None outside training.
        kernels: what runs beside the product.
    """
    y = linear.product(x)
    return y, lora_forward(x, linear.lora, y, masks, kernels)


def lora_forward(
    x: Tensor, lora: Update | None, y: Tensor, masks: Masks | None, kernels: Kernels
) -> LoraState | None:
    """Add the update, if there is one, to y [tokens, out_features], in place."""
    if lora is None:
        return None
    if isinstance(lora, LoraSlices):
        kernels.updates.forward_slices(x, lora.parts(len(x)), y)
        return None
    drop = kernels.elementwise.draw(masks, x, lora.dropout)
    return kernels.updates.forward(x, lora, y, drop)


def linear_backward(
    grad: Tensor, linear: Linear, state: LoraState | None, gradients: Gradients, kernels: Kernels
) -> Tensor:
    """Collect the update's gradients and return the gradient of the input.

    Args:
        grad: [tokens, out_features].
        linear: the layer.
        state: what the forward left.
        gradients: where the gradients of A and B go, in fp32.
        kernels: what ran beside the product.
    """
    grad_x = linear.product.backward(grad)
    lora_backward(grad, linear.lora, state, gradients, grad_x, kernels)
    return grad_x


def lora_backward(
    grad: Tensor,
    lora: Update | None,
    state: LoraState | None,
    gradients: Gradients,
    grad_x: Tensor | None,
    kernels: Kernels,
) -> None:
    """Collect the gradients of A and B, and add the update's share to grad_x in place."""
    if not isinstance(lora, Lora) or state is None:
        return
    grad_a, grad_b = kernels.updates.backward(grad, lora, state, grad_x)
    gradients[id(lora.a)], gradients[id(lora.b)] = grad_a, grad_b


@dataclass(frozen=True)
class LayerState:
    """What a layer's backward needs."""

    rows: Tensor | None
    total: int
    loras: tuple[LoraState | None, LoraState | None, LoraState | None]
    attention: Any
    output_lora: LoraState | None
    attention_norm: NormState
    up_lora: LoraState | None
    before_gelu: Tensor
    down_lora: LoraState | None
    output_norm: NormState


def layer_forward(
    x: Tensor,
    layer: Layer,
    *,
    num_heads: int,
    lengths: list[int],
    rows: Tensor | None,
    kernels: Kernels,
    masks: Masks | None,
    keep_state: bool,
) -> tuple[Tensor, LayerState | None]:
    """Run a layer.

    Args:
        x: [tokens, hidden].
        layer: its weights.
        num_heads: of the attention.
        lengths: tokens of each sequence.
        rows: the first row of each sequence where only these are wanted, else None.
        kernels: what runs between the products.
        masks: where dropout comes from; None outside training.
        keep_state: whether `layer_backward` will be called.

    Returns:
        [tokens or len(rows), hidden], and the state.
    """
    size = x.shape[1]
    elementwise = kernels.elementwise
    wanted = x if rows is None else x[rows]
    query, key, value = _project(x, wanted, layer, size)
    loras = (
        lora_forward(wanted, layer.query, query, masks, kernels),
        lora_forward(x, layer.key, key, masks, kernels),
        lora_forward(x, layer.value, value, masks, kernels),
    )
    context, attention_state = kernels.attention.forward(
        _heads(query, num_heads),
        _heads(key, num_heads),
        _heads(value, num_heads),
        lengths,
        lengths if rows is None else [1] * len(lengths),
        layer.attention_dropout,
        masks,
        keep_state,
    )
    context = context.view(len(wanted), size)
    output, output_lora = linear_forward(context, layer.output, masks, kernels)
    drop = elementwise.draw(masks, output, layer.output_dropout)
    hidden, attention_norm = elementwise.add_norm(output, drop, wanted, layer.attention_norm)
    if not keep_state and layer.up.lora is None:
        before_gelu, up_lora, activated = None, None, layer.up.product.gelu(hidden)
    else:
        before_gelu, up_lora = linear_forward(hidden, layer.up, masks, kernels)
        activated = elementwise.gelu(before_gelu)
    down, down_lora = linear_forward(activated, layer.down, masks, kernels)
    drop = elementwise.draw(masks, down, layer.hidden_dropout)
    y, output_norm = elementwise.add_norm(down, drop, hidden, layer.output_norm)
    if not keep_state or before_gelu is None:
        return y, None
    return y, LayerState(
        rows=rows,
        total=len(x),
        loras=loras,
        attention=attention_state,
        output_lora=output_lora,
        attention_norm=attention_norm,
        up_lora=up_lora,
        before_gelu=before_gelu,
        down_lora=down_lora,
        output_norm=output_norm,
    )


def layer_backward(
    grad: Tensor,
    layer: Layer,
    state: LayerState,
    *,
    num_heads: int,
    kernels: Kernels,
    gradients: Gradients,
    need_input: bool,
) -> Tensor | None:
    """Collect the updates' gradients and return the input's.

    Args:
        grad: [tokens or len(rows), hidden].
        layer: its weights.
        state: what the forward left.
        num_heads: of the attention.
        kernels: what ran forward.
        gradients: where the updates' gradients go.
        need_input: whether the input's gradient [tokens, hidden] is wanted.
    """
    elementwise = kernels.elementwise
    grad, down = elementwise.add_norm_backward(grad, None, layer.output_norm, state.output_norm)
    activated = linear_backward(down, layer.down, state.down_lora, gradients, kernels)
    before = elementwise.gelu_backward(activated, state.before_gelu)
    hidden = linear_backward(before, layer.up, state.up_lora, gradients, kernels)
    grad, output = elementwise.add_norm_backward(
        hidden, grad, layer.attention_norm, state.attention_norm
    )
    context = linear_backward(output, layer.output, state.output_lora, gradients, kernels)
    return _attention_backward(
        context, grad, layer, state, num_heads, kernels, gradients, need_input
    )


def _project(x: Tensor, wanted: Tensor, layer: Layer, size: int) -> tuple[Tensor, Tensor, Tensor]:
    if wanted is x:
        query, key, value = layer.qkv(x).split(size, dim=1)
        return query, key, value
    key, value = layer.qkv.part(size, 3 * size)(x).split(size, dim=1)
    return layer.qkv.part(0, size)(wanted), key, value


def _attention_backward(
    context: Tensor,
    residual: Tensor,
    layer: Layer,
    state: LayerState,
    num_heads: int,
    kernels: Kernels,
    gradients: Gradients,
    need_input: bool,
) -> Tensor | None:
    size = context.shape[1]
    pruned = state.rows is not None
    if pruned:
        query = context.new_empty(context.shape)
        key_value = context.new_empty(state.total, 2 * size)
        key, value = key_value.split(size, dim=1)
    else:
        together = context.new_empty(state.total, 3 * size)
        query, key, value = together.split(size, dim=1)
    kernels.attention.backward(
        _heads(context, num_heads),
        state.attention,
        (
            _heads(query, num_heads),
            _heads(key, num_heads) if need_input or layer.key else None,
            _heads(value, num_heads) if need_input or layer.value else None,
        ),
    )
    grad_x = grad_rows = None
    if need_input and pruned:
        grad_x = layer.qkv.part(size, 3 * size).backward(key_value)
        grad_rows = layer.qkv.part(0, size).backward(query).add_(residual)
    elif need_input:
        grad_x = layer.qkv.backward(together).add_(residual)
        grad_rows = grad_x
    parts = (
        (query, layer.query, grad_rows),
        (key, layer.key, grad_x),
        (value, layer.value, grad_x),
    )
    for (part, lora, target), lora_state in zip(parts, state.loras, strict=True):
        lora_backward(part, lora, lora_state, gradients, target, kernels)
    if grad_x is not None and grad_rows is not None and state.rows is not None:
        grad_x.index_add_(0, state.rows, grad_rows)
    return grad_x


def _heads(values: Tensor, num_heads: int) -> Tensor:
    return values.view(len(values), num_heads, -1)
