"""What `textlora score` shows: rows, rows a second and the time left; then a summary."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console

from textlora.scoring.scorer import Progress

if TYPE_CHECKING:
    from rich.progress import Task
    from rich.text import Text

    from textlora.scoring.summary import Summary


@contextmanager
def progress_of_rows(console: Console | None, total: int, done: int) -> Iterator[Progress]:
    """Show rows, rows a second and the time left.

    Args:
        console: where; None for silence.
        total: rows in the file.
        done: rows that were there before.

    Yields:
        A function to call with the number of rows done.
    """
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        ProgressColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    from textlora.report.terminal import LongWork

    class RowsPerSecond(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text("" if task.speed is None else f"{task.speed:,.0f} rows/s")

    with LongWork(
        console,
        "scoring",
        unit="rows",
        total=total,
        done=done,
        columns=(
            *("{task.description}", BarColumn(), MofNCompleteColumn()),
            *(RowsPerSecond(), TimeRemainingColumn()),
        ),
        # A chunk is answered longest text first: the speed is only known over a while.
        bar_options={"speed_estimate_period": 120},
    ) as work:
        yield work.advance


def print_summary(summary: Summary, error_column: str, console: Console) -> None:
    """Print what was written, how fast, and what to look at."""
    from textlora.report.wording import count, duration, percent

    def line(text: str, style: str = "") -> None:
        console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)

    def rows(number: int, one: str, many: str) -> str:
        return f"{count(number)} {one if number == 1 else many}"

    answered = summary.rows - summary.errors
    for name, times in summary.labels.items():
        line(f"{name}  {count(times)} ({percent(times / answered)})")
    before = f", {count(summary.resumed)} of them before" if summary.resumed else ""
    line(
        f"{rows(summary.rows, 'row', 'rows')}{before}, in {duration(summary.seconds)} "
        f"({summary.rows_per_second:,.0f} rows/s)"
    )
    if summary.truncated:
        cut = rows(summary.truncated, "text was", "texts were")
        line(f"{cut} too long to be read as a whole.")
    if summary.errors:
        bad = rows(summary.errors, "row has", "rows have")
        line(f"{bad} no answer: column '{error_column}' says why.", "yellow")
    line(f"Written to {summary.out}")
