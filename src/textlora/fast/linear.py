"""Frozen matrix products with their LoRA update, forward and backward."""

from __future__ import annotations

from torch import Tensor

from textlora.fast.dropout import Masks
from textlora.fast.kernels import Kernels
from textlora.fast.lora import LoraState
from textlora.fast.weights import Linear, Lora, LoraSlices, Update

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
