"""What several commands take, and how they print."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from textlora.config import ComputeConfig


def quiet_option(name: str, help: str) -> Any:
    """Return an option without a default, so that help shows none."""
    return typer.Option(name, help=help, show_default=False)


Run = Annotated[Path, typer.Argument(help="Run folder, or an adapter folder.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Recipe = Annotated[
    str | None, quiet_option("--recipe", "A recipe's name, or a YAML file of settings.")
]
Model = Annotated[
    str | None, quiet_option("--model", "Hub id, local folder, or 'bundled' (works offline).")
]
Settings = Annotated[
    list[str] | None, quiet_option("--set", "Any setting: section.key=value. Repeatable.")
]
Split = Annotated[str | None, quiet_option("--split", "Split of a dataset.")]
TextColumn = Annotated[str | None, quiet_option("--text-column", "Column of the texts.")]
LabelColumn = Annotated[str | None, quiet_option("--label-column", "Column of the labels.")]
Delimiter = Annotated[str | None, quiet_option("--delimiter", "Of a text table.")]
Header = Annotated[
    bool | None,
    quiet_option("--header/--no-header", "Whether line 1 of a text table names the columns."),
]
Precision = Annotated[
    str | None,
    quiet_option("--precision", "auto, bf16 or fp32; fp32 gives the figures of plain PEFT."),
]
MinConfidence = Annotated[
    float | None,
    typer.Option(
        "--min-confidence",
        min=0,
        max=1,
        show_default=False,
        help="Answer 'unsure' below this confidence, 0 to 1.",
    ),
]
LabelSeparator = Annotated[
    str | None, quiet_option("--label-separator", "Several labels in a cell: multi-label.")
]
SetAsideBadRows = Annotated[
    str | None, quiet_option("--on-bad-rows", "'error' stops, 'skip' sets them aside.")
]
SkipBadRows = Annotated[
    str | None, quiet_option("--on-bad-rows", "'error' stops, 'skip' leaves them out.")
]
OnUnknownClasses = Annotated[
    str | None,
    quiet_option(
        "--on-unknown-classes", "'error' stops, 'skip' leaves out rows of classes not trained on."
    ),
]
MaxLength = Annotated[
    int | None, quiet_option("--max-length", "Tokens a text may have (data.max_length).")
]
Encoding = Annotated[str | None, quiet_option("--encoding", "Of the files; else UTF-8.")]


def compute_settings(precision: str | None) -> ComputeConfig | None:
    """Return the arithmetic that --precision asks for; None: as the run was trained."""
    from textlora.config import build_config

    if precision is None:
        return None
    return build_config({"compute": {"precision": precision}}, origin="--precision").compute


def console_for(quiet: bool) -> Console:
    """Return where progress goes; with `quiet` standard output stays free for JSON."""
    from rich.console import Console

    return Console(stderr=True) if quiet else Console()
