"""The work folder beside the output: finished shards, a manifest of them, and what they amount to.

The manifest's first line says what is scored and how, every other line is a finished shard. A line
is written when its shard is complete, so whatever a kill leaves behind is either in the manifest
and whole, or not in it.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from textlora.errors import RunError, storage_errors
from textlora.files import write_text

FORMAT = 1
_MANIFEST = "manifest.jsonl"


@dataclass(frozen=True)
class Shard:
    """A finished shard.

    Args:
        first: rows before it.
        rows: rows in it.
        errors: rows of these without an answer.
        truncated: texts of which a part was not read.
        labels: how often each answer was given.
        sha256: of its bytes.
    """

    first: int
    rows: int
    errors: int
    truncated: int
    labels: Mapping[str, int]
    sha256: str

    @property
    def end(self) -> int:
        """The first row that is not in it."""
        return self.first + self.rows


@dataclass(frozen=True)
class Begun:
    """How far a scoring is.

    Args:
        shards: those that are there.
        published: whether the output is there, too, and only the folder was left.
    """

    shards: list[Shard]
    published: bool = False


@dataclass(frozen=True)
class WorkFolder:
    """The work folder of one output.

    Args:
        out: the output.
    """

    out: Path

    @property
    def path(self) -> Path:
        """The folder."""
        return self.out.with_name(f"{self.out.name}.parts")

    @property
    def joined(self) -> Path:
        """The output before it gets its name."""
        return self.path / "joined"

    @property
    def _manifest(self) -> Path:
        return self.path / _MANIFEST

    def shard_path(self, number: int) -> Path:
        """Return where a shard lies."""
        return self.path / f"{number:07d}"

    def check(self, *, resume: bool, overwrite: bool) -> None:
        """Refuse what is in the way, before any work is done.

        Raises:
            RunError: the output is there, or an interrupted scoring, or files of something else.
        """
        begun = self._manifest.is_file()
        if self.out.is_dir():
            raise RunError(f"{self.out}: this is a folder.", "Name a file with --out.")
        if self.out.exists() and not overwrite and not (resume and begun):
            complete = "the file is complete, there is nothing to resume."
            raise RunError(
                f"{self.out}: {complete if resume else 'the file exists already.'}",
                "Replace it with --overwrite, or choose another --out.",
            )
        if self.path.exists() and not begun and not self._only_leftovers():
            raise RunError(
                f"{self.path}: this is in the way, and is not of an interrupted scoring.",
                "Move it away, or choose another --out.",
            )
        if begun and not resume and not overwrite:
            raise RunError(
                f"{self.path}: an interrupted scoring is in this folder.",
                "Go on with --resume, or start again with --overwrite.",
            )

    def begin(self, identity: Mapping[str, Any]) -> Begun:
        """Make an empty folder with a manifest."""
        with storage_errors(f"making the folder {self.path}"):
            self.clear()
            self.path.mkdir(parents=True, exist_ok=True)
        self._write(identity, [])
        return Begun([])

    def resume(self, identity: Mapping[str, Any], *, overwrite: bool) -> Begun:
        """Return the shards that are whole; what is behind the first damaged one is forgotten.

        Raises:
            RunError: what is scored, or how, is not what it was; or there is an output that is
                not of these shards.
        """
        before, listed = self._read()
        changed = [name for name in identity if before.get(name) != _plain(identity[name])]
        if changed:
            raise RunError(
                f"{self.path}: the interrupted scoring cannot go on: {' and '.join(changed)} "
                "changed since.",
                "Go on with what it was begun with, or start again with --overwrite.",
            )
        if self._published():
            return Begun(listed, published=True)
        if self.out.exists() and not overwrite:
            raise RunError(
                f"{self.out}: it is there, and not of the interrupted scoring.",
                "Replace it with --overwrite, or move it away.",
            )
        whole: list[Shard] = []
        for number, shard in enumerate(listed):
            path = self.shard_path(number)
            if not path.is_file() or checksum(path) != shard.sha256:
                break
            whole.append(shard)
        self._write(identity, whole)
        return Begun(whole)

    def add(self, number: int, content: bytes, shard: Shard) -> None:
        """Write a shard, then its line in the manifest."""
        with storage_errors(f"writing {self.path}"):
            self.shard_path(number).write_bytes(content)
            self._append(asdict(shard))

    def begun(self) -> bool:
        """Say whether there is something to resume."""
        return self._manifest.is_file()

    def holds_shards(self) -> bool:
        """Say whether any work would be lost with the folder."""
        return self.begun() and len(self._lines()) > 1

    def publish(self) -> None:
        """Give the joined file its name, and remove the folder."""
        with storage_errors(f"writing {self.out}"):
            with self.joined.open("rb") as file:
                os.fsync(file.fileno())  # the shards go when it has its name
            self._append({"joined": checksum(self.joined)})
            self.joined.replace(self.out)
        self.clear()

    def clear(self) -> None:
        """Remove the folder; the manifest last, which says whose it is."""
        if not self.path.is_dir():
            return
        for file in self.path.iterdir():
            if file.name != _MANIFEST:
                file.unlink()
        self._manifest.unlink(missing_ok=True)
        self.path.rmdir()

    def _published(self) -> bool:
        # A kill came while the folder was removed: some shards may be gone.
        lines = self._lines()
        said = lines[-1].get("joined") if lines else None
        return said is not None and self.out.is_file() and checksum(self.out) == said

    def _only_leftovers(self) -> bool:
        """Say whether there is nothing but what a kill leaves before there is a manifest."""
        return self.path.is_dir() and all(
            file.name.startswith(f".{_MANIFEST}.") for file in self.path.iterdir()
        )

    def _write(self, identity: Mapping[str, Any], shards: Sequence[Shard]) -> None:
        values = [{"format": FORMAT, **identity}, *map(asdict, shards)]
        write_text(self._manifest, "".join(_line(value) for value in values))

    def _append(self, value: Mapping[str, Any]) -> None:
        with self._manifest.open("a", encoding="utf-8") as file:
            file.write(_line(value))

    def _read(self) -> tuple[dict[str, Any], list[Shard]]:
        lines = self._lines()
        if not lines or lines[0].get("format") != FORMAT:
            raise RunError(
                f"{self._manifest}: this file cannot be read, or is of another version.",
                "Start again with --overwrite.",
            )
        return lines[0], [Shard(**line) for line in lines[1:] if "first" in line]

    def _lines(self) -> list[dict[str, Any]]:
        lines = []
        for line in self._manifest.read_text(encoding="utf-8").splitlines(keepends=True):
            if not line.endswith("\n"):
                break  # a kill came while it was written
            lines.append(json.loads(line))
        return lines


def checksum(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _line(value: Mapping[str, Any]) -> str:
    # ASCII, so that every line break in the file is one between lines.
    return json.dumps(value) + "\n"


def _plain(value: Any) -> Any:
    return json.loads(json.dumps(value))


@dataclass(frozen=True)
class Summary:
    """A finished scoring.

    Args:
        out: the output.
        rows: rows in it.
        errors: rows without an answer.
        truncated: texts of which a part was not read.
        labels: how often each answer was given.
        resumed: rows of these that were there from an interrupted scoring.
        seconds: how long the others took, joining included.
    """

    out: Path
    rows: int
    errors: int
    truncated: int
    labels: dict[str, int]
    resumed: int
    seconds: float

    @property
    def rows_per_second(self) -> float:
        """Rows scored in a second, without those that were there."""
        return (self.rows - self.resumed) / self.seconds

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as plain values that JSON can hold."""
        return {
            **asdict(self),
            "out": str(self.out),
            "seconds": round(self.seconds, 3),
            "rows_per_second": round(self.rows_per_second, 1),
        }

    @classmethod
    def of(
        cls,
        out: Path,
        shards: Sequence[Shard],
        *,
        resumed: int,
        classes: Sequence[str],
        seconds: float,
    ) -> Summary:
        """Add up the shards of an output; answers are listed in the order of the classes."""
        counts: Counter[str] = Counter()
        for shard in shards:
            counts.update(shard.labels)
        in_order = [name for name in classes if name in counts]
        others = [name for name in counts if name not in in_order]
        return cls(
            out=out,
            rows=shards[-1].end,
            errors=sum(shard.errors for shard in shards),
            truncated=sum(shard.truncated for shard in shards),
            labels={name: counts[name] for name in [*in_order, *others]},
            resumed=resumed,
            seconds=seconds,
        )
