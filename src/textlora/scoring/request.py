"""What is asked for: a file, an output, and how they are read and written."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from textlora.data.tables import ReadOptions
from textlora.errors import ConfigError
from textlora.scoring.chunks import Limits
from textlora.scoring.formats import check_output
from textlora.scoring.shards import WorkFolder


@dataclass(frozen=True)
class Request:
    """What is to be scored.

    Args:
        source: the file.
        out: the output; its suffix says its format.
        options: delimiter, encoding and text column of the source.
        prefix: what the names of the added columns start with.
        resume: go on where an interrupted scoring stopped, if there is one.
        overwrite: replace an output that is there.
        limits: how large a chunk may be.
    """

    source: str
    out: Path
    options: ReadOptions = field(default_factory=lambda: ReadOptions(labelled=False))
    prefix: str = ""
    resume: bool = False
    overwrite: bool = False
    limits: Limits = field(default_factory=Limits)

    def check(self) -> None:
        """Refuse an output that cannot be, before any work is done.

        Raises:
            ConfigError: its suffix names no format, or it is the source.
            RunError: it is there already, or an interrupted scoring is.
        """
        check_output(self.out)
        with suppress(OSError):  # one of the two is not there
            if self.out.samefile(self.source):
                raise ConfigError(f"--out {self.out} is the file to score.", "Name another file.")
        WorkFolder(self.out).check(resume=self.resume, overwrite=self.overwrite)
