"""What `audit` and `curve` leave behind: every file name is defined here."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from textlora.errors import RunError, storage_errors


@dataclass(frozen=True)
class AuditFolder:
    """Paths of one audit.

    Args:
        path: the folder itself.
    """

    path: Path

    @property
    def suspects(self) -> Path:
        return self.path / "suspects.csv"

    @property
    def out_of_fold(self) -> Path:
        return self.path / "out_of_fold.csv"

    @property
    def summary(self) -> Path:
        return self.path / "audit.json"

    @property
    def config(self) -> Path:
        return self.path / "config.yaml"

    @property
    def rejected(self) -> Path:
        return self.path / "rejected.csv"


@dataclass(frozen=True)
class CurveFolder:
    """Paths of one learning curve.

    Args:
        path: the folder itself.
    """

    path: Path

    @property
    def curve(self) -> Path:
        return self.path / "curve.json"

    @property
    def plot(self) -> Path:
        return self.path / "curve.svg"

    @property
    def config(self) -> Path:
        return self.path / "config.yaml"

    @property
    def rejected(self) -> Path:
        return self.path / "rejected.csv"


def check_free(path: Path) -> None:
    """Refuse a place that is taken, before any work is done.

    Raises:
        RunError: there is a file, or a folder with something in it.
    """
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise RunError(f"{path}: there is something here already.", "Choose another --out.")


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Yield a folder to fill, which takes its name when the block has ended well.

    Raises:
        RunError: the place is taken.
        StorageError: it cannot be written.
    """
    check_free(path)
    path = path.absolute()
    temporary = path.with_name(f".{path.name}.tmp")
    with storage_errors(f"writing {path}"):
        shutil.rmtree(temporary, ignore_errors=True)  # of a program that was killed
        try:
            temporary.mkdir(parents=True)
            yield temporary
            temporary.replace(path)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
