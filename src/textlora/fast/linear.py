"""Frozen matrix products with their LoRA update, forward and backward."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from textlora.fast.dropout import Masks
from textlora.fast.elementwise import Drop, Elementwise
from textlora.fast.weights import Linear, Lora

Gradients = dict[int, Tensor]
"""Gradients of trained tensors, by `id`."""


@dataclass(frozen=True)
class LoraState:
    """What the backward of an update needs.

    Args:
        inputs: [tokens, in_features] after dropout.
        projected: [tokens, r], the inputs times A^T.
        drop: what was dropped, if anything.
    """

    inputs: Tensor
    projected: Tensor
    drop: Drop | None


def linear_forward(
    x: Tensor, linear: Linear, masks: Masks | None, elementwise: Elementwise
) -> tuple[Tensor, LoraState | None]:
    """Return x W^T + b with the update.

    Args:
        x: [tokens, in_features].
        linear: the layer.
        masks: where dropout comes from; None outside training.
        elementwise: what applies it.
    """
    y = linear.product(x)
    if linear.lora is None:
        return y, None
    return y, lora_forward(x, linear.lora, y, masks, elementwise)


def lora_forward(
    x: Tensor, lora: Lora, y: Tensor, masks: Masks | None, elementwise: Elementwise
) -> LoraState:
    """Add the update to y [tokens, out_features], in place."""
    drop = elementwise.draw(masks, x, lora.dropout)
    x = elementwise.drop(x, drop)
    projected = x @ lora.a.to(x.dtype).t()
    y.addmm_(projected, lora.b.to(x.dtype).t(), alpha=lora.scale)
    return LoraState(x, projected, drop)


def linear_backward(
    grad: Tensor,
    linear: Linear,
    state: LoraState | None,
    gradients: Gradients,
    elementwise: Elementwise,
) -> Tensor:
    """Collect the update's gradients and return the gradient of the input.

    Args:
        grad: [tokens, out_features].
        linear: the layer.
        state: what the forward left.
        gradients: where the gradients of A and B go, in fp32.
        elementwise: what applied the dropout.
    """
    grad_x = linear.product.backward(grad)
    if linear.lora is not None and state is not None:
        lora_backward(grad, linear.lora, state, gradients, grad_x, elementwise)
    return grad_x


def lora_backward(
    grad: Tensor,
    lora: Lora,
    state: LoraState,
    gradients: Gradients,
    grad_x: Tensor | None,
    elementwise: Elementwise,
) -> None:
    """Collect the gradients of A and B, and add the update's share to grad_x in place."""
    grad_projected = (grad @ lora.b.to(grad.dtype)).mul_(lora.scale)
    gradients[id(lora.b)] = (grad.t() @ state.projected).float().mul_(lora.scale)
    gradients[id(lora.a)] = (grad_projected.t() @ state.inputs).float()
    if grad_x is None:
        return
    if state.drop is None:
        grad_x.addmm_(grad_projected, lora.a.to(grad.dtype))
    else:
        through = grad_projected @ lora.a.to(grad.dtype)
        grad_x.add_(elementwise.drop(through, state.drop))
