"""What `audit` and `curve` leave behind: every file name is defined here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


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
