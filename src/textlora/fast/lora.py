"""The low-rank updates beside the frozen products, forward and backward.

One signature, two implementations: torch's operations here, kernels in C in `native.lora`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from textlora.fast.elementwise import Drop, Elementwise
from textlora.fast.weights import Lora


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
