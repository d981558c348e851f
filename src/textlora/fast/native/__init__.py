"""Kernels in C for processors with AVX512-BF16, built once by the machine's own compiler.

Without such a processor, or without a C compiler, there are no kernels, and a sentence says why.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import torch

SOURCES = tuple(
    Path(__file__).with_name(name) for name in ("attention.c", "elementwise.c", "lora.c")
)
HEADER = Path(__file__).with_name("common.h")
FLAGS = (
    "-O3",
    "-std=gnu11",
    "-fPIC",
    "-fopenmp",
    *(f"-mavx512{part}" for part in ("f", "bw", "vl", "dq", "bf16")),
    "-mvaes",
)
HEAD_SIZE_STEP = 32


class NoKernelsError(Exception):
    """The kernels cannot be had here; the message says why."""


def fits(head_size: int, dtype: torch.dtype) -> bool:
    """Return whether the kernels take heads of this size and type."""
    return dtype == torch.bfloat16 and head_size % HEAD_SIZE_STEP == 0


@functools.cache
def library(folder: Path) -> Any:
    """Return the loaded kernels, building them where this source and compiler have not yet.

    Args:
        folder: where the built library is kept.

    Raises:
        NoKernelsError: this machine cannot have them.
    """
    return _load(_build(folder))


def checked(code: int) -> None:
    """Raise MemoryError where a kernel says that it found no memory."""
    if code:
        raise MemoryError("the kernels found no memory")


def _build(folder: Path) -> Path:
    if platform.machine() != "x86_64" or platform.system() != "Linux":
        raise NoKernelsError("the kernels are for Linux on x86-64")
    missing = {"avx512_bf16", "vaes"} - _processor_flags()
    if missing:
        raise NoKernelsError(f"the processor has no {' and no '.join(sorted(missing))}")
    compiler = shutil.which(os.environ.get("CC", "cc")) or shutil.which("gcc")
    if compiler is None:
        raise NoKernelsError("there is no C compiler")
    described = " ".join((compiler, str(Path(compiler).stat().st_mtime_ns), *FLAGS)).encode()
    text = b"".join(path.read_bytes() for path in (HEADER, *SOURCES))
    built = folder / f"kernels-{hashlib.sha256(text + described).hexdigest()[:16]}.so"
    if built.is_file():
        return built
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as temporary:
            fresh = Path(temporary) / built.name
            _compile(compiler, fresh)
            fresh.replace(built)
    except OSError as error:
        raise NoKernelsError(f"they cannot be built in {folder} ({error.strerror})") from error
    return built


def _processor_flags() -> set[str]:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="ignore").splitlines()
    except OSError:
        return set()
    line = next((line for line in lines if line.startswith("flags")), "")
    return set(line.partition(":")[2].split())


def _compile(compiler: str, target: Path) -> None:
    objects = [target.with_name(f"{source.stem}.o") for source in SOURCES]
    # Linked without -fopenmp: the kernels must use the OpenMP threads that torch has
    # already started, not a second pool that fights them for the cores.
    steps = (
        *(
            (compiler, *FLAGS, "-c", str(a), "-o", str(b))
            for a, b in zip(SOURCES, objects, strict=True)
        ),
        (compiler, "-shared", *map(str, objects), "-o", str(target), "-lm"),
    )
    for step in steps:
        done = subprocess.run(step, capture_output=True, text=True, check=False)
        if done.returncode:
            first = (done.stderr.strip().splitlines() or ["no message"])[0]
            raise NoKernelsError(f"the C compiler failed ({first})")


def _load(built: Path) -> Any:
    runtime = sorted((Path(torch.__file__).parent / "lib").glob("libgomp*.so*"))
    try:
        for path in runtime:
            ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)
        return ctypes.CDLL(str(built))
    except OSError as error:
        raise NoKernelsError(f"the built kernels cannot be loaded ({error})") from error
