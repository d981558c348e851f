"""`textlora inspect`, `audit` and `curve`."""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from textlora.cli.options import (
    LABELLED,
    Flag,
    Given,
    Json,
    RecipeName,
    Settings,
    console_for,
    quiet_option,
    settings_for,
    takes,
)
from textlora.errors import ConfigError

if TYPE_CHECKING:
    from textlora.config import RunConfig
    from textlora.data.loading import Parts
    from textlora.inspection.files import Tokens
    from textlora.inspection.findings import Estimate
    from textlora.recipes import Recipe


@takes(
    Flag("--valid", "data.validation", "Validation rows."),
    Flag("--test", "data.test", "Test rows."),
    Flag("--model", "model.name_or_path", "Its tokens are counted, and its training estimated."),
    "--max-length",
    Flag("--split", "data.train_split", "Split of a dataset to train on."),
    *LABELLED,
    "--label-separator",
)
def inspect(
    data: Annotated[
        list[str] | None,
        typer.Argument(help="Training rows, as for train; then further files to compare with."),
    ] = None,
    recipe: RecipeName = None,
    *,
    given: Given,
    settings: Settings = None,
    no_near: Annotated[
        bool, typer.Option("--no-near", help="Do not search near duplicates.")
    ] = False,
    no_estimate: Annotated[
        bool, typer.Option("--no-estimate", help="Do not measure what training will take.")
    ] = False,
    fix: Annotated[
        bool, typer.Option("--fix", help="Write cleaned copies and dropped.csv into --out.")
    ] = False,
    out: Annotated[
        Path | None, quiet_option("--out", "Folder for --fix; else NAME-cleaned.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Look at data before training: copies, leakage, labels, lengths, time and memory."""
    from textlora.recipes import load_recipe

    train, further = (data[0], data[1:]) if data else (None, [])
    config = settings_for(load_recipe(recipe), train, settings, given)
    if config.data.train is None:
        raise ConfigError("There is nothing to inspect.", "Give a file: textlora inspect data.csv")
    if out is not None and not fix:
        raise ConfigError("--out is for --fix alone.", "Add --fix, or leave --out out.")
    folder = None
    if fix:
        folder = out or Path(f"{Path(config.data.train).stem}-cleaned")
    _inspect(
        config,
        further,
        folder=folder,
        near=not no_near,
        estimate=not no_estimate,
        as_json=as_json,
    )


def _inspect(
    config: RunConfig,
    further: list[str],
    *,
    folder: Path | None,
    near: bool,
    estimate: bool,
    as_json: bool,
) -> None:
    from textlora.files import cache_dir, check_free
    from textlora.inspection.files import inspect_files
    from textlora.inspection.fixing import plan_fix, write_fix
    from textlora.inspection.screen import print_fix, print_inspection

    if folder is not None:
        check_free(folder)
    console = console_for(as_json)
    found = inspect_files(
        config.data,
        further,
        near=near,
        load_tokens=partial(_load_tokens, config),
        measure=partial(_measure, config) if estimate else None,
        cache_dir=cache_dir() / "tokens",
        console=console,
    )
    told = found.inspection.to_dict()
    if not as_json:
        print_inspection(found.inspection, console)
    if folder is not None:
        fix = plan_fix(found.facts)
        written = write_fix(fix, found.files, config.data, folder)
        told["fix"] = {
            "folder": str(folder),
            "files": {part: str(path) for part, path in written.items()},
            "dropped": len(fix.dropped),
            "respelled": fix.respelled_rows,
        }
        if not as_json:
            print_fix(fix, written, folder, console)
    if as_json:
        typer.echo(json.dumps(told))


def _load_tokens(config: RunConfig) -> Tokens:
    from textlora.inspection.files import Tokens
    from textlora.model.encoders import Backbone, resolve_max_length

    backbone = Backbone(config.model.name_or_path, config.model.revision)
    tokenizer = backbone.load_tokenizer()
    model = backbone.load_config()
    return Tokens(
        tokenizer,
        max_length=resolve_max_length(config.data.max_length, model, tokenizer),
        longest_allowed=resolve_max_length(None, model, tokenizer),
    )


def _measure(config: RunConfig, parts: Parts) -> Estimate:
    from textlora.training.estimate import estimate_training

    return estimate_training(config, parts)


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
    from textlora.files import new_run_path

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
    from textlora.files import new_run_path

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
