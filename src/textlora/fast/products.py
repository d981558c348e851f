"""Frozen matrix products, with the weight laid out once for the processor."""

from __future__ import annotations

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
        self._packs = dtype == torch.bfloat16 and weight.device.type == "cpu" and _can_pack()
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
