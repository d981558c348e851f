"""The elementwise kernels as an implementation of `Elementwise`."""

from __future__ import annotations

import ctypes
from pathlib import Path

import torch
from torch import Tensor

from textlora.fast.dropout import Masks
from textlora.fast.elementwise import Drop, NormState
from textlora.fast.native.build import library
from textlora.fast.weights import Norm


class DropStruct(ctypes.Structure):
    """A `Drop` as the kernels take it."""

    _fields_ = (("seed", ctypes.c_uint64), ("rate", ctypes.c_float))

    @classmethod
    def of(cls, drop: Drop | None) -> DropStruct:
        """Return a seed and a rate; a rate of 0 where nothing is dropped."""
        return cls(0, 0.0) if drop is None else cls(drop.seed, drop.rate)


class _Norm(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_void_p) for name in ("x", "residual", "weight", "bias", "y")),
        *((name, ctypes.c_void_p) for name in ("mean", "rstd")),
        *((name, ctypes.c_int64) for name in ("rows", "size")),
        ("eps", ctypes.c_float),
        ("drop", DropStruct),
    )


class _NormGradients(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_void_p) for name in ("grad", "more", "summed")),
        *((name, ctypes.c_void_p) for name in ("weight", "mean", "rstd", "residual", "x")),
        *((name, ctypes.c_int64) for name in ("rows", "size")),
        ("drop", DropStruct),
    )


class NativeElementwise:
    """The kernels; contiguous bf16 on a CPU, rows of a multiple of 32 numbers.

    Masks are never in memory: a hash of a seed and of a number's place decides.

    Args:
        build_folder: where the built library is kept.

    Raises:
        NoKernelsError: this machine cannot have them.
    """

    def __init__(self, build_folder: Path) -> None:
        self._library = library(build_folder)

    def draw(self, masks: Masks | None, values: Tensor, rate: float) -> Drop | None:
        """Draw a seed; see `Elementwise.draw`."""
        return None if masks is None or not rate else Drop(rate, seed=masks.seed())

    def drop(self, values: Tensor, drop: Drop | None) -> Tensor:
        """Drop by a seed; see `Elementwise.drop`."""
        if drop is None:
            return values
        dropped = torch.empty_like(values)
        self._library.drop_forward(
            pointer(values),
            pointer(dropped),
            *(ctypes.c_int64(count) for count in values.shape),
            ctypes.byref(DropStruct.of(drop)),
        )
        return dropped

    def add_norm(
        self, x: Tensor, drop: Drop | None, residual: Tensor, norm: Norm
    ) -> tuple[Tensor, NormState]:
        """Drop, add and normalise; see `Elementwise.add_norm`."""
        y = torch.empty_like(x)
        mean, rstd = torch.empty(2, len(x), dtype=torch.float32)
        weight, bias = norm.weight.float(), norm.bias.float()
        self._library.norm_forward(
            ctypes.byref(
                _Norm(
                    *(pointer(tensor) for tensor in (x, residual, weight, bias, y, mean, rstd)),
                    *x.shape,
                    norm.eps,
                    DropStruct.of(drop),
                )
            )
        )
        return y, NormState(x, mean, rstd, drop)

    def add_norm_backward(
        self, grad: Tensor, more: Tensor | None, norm: Norm, state: NormState
    ) -> tuple[Tensor, Tensor]:
        """Go back through norm and dropout; see `Elementwise.add_norm_backward`."""
        residual = torch.empty_like(state.summed)
        x = residual if state.drop is None else torch.empty_like(residual)
        weight = norm.weight.float()
        self._library.norm_backward(
            ctypes.byref(
                _NormGradients(
                    pointer(grad),
                    None if more is None else pointer(more),
                    *(pointer(t) for t in (state.summed, weight, state.mean, state.rstd)),
                    pointer(residual),
                    None if x is residual else pointer(x),
                    *residual.shape,
                    DropStruct.of(state.drop),
                )
            )
        )
        return residual, x

    def gelu(self, x: Tensor) -> Tensor:
        """Return the exact GELU."""
        y = torch.empty_like(x)
        self._library.gelu_forward(pointer(x), pointer(y), ctypes.c_int64(x.numel()))
        return y

    def gelu_backward(self, grad: Tensor, x: Tensor) -> Tensor:
        """Turn the output's gradient into the input's."""
        self._library.gelu_backward(pointer(grad), pointer(x), ctypes.c_int64(x.numel()))
        return grad


def pointer(values: Tensor) -> ctypes.c_void_p:
    """Return where the numbers of a contiguous tensor begin; raises ValueError for others."""
    if not values.is_contiguous():
        raise ValueError("the kernels take contiguous tensors")
    return ctypes.c_void_p(values.data_ptr())
