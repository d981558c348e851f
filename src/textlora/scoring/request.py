"""What is asked for: a file, an output, and how they are read and written."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from textlora.data.tables import ReadOptions
from textlora.errors import ConfigError
from textlora.recipes import saved_config
from textlora.run import RunFolder
from textlora.scoring.chunks import Limits
from textlora.scoring.formats import check_output, is_delimited
from textlora.scoring.shards import WorkFolder


def read_options(
    run: Path,
    source: str,
    *,
    text_column: str | None = None,
    delimiter: str | None = None,
    header: bool | None = None,
    encoding: str | None = None,
) -> ReadOptions:
    """Return how a file is read.

    Unless it is asked, a text table has a header if those that the run was trained on had one; if
    neither has, its texts are where theirs were.

    Args:
        run: run folder, or adapter folder.
        source: the file.
        text_column: column with the texts; None: found.
        delimiter: field delimiter; None: by the file's suffix.
        header: whether the first line names the columns; None: as in the run.
        encoding: None: UTF-8.

    Raises:
        ConfigError: the run's settings cannot be read.
    """
    trained_on = saved_config(RunFolder(run).config).data
    named = trained_on.header if header is None else header
    if not named and text_column is None and is_delimited(source):
        text_column = None if trained_on.header else trained_on.text_column
    return ReadOptions(
        text_column=text_column,
        delimiter=delimiter,
        header=named,
        encoding=encoding or ReadOptions.encoding,
        labelled=False,
    )


@dataclass(frozen=True)
class Request:
    """What is to be scored.

    Args:
        source: the file.
        out: the output; its suffix says its format.
        options: how the source is read.
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
