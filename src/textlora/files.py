"""The run folder, with every file name in it and its state; other folders; the cache folder.

A run folder is `running` until its last file is written, then `finished`. A run that failed says
`failed` and why; readers refuse anything but `finished`. Other folders are absent or complete.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

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


@dataclass(frozen=True)
class RunFolder:
    """Paths of one run.

    Args:
        path: the folder itself.
    """

    path: Path

    @property
    def state_file(self) -> Path:
        return self.path / "run.json"

    @property
    def adapter(self) -> Path:
        return self.path / "adapter"

    @property
    def config(self) -> Path:
        return self.path / "config.yaml"

    @property
    def metrics(self) -> Path:
        return self.path / "metrics.json"

    @property
    def verdict(self) -> Path:
        return self.path / "verdict.json"

    @property
    def calibration(self) -> Path:
        return self.path / "calibration.json"

    @property
    def inspection(self) -> Path:
        return self.path / "inspection.json"

    @property
    def history(self) -> Path:
        return self.path / "history.jsonl"

    @property
    def predictions(self) -> Path:
        return self.path / "predictions.csv"

    @property
    def before_after(self) -> Path:
        return self.path / "before_after.json"

    @property
    def report(self) -> Path:
        return self.path / "report.html"

    @property
    def plots(self) -> Path:
        return self.path / "plots"

    @property
    def environment(self) -> Path:
        return self.path / "environment.json"

    @property
    def rejected(self) -> Path:
        return self.path / "rejected.csv"

    @property
    def exports(self) -> Path:
        return self.path / "exports"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    # --- state -------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """Return what `run.json` says, or an empty mapping where there is none."""
        try:
            state = json.loads(self.state_file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return state if isinstance(state, dict) else {}

    def check_free(self, *, resume: bool = False, overwrite: bool = False) -> None:
        """Refuse a folder that may not be written to, before any work is done.

        Raises:
            RunError: the folder is in use by something else, or a finished run.
        """
        if self.path.exists() and not self.path.is_dir():
            raise RunError(f"{self.path}: this is a file.", "Choose a folder with --out.")
        occupied = self.path.is_dir() and any(self.path.iterdir())
        if occupied and not self.state():
            raise RunError(
                f"{self.path}: the folder has files in it that are not a run's.",
                "Choose another folder with --out.",
            )
        if occupied and not resume and not overwrite:
            raise RunError(
                f"{self.path}: there is a run in this folder ({self.state().get('state')}).",
                "Replace it with --overwrite, go on with --resume FOLDER, or choose another --out.",
            )
        if resume and self.state().get("state") == "finished":
            raise RunError(
                f"{self.path}: this run is finished; there is nothing to resume.",
                "Train anew with --overwrite or another --out.",
            )

    def begin(self, *, resume: bool = False, overwrite: bool = False) -> None:
        """Make the folder and mark it as running.

        Raises:
            RunError: the folder is in use by something else, or a finished run.
            StorageError: it cannot be written.
        """
        self.check_free(resume=resume, overwrite=overwrite)
        if overwrite and not resume and self.path.is_dir():
            with storage_errors(f"removing the old run in {self.path}"):
                _empty(self.path)
        with storage_errors(f"making the run folder {self.path}"):
            self.path.mkdir(parents=True, exist_ok=True)
        self._write_state("running")

    def finish(self) -> None:
        """Mark the run as finished: the last thing that happens to it."""
        self._write_state("finished")

    def fail(self, reason: str) -> None:
        """Say that the run failed; where nothing can be resumed, remove it."""
        if not self.path.is_dir():
            return
        if not self.checkpoints.is_dir() or not any(self.checkpoints.iterdir()):
            shutil.rmtree(self.path, ignore_errors=True)
            return
        try:
            self._write_state("failed", reason=reason)
        except Exception:  # a full disk must not hide the first error; "running" is no "finished"
            return

    def require_resumable(self) -> None:
        """Refuse what is no interrupted run.

        Raises:
            RunError: the folder is no run, or the run is finished.
        """
        if not self.state() or not self.config.is_file():
            raise RunError(
                f"{self.path}: there is no run to resume in this folder.",
                "Give the folder of an interrupted run.",
            )
        self.check_free(resume=True)

    def require_finished(self) -> None:
        """Refuse anything but a finished run.

        Raises:
            RunError: the folder is no run, or the run did not finish.
        """
        if not self.path.is_dir():
            raise RunError(f"{self.path}: there is no such run folder.", "Look into runs/.")
        state = self.state()
        if not state:
            raise RunError(
                f"{self.path}: this is not a run folder ({self.state_file.name} is missing).",
                "Give the folder that textlora train printed.",
            )
        if state.get("state") != "finished":
            why = f": {state['reason']}" if state.get("reason") else ""
            raise RunError(
                f"{self.path}: this run is {state.get('state')}, not finished{why}.",
                f"Go on with: textlora train --resume {self.path}",
            )

    def _write_state(self, state: str, **more: Any) -> None:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        write_json(self.state_file, {"state": state, "at": now, **more})


@dataclass(frozen=True)
class SeedsFolder:
    """Paths of a training that is repeated with several seeds.

    Args:
        path: the folder itself; every run has a folder of its own in it.
    """

    path: Path

    @property
    def summary(self) -> Path:
        return self.path / "seeds.json"

    def run(self, seed: int) -> RunFolder:
        """Return the folder of one seed's run."""
        return RunFolder(self.path / f"seed-{seed}")

    def check_free(self) -> None:
        """Refuse a folder that holds anything but seeds of an earlier start.

        Raises:
            RunError: the folder is in use by something else.
        """
        if self.path.exists() and not self.path.is_dir():
            raise RunError(f"{self.path}: this is a file.", "Choose a folder with --out.")
        if self.path.is_dir() and any(self.path.iterdir()) and not self.summary.is_file():
            raise RunError(
                f"{self.path}: the folder has files in it that are not of repeated runs.",
                "Choose another folder with --out.",
            )


def _empty(folder: Path) -> None:
    for child in folder.iterdir():
        if child.is_dir() and not child.is_symlink():
            shutil.rmtree(child)
        else:
            child.unlink()


def read_files(folder: Path) -> dict[str, bytes]:
    """Return the files of a finished run, or of an adapter folder, by their names in it.

    Checkpoints and exports are left out: they can be made again, and are large.

    Raises:
        RunError: one cannot be read.
    """
    run = RunFolder(folder)
    try:
        return {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in _files_in(folder, skip=(run.checkpoints, run.exports))
        }
    except OSError as error:
        raise RunError(f"{folder}: this run cannot be read ({error}).") from error


def write_files(files: Mapping[str, bytes], target: Path) -> None:
    """Write files that `read_files` returned, so that their folder is absent or complete.

    Raises:
        RunError: the target is in use.
        StorageError: it cannot be written.
    """
    RunFolder(target).check_free()
    with whole_folder(target, "copying the run to") as temporary:
        for name, content in files.items():
            path = temporary / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


def _files_in(folder: Path, skip: Sequence[Path]) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.is_dir() and path not in skip:
            yield from _files_in(path, skip)
        elif path.is_file():
            yield path


def write_text(path: Path, text: str) -> None:
    """Write a file so that it is either absent, old, or complete.

    Raises:
        StorageError: it cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with storage_errors(f"writing {path}"):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_text(text, encoding="utf-8")
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """Write a value as indented JSON, complete or not at all."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file of a run.

    Raises:
        RunError: the file is missing or damaged.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunError(f"{path}: this file of the run cannot be read ({error}).") from None


def new_run_path(name: str, parent: Path = Path("runs")) -> Path:
    """Return an unused folder name for a run, made of a name and the time."""
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
    path = parent / f"{name}-{stamp}"
    number = 2
    while path.exists():
        path = parent / f"{name}-{stamp}-{number}"
        number += 1
    return path
