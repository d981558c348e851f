"""`textlora compare`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from textlora.cli.options import (
    Delimiter,
    Encoding,
    Json,
    LabelColumn,
    OnUnknownClasses,
    Precision,
    SkipBadRows,
    Split,
    TextColumn,
    compute_settings,
    console_for,
    quiet_option,
)
from textlora.errors import ConfigError


def compare(
    runs: Annotated[list[Path], typer.Argument(help="Run folders; each is set against the first.")],
    data: Annotated[
        str | None,
        quiet_option("--data", "Labelled rows to ask all of them about; else their test parts."),
    ] = None,
    split: Split = None,
    text_column: TextColumn = None,
    label_column: LabelColumn = None,
    delimiter: Delimiter = None,
    encoding: Encoding = None,
    on_bad_rows: SkipBadRows = None,
    on_unknown_classes: OnUnknownClasses = None,
    precision: Precision = None,
    as_json: Json = False,
) -> None:
    """Set finished runs side by side on the same rows: figures, differences, how sure they are."""
    console = console_for(as_json)
    reading = {
        "test_split": split,
        "text_column": text_column,
        "label_column": label_column,
        "delimiter": delimiter,
        "encoding": encoding,
        "on_bad_rows": on_bad_rows,
        "on_unknown_classes": on_unknown_classes,
    }
    if data is None and (precision or any(reading.values())):
        raise ConfigError("Options of reading need rows to read.", "Give them with --data FILE.")
    from textlora.inference.comparing import compare_on, compare_runs

    if data is None:
        compared = compare_runs(runs)
    else:
        compute = compute_settings(precision)
        compared = compare_on(runs, data, console=console, compute=compute, **reading)
    if as_json:
        typer.echo(json.dumps(compared.to_dict()))
        return
    from textlora.report.terminal import side_by_side_table

    console.print(side_by_side_table(compared))
