from __future__ import annotations

from pathlib import Path

import pytest
import torch

from textlora.fast import native as build
from textlora.fast.attention import BatchedProducts
from textlora.fast.elementwise import TorchElementwise
from textlora.fast.kernels import kernels_for
from textlora.fast.native import NoKernelsError, library


def test_the_library_is_built_once(tmp_path: Path) -> None:
    try:
        library(tmp_path)
    except NoKernelsError as error:
        pytest.skip(f"no kernels on this machine: {error}")
    built = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    library.cache_clear()
    library(tmp_path)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == built
    assert len(built) == 1


def test_without_a_compiler_the_choice_is_torch_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build.shutil, "which", lambda _: None)
    monkeypatch.setattr(build, "_processor_flags", lambda: {"avx512_bf16", "vaes"})
    kernels = kernels_for(torch.bfloat16, 32, tmp_path)
    assert isinstance(kernels.attention, BatchedProducts)
    assert isinstance(kernels.elementwise, TorchElementwise)
    assert "no C compiler" in kernels.attention.name


@pytest.mark.parametrize(("size", "dtype"), [(16, torch.bfloat16), (32, torch.float32)])
def test_other_sizes_and_types_take_torch(tmp_path: Path, size: int, dtype: torch.dtype) -> None:
    kernels = kernels_for(dtype, size, tmp_path)
    assert isinstance(kernels.attention, BatchedProducts)
    assert isinstance(kernels.elementwise, TorchElementwise)
