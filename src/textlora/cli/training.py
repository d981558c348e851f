"""`textlora train`, `demo` and `recipes`."""

from __future__ import annotations

import json
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
    Model,
    OnUnknownClasses,
    Recipe,
    SetAsideBadRows,
    Settings,
    SettingsCommand,
    TextColumn,
    console_for,
    quiet_option,
    refuse_beside,
)
from textlora.errors import ConfigError

if TYPE_CHECKING:
    from rich.console import Console

    from textlora.config import RunConfig


def train(
    context: typer.Context,
    data: Annotated[
        str | None,
        typer.Argument(help="Training rows: CSV, TSV, JSON Lines, Parquet, saved dataset, Hub id."),
    ] = None,
    valid: Annotated[
        str | None, quiet_option("--valid", "Validation rows; else split off.")
    ] = None,
    test: Annotated[str | None, quiet_option("--test", "Test rows, used once, at the end.")] = None,
    recipe: Recipe = None,
    model: Model = None,
    text_column: TextColumn = None,
    label_column: LabelColumn = None,
    delimiter: Delimiter = None,
    header: Header = None,
    encoding: Encoding = None,
    label_separator: LabelSeparator = None,
    on_bad_rows: SetAsideBadRows = None,
    min_rows_per_class: Annotated[
        int | None, quiet_option("--min-rows-per-class", "Rows a class needs to be learnt.")
    ] = None,
    rare_classes: Annotated[
        str | None,
        quiet_option("--rare-classes", "Classes with fewer: 'drop', or merge into 'other'."),
    ] = None,
    on_unknown_classes: OnUnknownClasses = None,
    max_length: MaxLength = None,
    epochs: Annotated[float | None, quiet_option("--epochs", "Passes over the rows.")] = None,
    learning_rate: Annotated[
        float | None, quiet_option("--learning-rate", "Peak learning rate.")
    ] = None,
    batch_size: Annotated[int | None, quiet_option("--batch-size", "Rows in a step.")] = None,
    drop_leaks: Annotated[
        bool,
        typer.Option(
            "--drop-leaks", help="Leave out training rows that validation or test have, too."
        ),
    ] = False,
    class_weight: Annotated[
        str | None,
        quiet_option("--class-weight", "'balanced': rare classes count for more in the loss."),
    ] = None,
    fast_prefix: Annotated[
        bool,
        typer.Option(
            "--fast-prefix",
            help="Run the layers below the adapters only once; needs lora.layers such as top:2.",
        ),
    ] = False,
    no_baselines: Annotated[
        bool, typer.Option("--no-baselines", help="Train no baselines, and reach no verdict.")
    ] = False,
    full_fine_tuning: Annotated[
        bool, typer.Option("--full-fine-tuning", help="Train all parameters, too, to compare.")
    ] = False,
    settings: Settings = None,
    seed: Annotated[int | None, quiet_option("--seed", "Seed of the training.")] = None,
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
    from textlora.recipes import load_recipe
    from textlora.run import RunFolder, new_run_path

    if resume is not None:
        refuse_beside(context, "resume", ["as_json"], "Its settings are those of the run.")
        folder = RunFolder(resume)
        folder.require_resumable()
        config = load_recipe(str(folder.config)).config()
    else:
        chosen = load_recipe(recipe)
        if data is not None:
            chosen = chosen.without_sources()
        config = chosen.config(
            settings,
            data={
                "train": data,
                "validation": valid,
                "test": test,
                "text_column": text_column,
                "label_column": label_column,
                "delimiter": delimiter,
                "header": header,
                "encoding": encoding,
                "label_separator": label_separator,
                "on_bad_rows": on_bad_rows,
                "min_rows_per_class": min_rows_per_class,
                "rare_classes": rare_classes,
                "on_unknown_classes": on_unknown_classes,
                "max_length": max_length,
                "drop_leaks": drop_leaks or None,
            },
            model={"name_or_path": model},
            training={
                "num_train_epochs": epochs,
                "learning_rate": learning_rate,
                "per_device_train_batch_size": batch_size,
                "class_weight": class_weight,
                "seed": seed,
            },
            compute={"prefix_cache": fast_prefix or None},
            evaluation={
                "baselines": False if no_baselines else None,
                "full_fine_tuning": full_fine_tuning or None,
            },
        )
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
        from textlora.run import read_json

        typer.echo(json.dumps({"run": str(folder.path), **read_json(folder.metrics)}))
        return
    from textlora.training.reporting import print_run

    print_run(run, console)


def _train_seeds(
    config: RunConfig, path: Path, seeds: int, console: Console, *, overwrite: bool, as_json: bool
) -> None:
    from textlora.run import SeedsFolder
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
    from textlora.demo import demo_config
    from textlora.run import RunFolder

    config = demo_config()
    console = console_for(False)
    from textlora.training.job import train as run_training
    from textlora.training.reporting import print_run

    print_run(run_training(config, RunFolder(out), console=console, overwrite=True), console)


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
def recipes_check(
    name: Annotated[str | None, typer.Argument(help="Name, or YAML file; else all.")] = None,
    model: Annotated[str | None, quiet_option("--model", "Another encoder.")] = None,
    settings: Annotated[
        list[str] | None, quiet_option("--set", "Any setting: section.key=value. Repeatable.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Build a recipe's model from its configuration alone and count its parameters."""
    from textlora.recipes import load_recipe, recipe_names

    configs = [
        load_recipe(each).config(settings, model={"name_or_path": model})
        for each in ([name] if name else recipe_names())
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
