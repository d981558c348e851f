"""An inspection in the terminal: the worst first; and the few lines that `train` shows."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from textlora.inspection.corpus import short_names
from textlora.inspection.findings import Estimate, Inspection, Lengths, PartSummary
from textlora.inspection.fixing import DROPPED_NAME, Fix
from textlora.report.terminal import MARGIN, labelled
from textlora.report.view import Example, Finding
from textlora.report.wording import count, duration, percent, size

_STYLES = {"error": "bold red", "warning": "bold yellow", "note": "cyan"}
_SHOWN_CLASSES = 6
_BAR = 24

# What a person who trains must know; the rest is for those who ask.
_SHORT = (
    *("leakage", "near_leakage", "conflicts", "label_spelling", "duplicates", "near_duplicates"),
    *("html", "truncation", "imbalance", "missing_class", "small_class"),
)


def short_lines(inspection: Inspection) -> list[str]:
    """Return the findings that matter in a training, a line each, the worst first.

    Notes are left out, so that good data give no line at all.
    """
    return [
        # Leakage alone has a remedy that is one flag of this very command.
        f"{finding.message} {finding.remedy}" if finding.kind == "leakage" else finding.message
        for finding in inspection.findings
        if finding.kind in _SHORT and finding.severity != "note"
    ]


def print_inspection(inspection: Inspection, console: Console) -> None:
    """Print parts, findings, lengths and estimate."""
    for number, part in enumerate(inspection.parts):
        console.print(labelled("Data" if number == 0 else "", _part_line(part)))
    console.print()
    if not inspection.findings:
        console.print(Text("Nothing to mend was found.", style="green"))
    examples = [one for finding in inspection.findings for one in finding.examples]
    names = short_names(
        [*(part.source for part in inspection.parts), *(e.source for e in examples)]
    )
    for finding in inspection.findings:
        _print_finding(finding, names, console)
    if inspection.lengths is not None:
        console.print()
        _print_lengths(inspection.lengths, console)
    if inspection.estimate is not None:
        console.print()
        _print_estimate(inspection.estimate, console)
    for line in inspection.left_out:
        console.print()
        console.print(labelled("Left out", line))


def print_fix(fix: Fix, written: Mapping[str, Path], folder: Path, console: Console) -> None:
    """Print what was dropped and rewritten, and where the copies are."""
    reasons = Counter(_without_place(row.reason) for row in fix.dropped)
    respelled = f", {count(fix.respelled_rows)} respelled" if fix.respelled_rows else ""
    console.print()
    console.print(labelled("Fixed", f"{count(len(fix.dropped))} rows dropped{respelled}"))
    for reason, rows in reasons.most_common():
        console.print(labelled("", f"{count(rows)} because {reason}"))
    for part, path in written.items():
        console.print(labelled("", f"{path}: {count(fix.rows[part])} rows"))
    console.print(labelled("", f"{folder / DROPPED_NAME} says what was dropped and why"))
    flags = {"train": "", "validation": "--valid ", "test": "--test "}
    files = [f"{flags[part]}{path}" for part, path in written.items() if part in flags]
    console.print(labelled("Next", f"textlora train {' '.join(files)}"))


def _without_place(reason: str) -> str:
    """Return a reason without its lines and files, so that equal ones can be counted."""
    return re.sub(r"^line \d+ has", "another row has", re.sub(r" \(.* line \d+\)$", "", reason))


def _part_line(part: PartSummary) -> str:
    shown = ", ".join(f"{one.name}: {count(one.rows)}" for one in part.classes[:_SHOWN_CLASSES])
    if len(part.classes) > _SHOWN_CLASSES:
        shown += f" and {len(part.classes) - _SHOWN_CLASSES} more classes"
    line = f"{part.name}: {part.source}, {count(part.rows)} rows, median {count(part.words)} words"
    return f"{line}\n{shown}" if shown else line


def _print_finding(finding: Finding, names: Mapping[str, str], console: Console) -> None:
    console.print(labelled(finding.severity, finding.message, _STYLES[finding.severity]))
    for example in finding.examples:
        console.print(Padding(_example(example, names), (0, 0, 0, MARGIN)))
    if finding.remedy:
        console.print(Padding(Text(f"→ {finding.remedy}", style="green"), (0, 0, 0, MARGIN)))


def _example(example: Example, names: Mapping[str, str]) -> Text:
    line = Text(f"{names[example.source]} line {example.line}", style="dim")
    if example.note:
        line.append(f", {example.note}")
    if example.text:
        line.append(f': "{example.text}"')
    return line


def _print_lengths(lengths: Lengths, console: Console) -> None:
    console.print(
        labelled(
            "Lengths",
            f"{count(lengths.median)} tokens in the middle text, {count(lengths.p95)} or fewer in "
            f"95 of 100, {count(lengths.longest)} in the longest",
        )
    )
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("max_length", "texts cut", "", "tokens lost"):
        table.add_column(name, justify="right")
    table.add_column("")
    for loss in lengths.losses:
        chosen = loss.max_length == lengths.max_length
        table.add_row(
            str(loss.max_length),
            count(loss.rows),
            percent(loss.row_share),
            percent(loss.token_share),
            "this training" if chosen else "",
            style="bold" if chosen else None,
        )
    console.print(Padding(table, (0, 0, 0, MARGIN)))
    console.print(Padding(_histogram(lengths), (1, 0, 0, MARGIN)))


def _histogram(lengths: Lengths) -> Table:
    """Return the histogram as bars, two bins of the record in one."""
    pairs = [lengths.bins[start : start + 2] for start in range(0, len(lengths.bins), 2)]
    rows = [(pair[-1].up_to, sum(one.rows for one in pair)) for pair in pairs]
    highest = max(number for _, number in rows)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("tokens up to", justify="right")
    table.add_column("texts", justify="right")
    table.add_column("", no_wrap=True)
    for up_to, number in rows:
        table.add_row(count(up_to), count(number), "█" * round(_BAR * number / highest))
    return table


def _print_estimate(estimate: Estimate, console: Console) -> None:
    memory = [] if estimate.memory_bytes is None else [size(estimate.memory_bytes)]
    if estimate.gpu_memory_bytes is not None:
        memory.append(f"{size(estimate.gpu_memory_bytes)} on the GPU")
    pieces = [
        (estimate.prepare_seconds, "for the frozen layers"),
        (estimate.start_seconds, "for the start of the head"),
        (estimate.epoch_seconds, "an epoch"),
        (estimate.evaluation_seconds, "an evaluation"),
    ]
    training = ", ".join(f"{_span(seconds)} {what}" for seconds, what in pieces if seconds)
    baselines = (
        f" and {_span(estimate.baseline_seconds)} for the baselines"
        if estimate.baseline_seconds
        else ""
    )
    again = (
        f", {_span(estimate.refit_seconds)} once more on all rows" if estimate.refit_seconds else ""
    )
    console.print(
        labelled(
            "Estimate",
            f"about {_span(estimate.seconds)} of training: {training}, {estimate.epochs:g} epochs"
            f"{again}; "
            f"then {_span(estimate.final_seconds)} for the final figures{baselines}",
        )
    )
    told = f"memory {' and '.join(memory)}, " if memory else ""
    console.print(labelled("", f"{told}disk {size(estimate.disk_bytes)}"))
    console.print(
        labelled(
            "",
            f"measured by {estimate.steps} steps at {estimate.tokens_per_second:,.0f} tokens/s; "
            f"{estimate.path}",
        )
    )


def _span(seconds: float) -> str:
    return duration(seconds) if seconds >= 1 else "1 s"
