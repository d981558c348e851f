"""What `audit` and `curve` show in the terminal."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from textlora.auditing.audit import Audit
from textlora.auditing.folder import AuditFolder, CurveFolder
from textlora.auditing.learning_curve import LearningCurve
from textlora.data.tables import shortened
from textlora.report.wording import column, count, duration, metric_value, percent

_SHOWN_CHARACTERS = 160


def print_audit(done: Audit, out: Path, console: Console, *, top: int) -> None:
    """Print the surest suspects, what was found, and where everything is."""
    flagged = sum(suspect.flagged for suspect in done.suspects)
    console.print()
    if done.suspects[:top]:
        console.print(suspects_table(done, top))
        console.print()
    console.print(
        f"{count(flagged)} of {count(len(done.part))} labels are flagged as likely wrong "
        f"({percent(flagged / len(done.part))}), {count(len(done.suspects))} are in doubt.",
        style="bold",
        highlight=False,
    )
    console.print(
        f"Models that did not see a text agree with {percent(done.metrics.accuracy)} "
        "of the labels. "
        "A suspect is a label to look at, not one to change unseen.",
        highlight=False,
    )
    console.print(f"Audited in {duration(done.seconds)}.", highlight=False)
    suspects = AuditFolder(out).suspects
    console.print(f"Suspects    {suspects}", markup=False, soft_wrap=True)


def suspects_table(done: Audit, top: int) -> Table:
    """Return the surest suspects, one a row."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("Line", "Given", "Suggested"):
        table.add_column(name, justify="right" if name == "Line" else "left", no_wrap=True)
    table.add_column("Sure", justify="right", no_wrap=True)
    table.add_column("Text", ratio=1, overflow="fold")
    for suspect in done.suspects[:top]:
        table.add_row(
            str(suspect.line),
            escape(suspect.given_label or "(none)"),
            escape(suspect.suggested_label or "(none)"),
            percent(1 - suspect.label_quality),
            escape(_short(suspect.text)),
        )
    return table


def print_curve(done: LearningCurve, out: Path, console: Console) -> None:
    """Print the points, the verdict, and where everything is."""
    console.print()
    console.print(points_table(done))
    console.print()
    console.print(done.verdict, style="bold", highlight=False)
    console.print(f"Measured in {duration(done.seconds)}.", highlight=False)
    console.print(f"Plot        {CurveFolder(out).plot}", markup=False, soft_wrap=True)


def points_table(done: LearningCurve) -> Table:
    """Return the measured points, and the extrapolated one in a section of its own."""
    table = Table(
        title=f"{column(done.metric)} on {count(done.validation_rows)} validation texts",
        title_justify="left",
        header_style="dim",
    )
    for name in ("Labels", column(done.metric), "95 % interval"):
        table.add_column(name, justify="right", no_wrap=True)
    several = len(done.points[0].repeats) > 1
    if several:
        table.add_column("Lowest to highest", justify="right", no_wrap=True)
    for point in done.points:
        bounds = point.interval
        spread = [_range(min(point.repeats), max(point.repeats))] if several else []
        table.add_row(
            count(point.rows),
            metric_value(done.metric, point.value),
            _range(bounds.low, bounds.high),
            *spread,
        )
    found = done.extrapolation
    if found is not None:
        bounds = found.value_interval
        table.add_section()
        table.add_row(
            f"{count(found.rows)} *",
            metric_value(done.metric, found.value),
            _range(bounds.low, bounds.high),
            style="dim",
        )
        table.caption = "* extrapolated, not measured"
        table.caption_justify = "left"
    return table


def _range(low: float, high: float) -> str:
    return f"{100 * low:.1f} to {100 * high:.1f}"


def _short(text: str) -> str:
    return shortened(" ".join(text.split()), _SHOWN_CHARACTERS)
