"""`textlora audit` and `textlora curve`."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from textlora.cli.options import (
    LABELLED,
    Flag,
    Given,
    Json,
    Settings,
    console_for,
    quiet_option,
    settings_for,
    takes,
)
from textlora.errors import ConfigError

if TYPE_CHECKING:
    from textlora.recipes import Recipe

QuickRecipe = Annotated[
    str | None, quiet_option("--recipe", "A recipe or YAML file; else small, quick adapters.")
]


_FLAGS = ("--model", *LABELLED, "--label-separator", "--on-bad-rows")


@takes(*_FLAGS)
def audit(
    data: Annotated[str, typer.Argument(help="Labelled rows: a file, saved dataset or Hub id.")],
    recipe: QuickRecipe = None,
    *,
    given: Given,
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

    config = settings_for(_chosen(recipe), data, settings, given)
    target, console = out or new_run_path("audit"), console_for(as_json)
    from textlora.auditing.audit import audit as run_audit

    done = run_audit(config, target, folds=folds, word_counts=word_counts, console=console)
    if as_json:
        shown = [asdict(suspect) for suspect in done.suspects[:top]]
        typer.echo(json.dumps({"out": str(target), **done.to_dict(), "top": shown}))
        return
    from textlora.auditing.showing import print_audit

    print_audit(done, target, console, top=top)


@takes(
    Flag(
        "--valid",
        "data.validation",
        "Rows to measure on; else 20 % are split off (data.validation_size).",
    ),
    *_FLAGS,
)
def curve(
    data: Annotated[str, typer.Argument(help="Rows to train on: a file, saved dataset or Hub id.")],
    recipe: QuickRecipe = None,
    *,
    given: Given,
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

    config = settings_for(_chosen(recipe), data, settings, given)
    wanted = _shares(shares)
    target, console = out or new_run_path("curve"), console_for(as_json)
    from textlora.auditing.curve import curve as run_curve

    done = run_curve(config, target, shares=wanted, repeats=repeats, console=console)
    if as_json:
        typer.echo(json.dumps({"out": str(target), **done.to_dict()}))
        return
    from textlora.auditing.showing import print_curve

    print_curve(done, target, console)


def _chosen(recipe: str | None) -> Recipe:
    from textlora.auditing.audit import quick_recipe
    from textlora.recipes import load_recipe

    return quick_recipe() if recipe is None else load_recipe(recipe)


def _shares(text: str | None) -> list[float] | None:
    if text is None:
        return None
    try:
        return [float(share) for share in text.split(",")]
    except ValueError:
        raise ConfigError(
            f"--shares {text}: these are no numbers.", "Write --shares 0.1,0.2,0.4,0.7,1"
        ) from None
