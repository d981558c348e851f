"""Checkpoints that can be trusted: a manifest with checksums is written last.

`transformers` writes a checkpoint file by file and resumes from the newest
folder unread, so that a kill during a save breaks the run. Here a checkpoint
without a manifest that fits its files does not exist.

The manifest tells damage, not malice: whoever changes a file can change it, too.
What a stranger's checkpoint could do is therefore held off in another way.
Weights come from safetensors alone, and the files of optimizer, schedule and
random numbers, which are pickles, are read by torch's loader of plain values
(`weights_only=True`), which refuses everything else before anything is run.
"""

from __future__ import annotations

import hashlib
import json
import pickle
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR

from textlora.errors import RunError
from textlora.files import read_json, write_json

MANIFEST = "manifest.json"
STATE = "trainer_state.json"
# What the Trainer writes and reads for a model with an adapter. It would also take pickled
# weights, and folders of further adapters, where it finds them.
_FILES = (
    "adapter_config.json",
    "adapter_model.safetensors",
    "optimizer.pt",
    "scheduler.pt",
    "scaler.pt",
    STATE,
    MANIFEST,
)
_RANDOM_STATE = re.compile(r"rng_state(_\d+)?\.pth")


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


def discard_all(folder: Path) -> None:
    """Remove every checkpoint, so that a training begins anew."""
    if folder.is_dir():
        shutil.rmtree(folder)


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


def check_contents(checkpoint: Path) -> None:
    """Refuse files from which the Trainer would read more than it wrote.

    Raises:
        RunError: there are some, here or in the checkpoint that this one names as the best.
    """
    best = read_json(checkpoint / STATE).get("best_model_checkpoint")
    for folder in {checkpoint, *([Path(best)] if isinstance(best, str) else [])}:
        for path in folder.iterdir() if folder.is_dir() else ():
            known = path.name in _FILES or _RANDOM_STATE.fullmatch(path.name)
            if not known or path.is_symlink() or not path.is_file():
                raise RunError(
                    f"{path}: this is no file of a checkpoint, and could be read as one.",
                    "Remove it if you trust the rest, or train anew.",
                )


@contextmanager
def only_plain_values() -> Iterator[None]:
    """Turn torch's refusal of a pickle into an error that the user can mend.

    Raises:
        RunError: a file of a checkpoint has more in it than tensors, numbers and texts.
    """
    try:
        yield
    except pickle.UnpicklingError as error:
        raise RunError(
            "The checkpoint has more in it than tensors and numbers; nothing of that was run.",
            "Do not resume checkpoints that you have not made; train anew.",
        ) from error


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
