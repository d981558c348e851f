"""Checkpoints that can be trusted: a manifest with checksums is written last.

`transformers` writes a checkpoint file by file and resumes from the newest
folder unread, so that a kill during a save breaks the run. Here a checkpoint
without a manifest that fits its files does not exist.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR

from textlora.run import write_json

MANIFEST = "manifest.json"


def seal(checkpoint: Path) -> None:
    """Write the manifest of a complete checkpoint."""
    write_json(checkpoint / MANIFEST, _checksums(checkpoint))


def is_sound(checkpoint: Path) -> bool:
    """Return whether a checkpoint has a manifest and its files are what that says."""
    try:
        manifest = json.loads((checkpoint / MANIFEST).read_text(encoding="utf-8"))
        return bool(manifest == _checksums(checkpoint))
    except (OSError, ValueError):
        return False


def newest_sound(folder: Path) -> tuple[Path | None, list[Path]]:
    """Find the checkpoint to resume from.

    Args:
        folder: the folder of the checkpoints.

    Returns:
        The newest sound checkpoint or None, and the newer unsound ones.
    """
    unsound: list[Path] = []
    for checkpoint in reversed(_by_step(folder)):
        if is_sound(checkpoint):
            return checkpoint, unsound
        unsound.append(checkpoint)
    return None, unsound


def discard(checkpoints: list[Path]) -> None:
    """Remove unsound checkpoints, so that nothing of them mixes with new files."""
    for checkpoint in checkpoints:
        shutil.rmtree(checkpoint)


def _by_step(folder: Path) -> list[Path]:
    found = [
        (int(path.name.rpartition("-")[2]), path)
        for path in folder.glob(f"{PREFIX_CHECKPOINT_DIR}-*")
        if path.name.rpartition("-")[2].isdigit()
    ]
    return [path for _, path in sorted(found)]


def _checksums(checkpoint: Path) -> dict[str, str]:
    sums = {}
    for path in sorted(checkpoint.rglob("*")):
        if path.is_file() and path.name != MANIFEST:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            sums[path.relative_to(checkpoint).as_posix()] = digest
    return sums
