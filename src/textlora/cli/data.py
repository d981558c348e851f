"""`textlora inspect`."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from textlora.cli.options import (
    Delimiter,
    Encoding,
    Header,
    Json,
    LabelColumn,
    LabelSeparator,
    MaxLength,
    Recipe,
    Settings,
    TextColumn,
    console_for,
    quiet_option,
)
from textlora.errors import ConfigError

if TYPE_CHECKING:
    from textlora.config import RunConfig
    from textlora.data.loading import Parts
    from textlora.inspection.files import Tokens
    from textlora.inspection.records import Estimate


def inspect(
    data: Annotated[
        list[str] | None,
        typer.Argument(help="Training rows, as for train; then further files to compare with."),
    ] = None,
    valid: Annotated[str | None, quiet_option("--valid", "Validation rows.")] = None,
    test: Annotated[str | None, quiet_option("--test", "Test rows.")] = None,
    recipe: Recipe = None,
    model: Annotated[
        str | None, quiet_option("--model", "Its tokens are counted, and its training estimated.")
    ] = None,
    max_length: MaxLength = None,
    split: Annotated[str | None, quiet_option("--split", "Split of a dataset to train on.")] = None,
    text_column: TextColumn = None,
    label_column: LabelColumn = None,
    delimiter: Delimiter = None,
    header: Header = None,
    encoding: Encoding = None,
    label_separator: LabelSeparator = None,
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

    chosen = load_recipe(recipe)
    if data:
        chosen = chosen.without_sources()
    config = chosen.config(
        settings,
        data={
            "train": data[0] if data else None,
            "validation": valid,
            "test": test,
            "train_split": split,
            "max_length": max_length,
            "text_column": text_column,
            "label_column": label_column,
            "delimiter": delimiter,
            "header": header,
            "encoding": encoding,
            "label_separator": label_separator,
        },
        model={"name_or_path": model},
    )
    if config.data.train is None:
        raise ConfigError("There is nothing to inspect.", "Give a file: textlora inspect data.csv")
    if out is not None and not fix:
        raise ConfigError("--out is for --fix alone.", "Add --fix, or leave --out out.")
    folder = None
    if fix:
        folder = out or Path(f"{Path(config.data.train).stem}-cleaned")
    _inspect(
        config,
        (data or [])[1:],
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
    from textlora.model.backbones import Backbone, resolve_max_length

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
