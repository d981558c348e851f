"""What this machine and these numbers allow."""

from __future__ import annotations

import functools

import torch


@functools.cache
def fast_type(device_type: str) -> torch.dtype:
    """Return the type in which matrix products are fastest and safe: bf16 where it is native."""
    if device_type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(False) else torch.float32
    capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    native = capabilities.get("avx512_bf16") or capabilities.get("amx_bf16")
    return torch.bfloat16 if native else torch.float32
