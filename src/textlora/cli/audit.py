"""`textlora audit` and `textlora curve`."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from textlora.cli.options import (
    Delimiter,
    Encoding,
    Json,
    LabelColumn,
    LabelSeparator,
    Model,
    SetAsideBadRows,
    Settings,
    TextColumn,
    console_for,
    quiet_option,
)
from textlora.errors import ConfigError

if TYPE_CHECKING:
    from textlora.config import RunConfig

QuickRecipe = Annotated[
    str | None, quiet_option("--recipe", "A recipe or YAML file; else small, quick adapters.")
]


def audit(
    data: Annotated[str, typer.Argument(help="Labelled rows: a file, saved dataset or Hub id.")],
    recipe: QuickRecipe = None,
    model: Model = None,
    text_column: TextColumn = None,
    label_column: LabelColumn = None,
    delimiter: Delimiter = None,
    encoding: Encoding = None,
    label_separator: LabelSeparator = None,
    on_bad_rows: SetAsideBadRows = None,
    settings: Settings = None,
    folds: Annotated[
        int, typer.Option("--folds", help="Adapters, each trained on all folds but one.")
    ] = 5,
    word_counts: Annotated[
        bool,
        typer.Option(help="Whether TF-IDF + logistic regression has a say, half and half."),
    ] = True,
    top: Annotated[int, typer.Option("--top", min=0, help="Suspects to print.")] = 10,
    out: Annotated[
        Path | None, quiet_option("--out", "Folder to make; else runs/audit-TIME.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Find labels that are likely to be wrong: suspects.csv, the surest first."""
    from textlora.run import new_run_path

    config = _config(
        recipe,
        model,
        settings,
        train=data,
        text_column=text_column,
        label_column=label_column,
        delimiter=delimiter,
        encoding=encoding,
        label_separator=label_separator,
        on_bad_rows=on_bad_rows,
    )
    target, console = out or new_run_path("audit"), console_for(as_json)
    from textlora.auditing.audit import audit as run_audit

    done = run_audit(config, target, folds=folds, word_counts=word_counts, console=console)
    if as_json:
        shown = [asdict(suspect) for suspect in done.suspects[:top]]
        typer.echo(json.dumps({"out": str(target), **done.to_dict(), "top": shown}))
        return
    from textlora.auditing.showing import print_audit

    print_audit(done, target, console, top=top)


def curve(
    data: Annotated[str, typer.Argument(help="Rows to train on: a file, saved dataset or Hub id.")],
    valid: Annotated[
        str | None,
        quiet_option(
            "--valid", "Rows to measure on; else 20 % are split off (data.validation_size)."
        ),
    ] = None,
    recipe: QuickRecipe = None,
    model: Model = None,
    text_column: TextColumn = None,
    label_column: LabelColumn = None,
    delimiter: Delimiter = None,
    encoding: Encoding = None,
    label_separator: LabelSeparator = None,
    on_bad_rows: SetAsideBadRows = None,
    settings: Settings = None,
    shares: Annotated[
        str | None,
        quiet_option("--shares", "Of the training rows: 0.2,0.5,1; else five, from 10 % on."),
    ] = None,
    repeats: Annotated[
        int, typer.Option("--repeats", help="Trainings at each size, with other subsets.")
    ] = 1,
    out: Annotated[
        Path | None, quiet_option("--out", "Folder to make; else runs/curve-TIME.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Measure the accuracy at growing numbers of labels: are more labels worth it?"""
    from textlora.run import new_run_path

    config = _config(
        recipe,
        model,
        settings,
        train=data,
        validation=valid,
        text_column=text_column,
        label_column=label_column,
        delimiter=delimiter,
        encoding=encoding,
        label_separator=label_separator,
        on_bad_rows=on_bad_rows,
    )
    wanted = _shares(shares)
    target, console = out or new_run_path("curve"), console_for(as_json)
    from textlora.auditing.curve import curve as run_curve

    done = run_curve(config, target, shares=wanted, repeats=repeats, console=console)
    if as_json:
        typer.echo(json.dumps({"out": str(target), **done.to_dict()}))
        return
    from textlora.auditing.showing import print_curve

    print_curve(done, target, console)


def _config(
    recipe: str | None, model: str | None, settings: list[str] | None, **data: Any
) -> RunConfig:
    from textlora.auditing.audit import quick_recipe
    from textlora.recipes import load_recipe

    chosen = quick_recipe() if recipe is None else load_recipe(recipe)
    return chosen.without_sources().config(settings, data=data, model={"name_or_path": model})


def _shares(text: str | None) -> list[float] | None:
    if text is None:
        return None
    try:
        return [float(share) for share in text.split(",")]
    except ValueError:
        raise ConfigError(
            f"--shares {text}: these are no numbers.", "Write --shares 0.1,0.2,0.4,0.7,1"
        ) from None
