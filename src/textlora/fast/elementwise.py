"""What lies between the matrix products: dropout, residual sum with LayerNorm, GELU, LoRA updates.

One signature each, two implementations: torch's operations here, kernels in C in
`native.elementwise`. `torch.bernoulli_` draws one by one on a CPU; the masks here make four
decisions of 16 bits each out of 64 random bits, so a rate is kept to 1/65536.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from textlora.fast.weights import Lora, Norm

_LEVELS = 1 << 16


class Masks:
    """A source of masks, seeded once a step from torch's generator."""

    def __init__(self) -> None:
        # Through torch's generator, so that a seed and a resumed checkpoint decide on the masks.
        self._bits = np.random.SFC64(int(torch.randint(1 << 62, (1,))))

    def seed(self) -> int:
        """Return 64 random bits, for kernels that draw their own masks."""
        return int(self._bits.random_raw())

    def keep(self, shape: tuple[int, ...], rate: float) -> Tensor:
        """Return a bool mask, False with probability `rate`.

        Args:
            shape: of the mask.
            rate: 0 to 1.
        """
        threshold = round(rate * _LEVELS) - _LEVELS // 2
        count = int(np.prod(shape))
        raw = self._bits.random_raw(-(-count // 4)).view(np.int16)[:count]
        return torch.from_numpy(raw).view(shape) >= threshold


def drop(values: Tensor, keep: Tensor | None, rate: float) -> Tensor:
    """Return values with what is not kept set to 0 and the rest scaled by 1 / (1 - rate)."""
    if keep is None:
        return values
    return (values * keep).mul_(1.0 / (1.0 - rate))


@dataclass(frozen=True)
class Drop:
    """Which numbers of a tensor are dropped: a mask, or the seed that a kernel makes it from.

    Args:
        rate: share of the numbers.
        keep: bool, in the tensor's shape.
        seed: 64 bits.
    """

    rate: float
    keep: Tensor | None = None
    seed: int = 0


@dataclass(frozen=True)
class NormState:
    """What the backward of a sum and its LayerNorm needs.

    Args:
        summed: the norm's input [rows, hidden].
        mean: of each row, fp32.
        rstd: one over each row's standard deviation, fp32.
        drop: what was dropped before the sum.
    """

    summed: Tensor
    mean: Tensor
    rstd: Tensor
    drop: Drop | None


class Elementwise(Protocol):
    """The operations, forward and backward; all tensors contiguous [rows, features]."""

    def draw(self, masks: Masks | None, values: Tensor, rate: float) -> Drop | None:
        """Decide what is dropped of `values`; None outside training or at a rate of 0."""
        ...

    def drop(self, values: Tensor, drop: Drop | None) -> Tensor:
        """Return the values with the dropped set to 0 and the rest over 1 - rate."""
        ...

    def add_norm(
        self, x: Tensor, drop: Drop | None, residual: Tensor, norm: Norm
    ) -> tuple[Tensor, NormState]:
        """Return LayerNorm(dropout(x) + residual) and the state; x is used up."""
        ...

    def add_norm_backward(
        self, grad: Tensor, more: Tensor | None, norm: Norm, state: NormState
    ) -> tuple[Tensor, Tensor]:
        """Return the gradients of residual and x, for the sum of one or two gradients."""
        ...

    def gelu(self, x: Tensor) -> Tensor:
        """Return the exact GELU, by the error function."""
        ...

    def gelu_backward(self, grad: Tensor, x: Tensor) -> Tensor:
        """Return the gradient of the GELU's input x; grad is used up."""
        ...


class TorchElementwise:
    """The operations by torch, in any type on any device."""

    def draw(self, masks: Masks | None, values: Tensor, rate: float) -> Drop | None:
        """Draw a mask; see `Elementwise.draw`."""
        if masks is None or not rate:
            return None
        return Drop(rate, keep=masks.keep(tuple(values.shape), rate))

    def drop(self, values: Tensor, drop: Drop | None) -> Tensor:
        """Apply a mask; see `Elementwise.drop`."""
        return values if drop is None else _dropped(values, drop)

    def add_norm(
        self, x: Tensor, drop: Drop | None, residual: Tensor, norm: Norm
    ) -> tuple[Tensor, NormState]:
        """Drop, add and normalise; see `Elementwise.add_norm`."""
        summed = self.drop(x, drop).add_(residual)
        y, mean, rstd = torch.native_layer_norm(
            summed, [x.shape[1]], norm.weight, norm.bias, norm.eps
        )
        return y, NormState(summed, mean, rstd, drop)

    def add_norm_backward(
        self, grad: Tensor, more: Tensor | None, norm: Norm, state: NormState
    ) -> tuple[Tensor, Tensor]:
        """Go back through norm and dropout; see `Elementwise.add_norm_backward`."""
        residual = torch.ops.aten.native_layer_norm_backward(
            grad if more is None else grad + more,
            state.summed,
            [grad.shape[1]],
            state.mean,
            state.rstd,
            norm.weight,
            norm.bias,
            [True, False, False],
        )[0]
        return residual, self.drop(residual, state.drop)

    def gelu(self, x: Tensor) -> Tensor:
        """Return the exact GELU."""
        return functional.gelu(x)

    def gelu_backward(self, grad: Tensor, x: Tensor) -> Tensor:
        """Return the gradient of the GELU's input."""
        return torch.ops.aten.gelu_backward(grad, x)  # type: ignore[no-any-return]


def _dropped(values: Tensor, decided: Drop) -> Tensor:
    return drop(values, decided.keep, decided.rate)


@dataclass(frozen=True)
class LoraState:
    """What the backward of an update needs.

    Args:
        inputs: [tokens, in_features]; `TorchUpdates` keeps them after dropout.
        projected: [tokens, r], the inputs after dropout times A^T.
        drop: what was dropped, if anything.
    """

    inputs: Tensor
    projected: Tensor
    drop: Drop | None


class Updates(Protocol):
    """y += scale * dropout(x) A^T B^T, and its gradients."""

    def forward(self, x: Tensor, lora: Lora, y: Tensor, drop: Drop | None) -> LoraState:
        """Add the update to y, in place.

        Args:
            x: [tokens, in_features].
            lora: the update.
            y: [tokens, out_features], which may be columns of a wider tensor.
            drop: what is dropped of x.
        """
        ...

    def forward_slices(self, x: Tensor, parts: Iterable[tuple[slice, Lora]], y: Tensor) -> None:
        """Add to y the updates of several adapters, in place, without dropout.

        Args:
            x: [tokens, in_features].
            parts: rows of x and y, rising, each with the update that is theirs.
            y: [tokens, out_features], which may be columns of a wider tensor.
        """
        ...

    def backward(
        self, grad: Tensor, lora: Lora, state: LoraState, grad_x: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Return the gradients of A and B, in fp32, and add the input's to grad_x.

        Args:
            grad: [tokens, out_features], which may be columns of a wider tensor.
            lora: the update.
            state: what the forward left.
            grad_x: [tokens, in_features]; None where it is not wanted.
        """
        ...


class TorchUpdates:
    """The updates by torch, in any type on any device.

    Args:
        elementwise: what applies the dropout.
    """

    def __init__(self, elementwise: Elementwise) -> None:
        self._elementwise = elementwise

    def forward(self, x: Tensor, lora: Lora, y: Tensor, drop: Drop | None) -> LoraState:
        """Add the update; see `Updates.forward`."""
        x = self._elementwise.drop(x, drop)
        projected = x @ lora.a.to(x.dtype).t()
        y.addmm_(projected, lora.b.to(x.dtype).t(), alpha=lora.scale)
        return LoraState(x, projected, drop)

    def forward_slices(self, x: Tensor, parts: Iterable[tuple[slice, Lora]], y: Tensor) -> None:
        """Add the updates; see `Updates.forward_slices`."""
        for rows, lora in parts:
            self.forward(x[rows], lora, y[rows], None)

    def backward(
        self, grad: Tensor, lora: Lora, state: LoraState, grad_x: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Return the gradients of A and B; see `Updates.backward`."""
        grad_projected = (grad @ lora.b.to(grad.dtype)).mul_(lora.scale)
        if grad_x is not None:
            through = grad_projected @ lora.a.to(grad.dtype)
            grad_x.add_(self._elementwise.drop(through, state.drop))
        grad_b = (grad.t() @ state.projected).float().mul_(lora.scale)
        return (grad_projected.t() @ state.inputs).float(), grad_b
