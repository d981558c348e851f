"""Attention in C for processors with AVX512-BF16, built once by the machine's own compiler.

Without such a processor, or without a C compiler, there are no kernels, and a
sentence says why.
"""

from __future__ import annotations

import ctypes
import hashlib
import math
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from textlora.fast.dropout import Masks
from textlora.fast.packing import clear_filler

SOURCE = Path(__file__).with_name("native_attention.c")
FLAGS = (
    "-O3",
    "-std=gnu11",
    "-fPIC",
    "-fopenmp",
    *(f"-mavx512{part}" for part in ("f", "bw", "vl", "dq", "bf16")),
)
HEAD_SIZE_STEP = 32


class NoKernelsError(Exception):
    """The kernels cannot be had here; the message says why."""


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
        library = _load(_build(build_folder))
        self._forward: Callable[..., int] = library.attention_forward
        self._backward: Callable[..., int] = library.attention_backward

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
        logsum = torch.empty((rows, heads)) if keep_state else None
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
        _checked(self._forward(ctypes.byref(problem)))
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
        _checked(self._backward(ctypes.byref(state.problem), ctypes.byref(gradients)))
        clear_filler(into, state.total, state.queries)


def fits(head_size: int, dtype: torch.dtype) -> bool:
    """Return whether the kernels take heads of this size and type."""
    return dtype == torch.bfloat16 and head_size % HEAD_SIZE_STEP == 0


def _starts(lengths: list[int]) -> Tensor:
    return torch.tensor([0, *lengths], dtype=torch.int64).cumsum(0)


def _checked(code: int) -> None:
    if code:
        raise MemoryError("the attention kernels found no memory")


def _build(folder: Path) -> Path:
    """Return the built library, building it where this source and compiler have not yet."""
    if platform.machine() != "x86_64" or platform.system() != "Linux":
        raise NoKernelsError("the kernels are for Linux on x86-64")
    if not torch.cpu.get_capabilities().get("avx512_bf16"):
        raise NoKernelsError("the processor has no AVX512-BF16")
    compiler = shutil.which(os.environ.get("CC", "cc")) or shutil.which("gcc")
    if compiler is None:
        raise NoKernelsError("there is no C compiler")
    described = " ".join((compiler, str(Path(compiler).stat().st_mtime_ns), *FLAGS))
    digest = hashlib.sha256(SOURCE.read_bytes() + described.encode()).hexdigest()[:16]
    library = folder / f"attention-{digest}.so"
    if library.is_file():
        return library
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as temporary:
            built = Path(temporary) / library.name
            _compile(compiler, built)
            built.replace(library)
    except OSError as error:
        raise NoKernelsError(f"they cannot be built in {folder} ({error.strerror})") from error
    return library


def _compile(compiler: str, target: Path) -> None:
    part = target.with_suffix(".o")
    # Linked without -fopenmp: the kernels must use the OpenMP threads that torch has
    # already started, not a second pool that fights them for the cores.
    steps = (
        (compiler, *FLAGS, "-c", str(SOURCE), "-o", str(part)),
        (compiler, "-shared", str(part), "-o", str(target), "-lm"),
    )
    for step in steps:
        done = subprocess.run(step, capture_output=True, text=True, check=False)
        if done.returncode:
            first = (done.stderr.strip().splitlines() or ["no message"])[0]
            raise NoKernelsError(f"the C compiler failed ({first})")


def _load(library: Path) -> Any:
    runtime = sorted((Path(torch.__file__).parent / "lib").glob("libgomp*.so*"))
    try:
        for path in runtime:
            ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)
        return ctypes.CDLL(str(library))
    except OSError as error:
        raise NoKernelsError(f"the built kernels cannot be loaded ({error})") from error
