"""How far a work is: a bar on a terminal, and a line every half minute in a log."""

from __future__ import annotations

import io
import threading

import pytest
from rich.console import Console

from textlora.evaluation.progress import (
    SECONDS_BETWEEN_LINES,
    LongWork,
    may_show_bars,
    progress_bar,
)


class Script:
    """A clock that is moved by whoever waits: each wait does a part of the work and passes time."""

    def __init__(self, *steps: int) -> None:
        self.steps = list(steps)
        self.now = 0.0
        self.work: LongWork | None = None

    def clock(self) -> float:
        return self.now

    def wait(self, seconds: float) -> bool:
        if not self.steps:
            return True
        self.now += seconds
        assert self.work is not None
        self.work.advance(self.steps.pop(0))
        return False


def said(script: Script, **settings: object) -> list[str]:
    """Return the lines in a log."""
    log = io.StringIO()
    work = LongWork(
        Console(file=log),
        "training",
        clock=script.clock,
        wait=script.wait,
        **settings,  # type: ignore[arg-type]
    )
    script.work = work
    work.say_lines()
    return log.getvalue().splitlines()


def test_a_log_gets_a_line_every_half_minute() -> None:
    assert SECONDS_BETWEEN_LINES <= 30
    assert said(Script(100, 0, 300), unit="steps", total=500) == [
        "training: 100 of 500 steps, 30 s, about 2 min 00 s left",
        "training: 100 of 500 steps, 1 min 00 s, about 4 min 00 s left",
        "training: 400 of 500 steps, 1 min 30 s, about 22 s left",
    ]


def test_what_was_done_before_says_nothing_of_the_speed() -> None:
    assert said(Script(10), total=1_000, done=980) == [
        "training: 990 of 1,000 texts, 30 s, about 30 s left"
    ]
    assert said(Script(0), total=1_000, done=980) == ["training: 980 of 1,000 texts, 30 s"]
    assert said(Script(20), total=1_000, done=980) == ["training: 1,000 of 1,000 texts, 30 s"]


def test_work_of_unknown_length_says_how_long_it_takes() -> None:
    assert said(Script(0, 0)) == ["training: 30 s", "training: 1 min 00 s"]


def test_lines_are_said_beside_the_work_and_end_with_it() -> None:
    asked, log = threading.Event(), io.StringIO()

    def wait(seconds: float) -> bool:
        first = not asked.is_set()
        asked.set()
        return not first

    with LongWork(Console(file=log), "encoding", clock=lambda: 0.0, wait=wait) as work:
        assert asked.wait(60)
    assert log.getvalue() == "encoding: 0 s\n"
    assert work._lines is not None
    assert not work._lines.is_alive()


@pytest.mark.parametrize("console", [None, Console(quiet=True), Console(force_terminal=True)])
def test_no_lines_where_nobody_reads_or_a_bar_is_shown(console: Console | None) -> None:
    with LongWork(console, "encoding", total=3) as work:
        work.advance(3)
    assert work._lines is None


@pytest.mark.parametrize(("terminal", "words"), [(True, "counting"), (False, "")])
def test_a_bar_is_for_a_terminal(terminal: bool, words: str) -> None:
    shown = io.StringIO()
    console = Console(file=shown, force_terminal=terminal)
    assert may_show_bars(console) == terminal
    with progress_bar(console, "counting", 3) as progress:
        progress(3)
    assert words in shown.getvalue()
    assert bool(shown.getvalue()) == terminal


def test_silence_without_a_console() -> None:
    with progress_bar(None, "counting", 3) as progress:
        progress(3)
