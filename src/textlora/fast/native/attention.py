"""The attention kernels as a backend."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from textlora.fast.elementwise import Masks
from textlora.fast.native import checked, fits, library
from textlora.fast.packing import clear_filler


class _Problem(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_void_p) for name in ("query", "key", "value")),
        *((f"{name}_stride", ctypes.c_int64) for name in ("query", "key", "value")),
        ("starts", ctypes.c_void_p),
        ("query_starts", ctypes.c_void_p),
        *((name, ctypes.c_int64) for name in ("sequences", "heads", "size")),
        ("scale", ctypes.c_float),
        ("dropout", ctypes.c_float),
        ("seed", ctypes.c_uint64),
        ("context", ctypes.c_void_p),
        ("logsum", ctypes.c_void_p),
    )


class _Gradients(ctypes.Structure):
    _fields_ = (
        ("grad", ctypes.c_void_p),
        ("grad_stride", ctypes.c_int64),
        *((name, ctypes.c_void_p) for name in ("query", "key", "value")),
        *((f"{name}_stride", ctypes.c_int64) for name in ("query", "key", "value")),
    )


@dataclass(frozen=True)
class _State:
    """The arguments of a forward, with the tensors that they point into."""

    problem: _Problem
    tensors: tuple[Tensor, ...]
    total: int
    queries: int


class NativeAttention:
    """The kernels as an `Attention` backend; bf16 on a CPU.

    Args:
        build_folder: where the built library is kept.

    Raises:
        NoKernelsError: this machine cannot have them.
    """

    name = "native kernels"

    def __init__(self, build_folder: Path) -> None:
        kernels = library(build_folder)
        self._forward: Callable[..., int] = kernels.attention_forward
        self._backward: Callable[..., int] = kernels.attention_backward

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        lengths: list[int],
        query_lengths: list[int],
        dropout: float,
        masks: Masks | None,
        keep_state: bool,
    ) -> tuple[Tensor, Any]:
        """Attend within each sequence; see `Attention.forward`."""
        rows, heads, size = query.shape
        for tensor in (query, key, value):
            if tensor.stride()[1:] != (size, 1) or not fits(size, tensor.dtype):
                raise ValueError("the kernels take bf16 with the heads of a row side by side")
        context = torch.empty((rows, heads, size), dtype=query.dtype)
        context[sum(query_lengths) :] = 0
        logsum = torch.empty((rows, heads), dtype=torch.float32) if keep_state else None
        starts, query_starts = _starts(lengths), _starts(query_lengths)
        rate = dropout if masks is not None else 0.0
        problem = _Problem(
            *(x.data_ptr() for x in (query, key, value)),
            *(x.stride(0) for x in (query, key, value)),
            starts.data_ptr(),
            query_starts.data_ptr(),
            len(lengths),
            heads,
            size,
            1.0 / math.sqrt(size),
            rate,
            masks.seed() if masks is not None and rate else 0,
            context.data_ptr(),
            None if logsum is None else logsum.data_ptr(),
        )
        checked(self._forward(ctypes.byref(problem)))
        if logsum is None:
            return context, None
        tensors = (query, key, value, starts, query_starts, context, logsum)
        return context, _State(problem, tensors, sum(lengths), sum(query_lengths))

    def backward(
        self, grad: Tensor, state: Any, into: tuple[Tensor, Tensor | None, Tensor | None]
    ) -> None:
        """Write the gradients of query, key and value; see `Attention.backward`."""
        gradients = _Gradients(
            grad.data_ptr(),
            grad.stride(0),
            *(None if x is None else x.data_ptr() for x in into),
            *(0 if x is None else x.stride(0) for x in into),
        )
        checked(self._backward(ctypes.byref(state.problem), ctypes.byref(gradients)))
        clear_filler(into, state.total, state.queries)


def _starts(lengths: list[int]) -> Tensor:
    return torch.tensor([0, *lengths], dtype=torch.int64).cumsum(0)
