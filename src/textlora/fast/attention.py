"""Attention within each of several packed sequences: one signature, here and for the kernels in C.

Every backend is a pair: `forward` returns the context and what `backward`
needs; `backward` returns the gradients of query, key and value.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from textlora.fast.elementwise import Masks
from textlora.fast.packing import clear_filler


class Attention(Protocol):
    """Self-attention of packed sequences."""

    name: str

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        lengths: list[int],
        query_lengths: list[int],
        dropout: float,
        masks: Masks | None,
        keep_state: bool,
    ) -> tuple[Tensor, Any]:
        """Attend within each sequence.

        Args:
            query: [query rows, heads, head size]; rows beyond the lengths belong to no sequence.
            key: [rows, heads, head size], as is `value`.
            value: what is averaged.
            lengths: tokens of each sequence.
            query_lengths: queries of each sequence: as many, or 1 for its [CLS] row alone.
            dropout: on the attention weights.
            masks: where dropout comes from; None outside training.
            keep_state: whether `backward` will be called.

        Returns:
            Context [query rows, heads, head size], 0 beyond the lengths, and the state.
        """
        ...

    def backward(
        self, grad: Tensor, state: Any, into: tuple[Tensor, Tensor | None, Tensor | None]
    ) -> None:
        """Write the gradients of query, key and value for a context's gradient.

        Args:
            grad: [query tokens, heads, head size].
            state: what `forward` returned.
            into: where the gradients go, 0 beyond the lengths; None where one is not wanted.
        """
        ...


@dataclass(frozen=True)
class _SequenceState:
    query: Tensor
    key: Tensor
    value: Tensor
    weights: Tensor
    keep: Tensor | None


@dataclass(frozen=True)
class _BatchedState:
    sequences: list[_SequenceState]
    dropout: float


class BatchedProducts:
    """One batched product a sequence, over its heads; the weights are kept for the backward.

    On CPUs `torch.nn.functional.scaled_dot_product_attention` computes bf16 at a
    quarter of this rate, and its backward at less.
    """

    def __init__(self, why: str = "") -> None:
        self.name = "batched products" + (f" ({why})" if why else "")

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        lengths: list[int],
        query_lengths: list[int],
        dropout: float,
        masks: Masks | None,
        keep_state: bool,
    ) -> tuple[Tensor, Any]:
        """Attend within each sequence; see `Attention.forward`."""
        context = torch.empty(query.shape, dtype=query.dtype, device=query.device)
        context[sum(query_lengths) :] = 0
        scale = 1.0 / math.sqrt(query.shape[-1])
        states = []
        start = query_start = 0
        for length, query_length in zip(lengths, query_lengths, strict=True):
            rows = slice(start, start + length)
            query_rows = slice(query_start, query_start + query_length)
            # The scale goes into the smallest of the tensors.
            q = query[query_rows].transpose(0, 1) * scale
            k = key[rows].transpose(0, 1)
            v = value[rows].transpose(0, 1)
            weights = torch.bmm(q, k.transpose(1, 2)).softmax(dim=-1)
            keep = None
            used = weights
            if masks is not None and dropout:
                keep = masks.keep(tuple(weights.shape), dropout)
                used = (weights * keep).mul_(1.0 / (1.0 - dropout))
            context[query_rows] = torch.bmm(used, v).transpose(0, 1)
            if keep_state:
                states.append(_SequenceState(q, k, v, weights, keep))
            start += length
            query_start += query_length
        return context, _BatchedState(states, dropout)

    def backward(
        self, grad: Tensor, state: Any, into: tuple[Tensor, Tensor | None, Tensor | None]
    ) -> None:
        """Write the gradients of query, key and value; see `Attention.backward`."""
        grad_query, grad_key, grad_value = into
        scale = 1.0 / math.sqrt(grad.shape[-1])
        start = query_start = 0
        for sequence in state.sequences:
            rows = slice(start, start + sequence.key.shape[1])
            query_rows = slice(query_start, query_start + sequence.query.shape[1])
            start, query_start = rows.stop, query_rows.stop
            g = grad[query_rows].transpose(0, 1)
            grad_weights = torch.bmm(g, sequence.value.transpose(1, 2))
            used = sequence.weights
            if sequence.keep is not None:
                rescale = 1.0 / (1.0 - state.dropout)
                used = (used * sequence.keep).mul_(rescale)
                grad_weights = (grad_weights * sequence.keep).mul_(rescale)
            if grad_value is not None:
                grad_value[rows] = torch.bmm(used.transpose(1, 2), g).transpose(0, 1)
            scores = torch._softmax_backward_data(
                grad_weights, sequence.weights, -1, sequence.weights.dtype
            )
            if grad_key is not None:
                grad_key[rows] = torch.bmm(scores.transpose(1, 2), sequence.query).transpose(0, 1)
            grad_query[query_rows] = torch.bmm(scores, sequence.key).mul_(scale).transpose(0, 1)
        clear_filler(into, start, query_start)
