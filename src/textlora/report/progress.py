"""The progress of long work: a bar in a terminal, lines in a log."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

from textlora.report.wording import duration

if TYPE_CHECKING:
    from rich.progress import ProgressColumn

SECONDS_BETWEEN_LINES = 30.0

Advance = Callable[[int], None]
Wait = Callable[[float], bool]
"""Waits so many seconds; True as soon as the work has ended."""


def may_show_bars(console: Console | None) -> bool:
    """Say whether something that moves can be shown: in a log it would leave empty lines."""
    return console is not None and (console.is_terminal or console.is_jupyter)


@dataclass
class LongWork:
    """What is shown of one long work while this context is open.

    Args:
        console: where; None for silence.
        doing: what is being done.
        unit: what is counted, in the plural.
        total: how many there are; 0: not known.
        done: how many were done before.
        columns: of the bar, in place of the usual ones.
        clock: seconds that pass.
        wait: between two lines; None: by a thread's own time.
        bar_options: of `rich.progress.Progress`.
    """

    console: Console | None
    doing: str
    unit: str = "texts"
    total: int = 0
    done: int = 0
    columns: Sequence[str | ProgressColumn] = ()
    clock: Callable[[], float] = time.monotonic
    wait: Wait | None = None
    bar_options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        counted = (MofNCompleteColumn(), TimeRemainingColumn()) if self.total else ()
        self._bar = Progress(
            *(self.columns or ("{task.description}", BarColumn(), *counted)),
            console=self.console,
            transient=True,
            disable=not may_show_bars(self.console),
            **self.bar_options,
        )
        self._task = self._bar.add_task(self.doing)
        self._ended = threading.Event()
        self._lines: threading.Thread | None = None
        self.begin(self.total, self.done)

    def __enter__(self) -> LongWork:
        self.begin(self.total, self.done)
        if may_show_bars(self.console):
            self._bar.start()
        elif self.console is not None and not self.console.quiet:
            self._lines = threading.Thread(target=self.say_lines, name="progress", daemon=True)
            self._lines.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        if self._lines is not None:
            self._lines.join()
        self._bar.stop()

    def begin(self, total: int, done: int = 0) -> None:
        """Say how many there are, and how many of them are done."""
        self.total, self.done, self._before = total, done, done
        self._started = self.clock()
        self._bar.update(self._task, total=total or None, completed=done)

    def advance(self, number: int) -> None:
        """Say that so many more are done."""
        self.reach(self.done + number)

    def reach(self, done: int) -> None:
        """Say how many are done in all."""
        self.done = done
        self._bar.update(self._task, completed=done)

    def say_lines(self) -> None:
        """Print a line every half minute until the work has ended."""
        wait = self.wait or self._ended.wait
        while not wait(SECONDS_BETWEEN_LINES):
            if self.console is not None:
                self.console.print(self.line, highlight=False, markup=False, soft_wrap=True)

    @property
    def line(self) -> str:
        """What a log says of it."""
        seconds = self.clock() - self._started
        told = f"{self.doing}: "
        if self.total:
            told += f"{self.done:,} of {self.total:,} {self.unit}, "
        told += duration(seconds)
        new = self.done - self._before
        if not self.total or new <= 0 or self.done >= self.total:
            return told
        return f"{told}, about {duration(seconds / new * (self.total - self.done))} left"


@contextmanager
def progress_bar(console: Console | None, doing: str, total: int) -> Iterator[Advance]:
    """Show how far a work on texts is.

    Args:
        console: where; None for silence.
        doing: what is being done.
        total: how many texts there are.

    Yields:
        A function to call with the number of texts done.
    """
    with LongWork(console, doing, total=total) as work:
        yield work.advance
