"""Folders outside a run, absent or complete; and the one cache folder."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from textlora.errors import RunError, storage_errors


def cache_dir() -> Path:
    """Return the cache folder: TEXTLORA_CACHE, or textlora under XDG_CACHE_HOME or ~/.cache."""
    explicit = os.environ.get("TEXTLORA_CACHE")
    if explicit:
        return Path(explicit).expanduser()
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "textlora"


def is_free(path: Path) -> bool:
    """Return whether there is nothing at a path, or no more than an empty folder."""
    return not path.exists() or (path.is_dir() and not any(path.iterdir()))


def check_free(path: Path) -> None:
    """Refuse a place that is taken, before any work is done.

    Raises:
        RunError: there is a file, or a folder with something in it.
    """
    if not is_free(path):
        raise RunError(
            f"{path}: there is something here already, and nothing is overwritten.",
            "Choose another --out.",
        )


@contextmanager
def whole_folder(path: Path, doing: str, *, replaced: bool = False) -> Iterator[Path]:
    """Yield a folder to fill, which takes its name when the block has ended well.

    Args:
        path: the folder that is made.
        doing: what is done, for the message of a failure: "writing the export".
        replaced: whether a folder that is there may be replaced.

    Raises:
        RunError: the place is taken.
        StorageError: it cannot be written.
    """
    if not replaced:
        check_free(path)
    path = path.absolute()
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with storage_errors(f"{doing} {path}"):
        try:
            temporary.mkdir(parents=True)
            yield temporary
            if not replaced:
                check_free(path)  # something may have come into it since
            if path.is_dir():
                shutil.rmtree(path)
            temporary.replace(path)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
