"""Tables and progress in the terminal and in a log."""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Callable

import numpy as np
import pytest
from rich.console import Console, RenderableType

from textlora.metrics.classification import ClassificationMetrics, classification_metrics
from textlora.metrics.records import BeforeAfter, EpochRecord
from textlora.report.progress import SECONDS_BETWEEN_LINES, LongWork, may_show_bars, progress_bar
from textlora.report.terminal import before_after_table, epochs_table, metrics_table


def printed(renderable: RenderableType) -> str:
    console = Console(width=120, record=True, file=None, force_terminal=False)
    with console.capture() as capture:
        console.print(renderable)
    return capture.get()


def test_metrics_table(metrics: ClassificationMetrics) -> None:
    shown = printed(metrics_table(metrics, "test part"))
    for entry in metrics.per_class:
        assert entry.name in shown
        for value in (entry.precision, entry.recall, entry.f1, metrics.macro_f1, metrics.accuracy):
            assert f"{100 * value:.1f} %" in shown
    assert f"MCC {metrics.mcc:.3f}" in shown
    assert "95 % interval" in shown
    assert "test part" in shown


def test_multi_label_metrics_table(predictions: Callable[..., tuple]) -> None:
    metrics = classification_metrics(
        *predictions(3, multi_label=True), list("abc"), multi_label=True
    )
    assert f"micro F1 {100 * (metrics.micro_f1 or 0):.1f} %" in printed(metrics_table(metrics))


def test_epochs_table(history: list[EpochRecord]) -> None:
    shown = printed(epochs_table(history))
    for words in ("Epoch", "Training loss", "Validation loss", "Accuracy", "F1"):
        assert words in shown
    for words in ("0.3012", "0.3456", "0.8720", "0.8710", "–", "2 *", "kept"):
        assert words in shown


def test_before_after_table_and_labels_that_look_like_markup() -> None:
    items = [
        BeforeAfter("[red]text[/red]", "[bold]a", 0.512, "[/]b", 0.987, "[/]b"),
        BeforeAfter("plain", "a", 0.5, "b", 0.6),
    ]
    shown = printed(before_after_table(items))
    for words in ("[red]text[/red]", "[bold]a 51.2 % ✗", "[/]b 98.7 % ✓", "b 60.0 %"):
        assert words in shown


def test_of_many_labels_before_training_the_most_probable_are_shown() -> None:
    """An untrained head gives about half of all labels, which says nothing."""
    many = [f"topic {number}" for number in range(15)]
    items = [
        BeforeAfter("a", ", ".join(sorted(many)), 0.5, "topic 3", 0.9, "topic 3", many),
        BeforeAfter("b", "x, y", 0.5, "z", 0.9, "x, y", ["y", "x"]),
        BeforeAfter("c", "(none)", 0.5, "z", 0.9, "z", []),
    ]
    shown = " ".join(printed(before_after_table(items)).split())
    assert "topic 0, topic 1, topic 2 and 12 more 50.0 % ✗" in shown
    assert "topic 14" not in shown
    assert "x, y 50.0 % ✓" in shown
    assert "(none) 50.0 % ✗" in shown


def test_class_names_that_look_like_markup(predictions: Callable[..., tuple]) -> None:
    metrics = classification_metrics(*predictions(2), ["[bold]x", "[/red]"])
    shown = printed(metrics_table(metrics, "[blink]part"))
    assert "[bold]x" in shown
    assert "[/red]" in shown
    assert "[blink]part" in shown


def test_of_many_classes_the_worst_and_the_best_are_shown() -> None:
    """Class i has i of its 30 texts right; two classes have no text."""
    names = [f"class-{number:02d}" for number in range(32)]
    truth = np.repeat(np.arange(30), 30)
    predicted = np.where(np.tile(np.arange(30), 30) < truth, truth, (truth + 1) % 30)
    metrics = classification_metrics(truth, np.eye(32)[predicted], names)
    lines = printed(metrics_table(metrics)).splitlines()
    shown = [line.split()[1] for line in lines if line.startswith("│ class")]
    f1 = {entry.name: entry.f1 for entry in metrics.per_class if entry.support}
    order = sorted(f1, key=lambda name: f1[name])
    assert shown == [*order[:10], *order[-5:]]
    assert any("… and 17 more in metrics.json and the report" in line for line in lines)
    assert [entry.name for entry in metrics.listed] == [*order, "class-30", "class-31"]


def test_of_few_classes_all_are_shown_in_their_own_order(
    predictions: Callable[..., tuple],
) -> None:
    names = [f"class-{number:02d}" for number in range(20)]
    metrics = classification_metrics(*predictions(20), names)
    lines = printed(metrics_table(metrics)).splitlines()
    assert [line.split()[1] for line in lines if line.startswith("│ class")] == names


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


def test_of_many_epochs_some_are_shown_and_the_kept_one_is() -> None:
    history = [
        EpochRecord(float(epoch), epoch, 0.5, 0.5, 0.8, 0.8, 0.6, 1e-4, 1.0, best=epoch == 38)
        for epoch in range(1, 55)
    ]
    shown = printed(epochs_table(history))
    epochs = [int(number) for number in re.findall(r"^│ (\d+)", shown, re.MULTILINE)]
    assert 10 < len(epochs) <= 18
    assert {1, 38, 54} <= set(epochs)
    assert "history.jsonl" in shown
    few = printed(epochs_table(history[:8]))
    assert len(re.findall(r"^│ (\d+)", few, re.MULTILINE)) == 8
