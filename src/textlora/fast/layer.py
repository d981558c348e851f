"""One transformer layer, forward and backward, on packed rows.

All rows are [tokens, features]; `rows`, where given, picks the rows whose
output is wanted (the [CLS] rows of the last layer): query, output and
feed-forward are then computed for these alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from textlora.fast.attention import Attention
from textlora.fast.dropout import Masks, drop
from textlora.fast.linear import (
    Gradients,
    LoraState,
    linear_backward,
    linear_forward,
    lora_backward,
    lora_forward,
)
from textlora.fast.weights import Layer, Lora, Norm


@dataclass(frozen=True)
class NormState:
    """A LayerNorm's input and statistics."""

    inputs: Tensor
    mean: Tensor
    rstd: Tensor


@dataclass(frozen=True)
class LayerState:
    """What a layer's backward needs."""

    rows: Tensor | None
    total: int
    loras: tuple[LoraState | None, LoraState | None, LoraState | None]
    attention: Any
    output_lora: LoraState | None
    output_keep: Tensor | None
    attention_norm: NormState
    up_lora: LoraState | None
    before_gelu: Tensor
    down_lora: LoraState | None
    hidden_keep: Tensor | None
    output_norm: NormState


def layer_forward(
    x: Tensor,
    layer: Layer,
    *,
    num_heads: int,
    lengths: list[int],
    rows: Tensor | None,
    attention: Attention,
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
        attention: the backend.
        masks: where dropout comes from; None outside training.
        keep_state: whether `layer_backward` will be called.

    Returns:
        [tokens or len(rows), hidden], and the state.
    """
    size = x.shape[1]
    wanted = x if rows is None else x[rows]
    query, key, value = _project(x, wanted, layer, size)
    loras = (
        _add_lora(wanted, layer.query, query, masks),
        _add_lora(x, layer.key, key, masks),
        _add_lora(x, layer.value, value, masks),
    )
    context, attention_state = attention.forward(
        _heads(query, num_heads),
        _heads(key, num_heads),
        _heads(value, num_heads),
        lengths,
        lengths if rows is None else [1] * len(lengths),
        layer.attention_dropout,
        masks,
        keep_state,
    )
    output, output_lora = linear_forward(context.view(len(wanted), size), layer.output, masks)
    output_keep = _mask(masks, output, layer.output_dropout)
    summed = drop(output, output_keep, layer.output_dropout).add_(wanted)
    hidden, attention_norm = _norm_forward(summed, layer.attention_norm)
    before_gelu, up_lora = linear_forward(hidden, layer.up, masks)
    down, down_lora = linear_forward(functional.gelu(before_gelu), layer.down, masks)
    hidden_keep = _mask(masks, down, layer.hidden_dropout)
    summed = drop(down, hidden_keep, layer.hidden_dropout).add_(hidden)
    y, output_norm = _norm_forward(summed, layer.output_norm)
    if not keep_state:
        return y, None
    return y, LayerState(
        rows=rows,
        total=len(x),
        loras=loras,
        attention=attention_state,
        output_lora=output_lora,
        output_keep=output_keep,
        attention_norm=attention_norm,
        up_lora=up_lora,
        before_gelu=before_gelu,
        down_lora=down_lora,
        hidden_keep=hidden_keep,
        output_norm=output_norm,
    )


def layer_backward(
    grad: Tensor,
    layer: Layer,
    state: LayerState,
    *,
    num_heads: int,
    attention: Attention,
    gradients: Gradients,
    need_input: bool,
) -> Tensor | None:
    """Collect the updates' gradients and return the input's.

    Args:
        grad: [tokens or len(rows), hidden].
        layer: its weights.
        state: what the forward left.
        num_heads: of the attention.
        attention: the backend that ran forward.
        gradients: where the updates' gradients go.
        need_input: whether the input's gradient [tokens, hidden] is wanted.
    """
    grad = _norm_backward(grad, layer.output_norm, state.output_norm)
    down = drop(grad, state.hidden_keep, layer.hidden_dropout)
    activated = linear_backward(down, layer.down, state.down_lora, gradients)
    before = torch.ops.aten.gelu_backward(activated, state.before_gelu)
    hidden = linear_backward(before, layer.up, state.up_lora, gradients)
    grad = _norm_backward(hidden.add_(grad), layer.attention_norm, state.attention_norm)
    output = drop(grad, state.output_keep, layer.output_dropout)
    context = linear_backward(output, layer.output, state.output_lora, gradients)
    return _attention_backward(
        context, grad, layer, state, num_heads, attention, gradients, need_input
    )


def _project(x: Tensor, wanted: Tensor, layer: Layer, size: int) -> tuple[Tensor, Tensor, Tensor]:
    weight, bias = layer.qkv.weight, layer.qkv.bias
    if wanted is x:
        query, key, value = functional.linear(x, weight, bias).split(size, dim=1)
        return query, key, value
    key, value = functional.linear(x, weight[size:], bias[size:]).split(size, dim=1)
    return functional.linear(wanted, weight[:size], bias[:size]), key, value


def _attention_backward(
    context: Tensor,
    residual: Tensor,
    layer: Layer,
    state: LayerState,
    num_heads: int,
    attention: Attention,
    gradients: Gradients,
    need_input: bool,
) -> Tensor | None:
    size = context.shape[1]
    weight = layer.qkv.weight
    pruned = state.rows is not None
    if pruned:
        query = context.new_empty(context.shape)
        key_value = context.new_empty(state.total, 2 * size)
        key, value = key_value.split(size, dim=1)
    else:
        together = context.new_empty(state.total, 3 * size)
        query, key, value = together.split(size, dim=1)
    attention.backward(
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
        grad_x = key_value @ weight[size:]
        grad_rows = (query @ weight[:size]).add_(residual)
    elif need_input:
        grad_x = (together @ weight).add_(residual)
        grad_rows = grad_x
    parts = (
        (query, layer.query, grad_rows),
        (key, layer.key, grad_x),
        (value, layer.value, grad_x),
    )
    for (part, lora, target), lora_state in zip(parts, state.loras, strict=True):
        if lora is not None and lora_state is not None:
            lora_backward(part, lora, lora_state, gradients, target)
    if grad_x is not None and grad_rows is not None and state.rows is not None:
        grad_x.index_add_(0, state.rows, grad_rows)
    return grad_x


def _add_lora(x: Tensor, lora: Lora | None, y: Tensor, masks: Masks | None) -> LoraState | None:
    return None if lora is None else lora_forward(x, lora, y, masks)


def _heads(values: Tensor, num_heads: int) -> Tensor:
    return values.view(len(values), num_heads, -1)


def _mask(masks: Masks | None, values: Tensor, rate: float) -> Tensor | None:
    return masks.keep(tuple(values.shape), rate) if masks is not None and rate else None


def _norm_forward(x: Tensor, norm: Norm) -> tuple[Tensor, NormState]:
    y, mean, rstd = torch.native_layer_norm(x, [x.shape[1]], norm.weight, norm.bias, norm.eps)
    return y, NormState(x, mean, rstd)


def _norm_backward(grad: Tensor, norm: Norm, state: NormState) -> Tensor:
    return torch.ops.aten.native_layer_norm_backward(  # type: ignore[no-any-return]
        grad,
        state.inputs,
        [grad.shape[1]],
        state.mean,
        state.rstd,
        norm.weight,
        norm.bias,
        [True, False, False],
    )[0]
