"""The arithmetic between the matrix products, chosen once for a type."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from textlora.fast.attention import Attention, BatchedProducts
from textlora.fast.elementwise import Elementwise, TorchElementwise, TorchUpdates, Updates
from textlora.fast.native import NoKernelsError, fits
from textlora.fast.native.attention import NativeAttention
from textlora.fast.native.elementwise import NativeElementwise, NativeUpdates


@dataclass(frozen=True)
class Kernels:
    """What a layer calls beside its products.

    Args:
        attention: the attention backend.
        elementwise: dropout, LayerNorm, GELU.
        updates: the low-rank updates.
    """

    attention: Attention
    elementwise: Elementwise
    updates: Updates


def kernels_for(dtype: torch.dtype, head_size: int, build_folder: Path) -> Kernels:
    """Return this processor's fastest kernels for a type.

    Args:
        dtype: of the hidden states.
        head_size: numbers in an attention head.
        build_folder: where built kernels are kept.
    """
    torch_alone = TorchElementwise()
    updates = TorchUpdates(torch_alone)
    if not fits(head_size, dtype):
        return Kernels(BatchedProducts(), torch_alone, updates)
    try:
        attention = NativeAttention(build_folder)
        elementwise = NativeElementwise(build_folder)
    except NoKernelsError as error:
        return Kernels(BatchedProducts(str(error)), torch_alone, updates)
    thick = TorchUpdates(elementwise)
    return Kernels(attention, elementwise, NativeUpdates(build_folder, thick))
