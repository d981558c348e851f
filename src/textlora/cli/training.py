"""`textlora train`, `demo` and `recipes`."""

from __future__ import annotations

import json
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
    SettingsCommand,
    console_for,
    given_flags,
    quiet_option,
    settings_for,
    takes,
)
from textlora.errors import ConfigError

if TYPE_CHECKING:
    from rich.console import Console

    from textlora.config import RunConfig
    from textlora.files import RunFolder


@takes(
    *("--valid", "--test", "--model", *LABELLED, "--label-separator", "--on-bad-rows"),
    *("--min-rows-per-class", "--rare-classes", "--on-unknown-classes", "--max-length"),
    *("--epochs", "--learning-rate", "--batch-size", "--drop-leaks", "--class-weight"),
    *("--fast-prefix", "--no-baselines", "--full-fine-tuning", "--seed"),
)
def train(
    context: typer.Context,
    data: Annotated[
        str | None,
        typer.Argument(help="Training rows: CSV, TSV, JSON Lines, Parquet, saved dataset, Hub id."),
    ] = None,
    recipe: RecipeName = None,
    *,
    given: Given,
    settings: Settings = None,
    seeds: Annotated[
        int | None,
        quiet_option("--seeds", "Repeat with this many seeds: mean, spread, OUT/seed-42 …"),
    ] = None,
    out: Annotated[Path | None, quiet_option("--out", "Run folder; else runs/RECIPE-TIME.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a run in --out.")] = False,
    resume: Annotated[
        Path | None, quiet_option("--resume", "Go on with an interrupted run folder.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Train a classifier and write a run folder with adapter, figures and report."""
    from textlora.files import RunFolder, new_run_path
    from textlora.recipes import load_recipe

    if resume is not None:
        folder, config = RunFolder(resume), _resumed(context, RunFolder(resume))
    else:
        chosen = load_recipe(recipe)
        config = settings_for(chosen, data, settings, given)
        folder = RunFolder(out or new_run_path(chosen.name))
    if config.data.train is None:
        raise ConfigError(
            "There is nothing to train on.", "Give a file: textlora train reviews.csv"
        )
    console = console_for(as_json)
    if seeds is not None:
        _train_seeds(config, folder.path, seeds, console, overwrite=overwrite, as_json=as_json)
        return
    from textlora.training.job import train as run_training

    run = run_training(
        config, folder, console=console, resume=resume is not None, overwrite=overwrite
    )
    if as_json:
        from textlora.files import read_json

        typer.echo(json.dumps({"run": str(folder.path), **read_json(folder.metrics)}))
        return
    from textlora.training.reporting import print_run

    print_run(run, console)


def _resumed(context: typer.Context, folder: RunFolder) -> RunConfig:
    """Return the settings of an interrupted run; nothing on the command line may change them."""
    from textlora.recipes import load_recipe

    flags = given_flags(context)
    others = [flag for name, flag in flags.items() if name not in ("resume", "as_json")]
    if others:
        raise ConfigError(
            f"--resume takes the run folder alone; leave out {', '.join(others)}.",
            "Its settings are those of the run.",
        )
    folder.require_resumable()
    return load_recipe(str(folder.config)).config()


def _train_seeds(
    config: RunConfig, path: Path, seeds: int, console: Console, *, overwrite: bool, as_json: bool
) -> None:
    from textlora.files import SeedsFolder
    from textlora.training.seeds import train_seeds

    folder = SeedsFolder(path)
    summary = train_seeds(config, folder, seeds, console=console, overwrite=overwrite)
    if as_json:
        typer.echo(json.dumps({"folder": str(path), **summary.to_dict()}))
        return
    from textlora.report.terminal import repetitions_table

    console.print(repetitions_table(summary))
    console.print(f"Summary     {folder.summary}", markup=False, soft_wrap=True)


def demo(
    out: Annotated[Path, typer.Option(help="Run folder; replaced if it is a run.")] = Path(
        "demo-run"
    ),
) -> None:
    """Train on the reviews that come with textlora, offline, and show what it learnt."""
    from textlora.files import RunFolder
    from textlora.recipes import demo_config
    from textlora.training.job import train as run_training
    from textlora.training.reporting import print_run

    console = console_for(False)
    print_run(run_training(demo_config(), RunFolder(out), console=console, overwrite=True), console)


app = typer.Typer(help="Named settings: list, show and check them.", no_args_is_help=True)


@app.command("list")
def recipes_list(as_json: Json = False) -> None:
    """List the shipped recipes."""
    from textlora.recipes import load_recipe, recipe_names

    recipes = [load_recipe(name) for name in recipe_names()]
    if as_json:
        entries = [{"name": r.name, "title": r.title, "published": r.published} for r in recipes]
        typer.echo(json.dumps(entries))
        return
    for recipe in recipes:
        typer.echo(f"{recipe.name:<22} {recipe.title}")


@app.command("show")
def recipes_show(name: Annotated[str, typer.Argument(help="Name, or YAML file.")]) -> None:
    """Print a recipe with every setting, ready to be saved and changed."""
    from textlora.recipes import load_recipe

    recipe = load_recipe(name)
    typer.echo(f"# {recipe.title}")
    for figure, value in recipe.published.items():
        typer.echo(f"# published {figure}: {value}")
    typer.echo(recipe.config().to_yaml(), nl=False)


@app.command("check", cls=SettingsCommand)
@takes(Flag("--model", "model.name_or_path", "Another encoder."))
def recipes_check(
    name: Annotated[str | None, typer.Argument(help="Name, or YAML file; else all.")] = None,
    *,
    given: Given,
    settings: Settings = None,
    as_json: Json = False,
) -> None:
    """Build a recipe's model from its configuration alone and count its parameters."""
    from textlora.recipes import load_recipe, recipe_names

    configs = [
        load_recipe(each).config(settings, **given) for each in ([name] if name else recipe_names())
    ]
    from textlora.model.adapters import count_config

    counts = [(config, count_config(config)) for config in configs]
    if as_json:
        entries = [
            {
                "recipe": config.recipe,
                "model": config.model.name_or_path,
                "trainable": count.trainable,
                "total": count.total,
                "share": count.share,
            }
            for config, count in counts
        ]
        typer.echo(json.dumps(entries[0] if name else entries))
        return
    for config, count in counts:
        typer.echo(f"{config.recipe:<22} {config.model.name_or_path:<26} trainable {count}")
