"""Where textlora keeps what it can make again: one cache folder, one rule."""

from __future__ import annotations

import os
from pathlib import Path


def cache_dir() -> Path:
    """Return the cache folder: TEXTLORA_CACHE, or textlora under XDG_CACHE_HOME or ~/.cache."""
    explicit = os.environ.get("TEXTLORA_CACHE")
    if explicit:
        return Path(explicit).expanduser()
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "textlora"
