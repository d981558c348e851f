"""`textlora score`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from textlora.cli.options import (
    Delimiter,
    Encoding,
    Header,
    Json,
    MinConfidence,
    Precision,
    Run,
    TextColumn,
    compute_settings,
    console_for,
)


def score(
    run: Run,
    source: Annotated[
        str, typer.Argument(metavar="IN", help="Rows: .csv, .tsv, .jsonl or .parquet.")
    ],
    out: Annotated[
        Path, typer.Option("--out", help="Same formats, by suffix; there when it is complete.")
    ],
    text_column: TextColumn = None,
    delimiter: Delimiter = None,
    header: Header = None,
    encoding: Encoding = None,
    prefix: Annotated[
        str, typer.Option("--prefix", help="What the added columns' names start with.")
    ] = "",
    min_confidence: MinConfidence = None,
    precision: Precision = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on where an interrupted scoring stopped.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace what is there, and start at the first row.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Score a file of any size: every row and column, with label, probabilities and error."""
    from textlora.scoring.job import score_file
    from textlora.scoring.request import Request, read_options
    from textlora.scoring.scorer import load_scorer
    from textlora.scoring.screen import print_summary

    options = read_options(
        run,
        source,
        text_column=text_column,
        delimiter=delimiter,
        header=header,
        encoding=encoding,
    )
    request = Request(source, out, options, prefix, resume=resume, overwrite=overwrite)
    request.check()
    console = console_for(as_json)
    scorer = load_scorer(run, compute_settings(precision), min_confidence)
    summary = score_file(request, scorer, console)
    if as_json:
        typer.echo(json.dumps(summary.to_dict()))
    else:
        print_summary(summary, f"{prefix}error", console)
