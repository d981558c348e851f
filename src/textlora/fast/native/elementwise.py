"""The kernels in C as an implementation of `Elementwise` and of `Updates`."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable
from pathlib import Path

import torch
from torch import Tensor

from textlora.fast.elementwise import Drop, LoraState, Masks, NormState, Updates
from textlora.fast.native import checked, library
from textlora.fast.weights import Lora, Norm


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


class _Update(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_void_p) for name in ("x", "y")),
        ("y_stride", ctypes.c_int64),
        *((name, ctypes.c_void_p) for name in ("a", "b", "projected")),
        *((name, ctypes.c_int64) for name in ("rows", "in", "out", "rank")),
        ("scale", ctypes.c_float),
        ("drop", DropStruct),
    )


class _Slice(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_void_p) for name in ("a", "b")),
        *((name, ctypes.c_int64) for name in ("first", "rows", "rank")),
        ("scale", ctypes.c_float),
    )


class _Gradients(ctypes.Structure):
    _fields_ = (
        ("grad", ctypes.c_void_p),
        ("stride", ctypes.c_int64),
        *((name, ctypes.c_void_p) for name in ("a", "b", "x")),
    )


# Beyond it torch's products are faster: 1,152 rows of 384 numbers took 0.26 ms at rank 4 (torch
# 0.52), 0.75 ms at rank 16 (torch 0.54).
MAX_RANK = 8
# For so few rows the kernels win at any usual rank, because a call of torch's costs as much.
FEW_ROWS = 128


class NativeUpdates:
    """The kernels; bf16 rows on a CPU, sums and factors in fp32.

    Args:
        build_folder: where the built library is kept.
        thick: what runs updates of a higher rank than the kernels are good at.

    Raises:
        NoKernelsError: this machine cannot have them.
    """

    def __init__(self, build_folder: Path, thick: Updates) -> None:
        self._library = library(build_folder)
        self._thick = thick

    def forward(self, x: Tensor, lora: Lora, y: Tensor, drop: Drop | None) -> LoraState:
        """Add the update; see `Updates.forward`."""
        if len(lora.a) > MAX_RANK:
            return self._thick.forward(x, lora, y, drop)
        projected = torch.empty((len(x), len(lora.a)), dtype=torch.float32)
        state = LoraState(x, projected, drop)
        a, b = _factors(lora)
        update = _update(state, lora, a, b, _columns(y), y.stride(0))
        checked(self._library.lora_forward(ctypes.byref(update)))
        return state

    def forward_slices(self, x: Tensor, parts: Iterable[tuple[slice, Lora]], y: Tensor) -> None:
        """Add the updates; see `Updates.forward_slices`."""
        slices: list[_Slice] = []
        kept: list[Tensor] = []  # what the kernel is handed pointers into
        max_rank = 0
        for rows, lora in parts:
            rank, count = lora.a.shape[0], rows.stop - rows.start
            if rank > MAX_RANK and count > FEW_ROWS:
                self._thick.forward_slices(x, [(rows, lora)], y)
                continue
            a, b = _factors(lora)
            kept += (a, b)
            pointers = a.data_ptr(), b.data_ptr()
            slices.append(_Slice(*pointers, rows.start, count, rank, lora.scale))
            max_rank = max(max_rank, rank)
        if not slices:
            return
        sizes = (ctypes.c_int64(size) for size in (y.stride(0), x.shape[1], y.shape[1]))
        together = (_Slice * len(slices))(*slices)
        counts = ctypes.c_int64(len(slices)), ctypes.c_int64(max_rank)
        checked(self._library.lora_slices(pointer(x), _columns(y), *sizes, together, *counts))

    def backward(
        self, grad: Tensor, lora: Lora, state: LoraState, grad_x: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Return the gradients of A and B; see `Updates.backward`."""
        if len(lora.a) > MAX_RANK:
            return self._thick.backward(grad, lora, state, grad_x)
        a, b = _factors(lora)
        grad_a, grad_b = torch.empty_like(a), torch.empty_like(b)
        update = _update(state, lora, a, b, None, 0)
        gradients = _Gradients(
            _columns(grad),
            grad.stride(0),
            pointer(grad_a),
            pointer(grad_b),
            None if grad_x is None else pointer(grad_x),
        )
        checked(self._library.lora_backward(ctypes.byref(update), ctypes.byref(gradients)))
        return grad_a, grad_b.t().contiguous()


def _factors(lora: Lora) -> tuple[Tensor, Tensor]:
    # To detach is the dearest step here, and there is nothing to do it for outside training.
    a, b = (x.detach() if x.requires_grad else x for x in (lora.a, lora.b))
    return a.float().contiguous(), b.float().t().contiguous()


def _update(
    state: LoraState,
    lora: Lora,
    a: Tensor,
    b: Tensor,
    y: ctypes.c_void_p | None,
    y_stride: int,
) -> _Update:
    return _Update(
        pointer(state.inputs),
        y,
        y_stride,
        *(pointer(tensor) for tensor in (a, b, state.projected)),
        *(len(state.inputs), a.shape[1], b.shape[1], len(a)),
        lora.scale,
        DropStruct.of(state.drop),
    )


def _columns(values: Tensor) -> ctypes.c_void_p:
    if values.stride(1) != 1:
        raise ValueError("the kernels take rows whose numbers are side by side")
    return ctypes.c_void_p(values.data_ptr())
