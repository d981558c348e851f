"""What a fast encoder is made of: tensors and frozen products; and what a machine allows."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional


class Product:
    """A frozen x W^T + b, and the way back.

    bf16 weights on a CPU are put into oneDNN's own layout, once for each direction and
    when it is first used; left as they are, oneDNN would rearrange them in every call.

    Args:
        weight: [out_features, in_features], in the type of the product.
        bias: [out_features], in the same type.
    """

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        self.dtype = dtype = weight.dtype
        self._weight = weight
        self._bias = bias
        self._packs = dtype == torch.bfloat16 and _can_pack()
        self._forward: Tensor | None = None
        self._backward: Tensor | None = None
        self._parts: dict[tuple[int, int], Product] = {}

    def __call__(self, x: Tensor) -> Tensor:
        """Return x W^T + b for x [rows, in_features]."""
        if self._forward is None:
            self._forward = self._laid_out(self._weight)
        return self._product(x, self._forward, self._bias)

    def gelu(self, x: Tensor) -> Tensor:
        """Return GELU(x W^T + b), in one pass where the processor's product can."""
        if not self._packs:
            return functional.gelu(self(x))
        if self._forward is None:
            self._forward = self._laid_out(self._weight)
        y: Tensor = torch.ops.mkldnn._linear_pointwise(
            x, self._forward, self._bias, "gelu", [], "none"
        )
        return y

    def backward(self, grad: Tensor) -> Tensor:
        """Return grad W, the gradient of x, for grad [rows, out_features]."""
        if self._backward is None:
            self._backward = self._laid_out(self._weight.t())
        return self._product(grad, self._backward, None)

    def part(self, start: int, stop: int) -> Product:
        """Return the product that gives outputs `start` to `stop` alone."""
        if (start, stop) not in self._parts:
            rows = slice(start, stop)
            self._parts[start, stop] = Product(self._weight[rows], self._bias[rows])
        return self._parts[start, stop]

    def _laid_out(self, weight: Tensor) -> Tensor:
        if not self._packs:
            return weight
        with torch.inference_mode(False):
            packed: Tensor = torch.ops.mkldnn._reorder_linear_weight(weight.contiguous())
        return packed

    def _product(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        if not self._packs:
            return functional.linear(x, weight, bias)
        y: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")
        return y


def _can_pack() -> bool:
    # Not part of torch's promised interface: where it is absent, the plain product remains.
    names = ("_reorder_linear_weight", "_linear_pointwise", "_is_mkldnn_bf16_supported")
    if not torch.backends.mkldnn.is_available():
        return False
    return all(hasattr(torch.ops.mkldnn, name) for name in names) and bool(
        torch.ops.mkldnn._is_mkldnn_bf16_supported()
    )


@functools.cache
def fast_type() -> torch.dtype:
    """Return the type in which matrix products are fastest and safe: bf16 where it is native."""
    capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    native = capabilities.get("avx512_bf16") or capabilities.get("amx_bf16")
    return torch.bfloat16 if native else torch.float32


@dataclass(frozen=True)
class Lora:
    """The update of one linear layer: y += scale * dropout(x) A^T B^T.

    Args:
        a: [r, in_features], trained.
        b: [out_features, r], trained.
        scale: alpha / r, or what rsLoRA makes of it.
        dropout: share of the inputs dropped.
    """

    a: Tensor
    b: Tensor
    scale: float
    dropout: float


@dataclass(frozen=True)
class LoraSlices:
    """The updates of several adapters, each for rows of its own; for inference alone.

    Args:
        loras: one an adapter; None for an adapter that leaves this layer as it is.
        tokens: the rows [tokens, features] of each adapter.
        sequences: those of each adapter where there is one row a sequence.
        rows: how many rows there are with a row a token, filler included.
    """

    loras: tuple[Lora | None, ...]
    tokens: tuple[slice, ...]
    sequences: tuple[slice, ...]
    rows: int
    dropout: float = 0.0

    def parts(self, rows: int) -> Iterator[tuple[slice, Lora]]:
        """Return the updates that there are, with their rows out of `rows`."""
        spans = self.tokens if rows == self.rows else self.sequences
        for span, lora in zip(spans, self.loras, strict=True):
            if lora is not None:
                yield span, lora


Update = Lora | LoraSlices


@dataclass(frozen=True)
class Linear:
    """A frozen linear layer and its update.

    Args:
        product: x W^T + b.
        lora: the update, if there is one.
    """

    product: Product
    lora: Update | None = None


@dataclass(frozen=True)
class Norm:
    """A frozen LayerNorm: weight and bias [features]."""

    weight: Tensor
    bias: Tensor
    eps: float


@dataclass(frozen=True)
class Layer:
    """One post-norm transformer layer.

    Args:
        qkv: hidden to query, key and value, 3 * hidden outputs.
        query: the query's update, if any; as key and value.
        output: hidden to hidden.
        attention_norm: after the attention's residual sum.
        up: hidden to intermediate, followed by GELU.
        down: intermediate to hidden.
        output_norm: after the feed-forward's residual sum.
        attention_dropout: on the attention weights.
        output_dropout: on the attention's output.
        hidden_dropout: on the feed-forward's output.
    """

    qkv: Product
    query: Update | None
    key: Update | None
    value: Update | None
    output: Linear
    attention_norm: Norm
    up: Linear
    down: Linear
    output_norm: Norm
    attention_dropout: float
    output_dropout: float
    hidden_dropout: float

    @property
    def loras(self) -> tuple[Lora, ...]:
        """The updates that can be trained, in the order of their use."""
        candidates = (
            self.query,
            self.key,
            self.value,
            self.output.lora,
            self.up.lora,
            self.down.lora,
        )
        return tuple(lora for lora in candidates if isinstance(lora, Lora))


@dataclass(frozen=True)
class Embeddings:
    """Token, position and token-type embeddings with their norm.

    Args:
        words: [vocabulary, size].
        positions: [positions, size], the first row being position 0 of a text.
        token_type: [size], the row of token type 0; None where there are none.
        norm: after the sum.
        dropout: after the norm.
        projection: size to hidden, where they differ (ELECTRA).
    """

    words: Tensor
    positions: Tensor
    token_type: Tensor | None
    norm: Norm
    dropout: float
    projection: Product | None = None


@dataclass(frozen=True)
class Encoder:
    """A whole encoder.

    Args:
        embeddings: the input.
        layers: bottom to top.
        num_heads: of every attention.
    """

    embeddings: Embeddings
    layers: tuple[Layer, ...]
    num_heads: int

    @property
    def dtype(self) -> torch.dtype:
        """The type of the products and of the hidden states."""
        return self.layers[0].qkv.dtype

    @property
    def lowest_adapter(self) -> int:
        """Number of the lowest layer with an update; the layer count where there is none."""
        adapted = (number for number, layer in enumerate(self.layers) if layer.loras)
        return next(adapted, len(self.layers))

    def parameters(self) -> list[Tensor]:
        """All trained tensors, in the order in which gradients are returned."""
        loras = [lora for layer in self.layers for lora in layer.loras]
        return [tensor for lora in loras for tensor in (lora.a, lora.b)]
