"""The arithmetic between the matrix products, chosen once for a device and a type."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from textlora.fast.attention import Attention, BatchedProducts, ScaledDotProduct
from textlora.fast.elementwise import Elementwise, TorchElementwise
from textlora.fast.native.attention import NativeAttention
from textlora.fast.native.build import NoKernelsError, fits
from textlora.fast.native.elementwise import NativeElementwise


@dataclass(frozen=True)
class Kernels:
    """What a layer calls beside its products.

    Args:
        attention: the attention backend.
        elementwise: dropout, LayerNorm, GELU.
    """

    attention: Attention
    elementwise: Elementwise


def kernels_for(
    device: torch.device, dtype: torch.dtype, head_size: int, build_folder: Path
) -> Kernels:
    """Return the fastest kernels for a device and type.

    Args:
        device: where the tensors are.
        dtype: of the hidden states.
        head_size: numbers in an attention head.
        build_folder: where built kernels are kept.
    """
    if device.type == "cuda":
        return Kernels(ScaledDotProduct(), TorchElementwise())
    if not fits(head_size, dtype):
        return Kernels(BatchedProducts(), TorchElementwise())
    try:
        return Kernels(NativeAttention(build_folder), NativeElementwise(build_folder))
    except NoKernelsError as error:
        return Kernels(BatchedProducts(str(error)), TorchElementwise())
