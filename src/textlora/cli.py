"""The command line: one function a verb.

Heavy modules are imported inside the functions, so that `--help` answers at once.
"""

from __future__ import annotations

import json
import os
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from textlora.errors import ConfigError, TextloraError

if TYPE_CHECKING:
    from rich.console import Console

    from textlora.config import ComputeConfig

app = typer.Typer(
    name="textlora",
    help="Turn a table of labelled texts into a good text classifier, by LoRA.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
recipes_app = typer.Typer(help="Named settings: list, show and check them.", no_args_is_help=True)
app.add_typer(recipes_app, name="recipes")

Run = Annotated[Path, typer.Argument(help="Run folder, or an adapter folder.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def _quiet_option(name: str, help: str) -> Any:
    return typer.Option(name, help=help, show_default=False)


TextColumn = Annotated[str | None, _quiet_option("--text-column", "Column of the texts.")]
LabelColumn = Annotated[str | None, _quiet_option("--label-column", "Column of the labels.")]
Delimiter = Annotated[str | None, _quiet_option("--delimiter", "Of a text table.")]
Precision = Annotated[
    str | None,
    _quiet_option("--precision", "auto, bf16 or fp32; fp32 gives the figures of plain PEFT."),
]
SkipBadRows = Annotated[
    str | None, _quiet_option("--on-bad-rows", "'error' stops, 'skip' leaves them out.")
]
Encoding = Annotated[str | None, _quiet_option("--encoding", "Of the files; else UTF-8.")]


def _version(value: bool) -> None:
    if value:
        from importlib.metadata import version

        typer.echo(f"textlora {version('textlora')}")
        raise typer.Exit


@app.callback()
def common(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Options that stand before the verb."""


@app.command()
def train(
    data: Annotated[
        str | None,
        typer.Argument(help="Training rows: CSV, TSV, JSON Lines, Parquet, saved dataset, Hub id."),
    ] = None,
    valid: Annotated[
        str | None, _quiet_option("--valid", "Validation rows; else split off.")
    ] = None,
    test: Annotated[
        str | None, _quiet_option("--test", "Test rows, used once, at the end.")
    ] = None,
    recipe: Annotated[
        str | None, _quiet_option("--recipe", "A recipe's name, or a YAML file of settings.")
    ] = None,
    model: Annotated[
        str | None, _quiet_option("--model", "Hub id, local folder, or 'bundled' (works offline).")
    ] = None,
    text_column: TextColumn = None,
    label_column: LabelColumn = None,
    delimiter: Delimiter = None,
    encoding: Encoding = None,
    label_separator: Annotated[
        str | None, _quiet_option("--label-separator", "Several labels in a cell: multi-label.")
    ] = None,
    on_bad_rows: Annotated[
        str | None, _quiet_option("--on-bad-rows", "'error' stops, 'skip' sets them aside.")
    ] = None,
    fast_prefix: Annotated[
        bool,
        typer.Option("--fast-prefix", help="Run the layers below the adapters only once."),
    ] = False,
    settings: Annotated[
        list[str] | None, _quiet_option("--set", "Any setting: section.key=value. Repeatable.")
    ] = None,
    seed: Annotated[int | None, _quiet_option("--seed", "Seed of the training.")] = None,
    out: Annotated[
        Path | None, _quiet_option("--out", "Run folder; else runs/RECIPE-TIME.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a run in --out.")] = False,
    resume: Annotated[
        Path | None, _quiet_option("--resume", "Go on with an interrupted run folder.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Train a classifier and write a run folder with adapter, figures and report."""
    from textlora.recipes import load_recipe
    from textlora.run import RunFolder, new_run_path

    if resume is not None:
        given = [data, valid, test, recipe, model, settings, seed, out]
        if any(value is not None for value in given) or overwrite or fast_prefix:
            raise ConfigError(
                "--resume takes the run folder alone.", "Its settings are those of the run."
            )
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
                "encoding": encoding,
                "label_separator": label_separator,
                "on_bad_rows": on_bad_rows,
            },
            model={"name_or_path": model},
            training={"seed": seed},
            compute={"prefix_cache": fast_prefix or None},
        )
        folder = RunFolder(out or new_run_path(chosen.name))
    if config.data.train is None:
        raise ConfigError(
            "There is nothing to train on.", "Give a file: textlora train reviews.csv"
        )
    console = _console(as_json)
    from textlora.training.job import train as run_training

    run = run_training(
        config, folder, console=console, resume=resume is not None, overwrite=overwrite
    )
    if as_json:
        from textlora.run import read_json

        typer.echo(json.dumps({"run": str(folder.path), **read_json(folder.metrics)}))
        return
    from textlora.training.screen import print_run

    print_run(run, console)


@app.command()
def evaluate(
    run: Run,
    data: Annotated[str, typer.Argument(help="Labelled rows: a file, saved dataset or Hub id.")],
    split: Annotated[str | None, _quiet_option("--split", "Split of a dataset.")] = None,
    text_column: TextColumn = None,
    label_column: LabelColumn = None,
    delimiter: Delimiter = None,
    encoding: Encoding = None,
    on_bad_rows: SkipBadRows = None,
    precision: Precision = None,
    as_json: Json = False,
) -> None:
    """Evaluate a finished run on labelled rows: accuracy with its interval, F1, MCC, AUC."""
    from textlora.inference.evaluating import evaluate_file

    console = _console(as_json)
    metrics = evaluate_file(
        run,
        data,
        console=console,
        compute=_compute(precision),
        test_split=split,
        text_column=text_column,
        label_column=label_column,
        delimiter=delimiter,
        encoding=encoding,
        on_bad_rows=on_bad_rows,
    )
    if as_json:
        typer.echo(json.dumps(metrics.to_dict()))
        return
    from textlora.evaluation.console import metrics_table

    console.print(metrics_table(metrics, title=f"{data}"))


@app.command()
def predict(
    run: Run,
    texts: Annotated[list[str] | None, typer.Argument(help="Texts; else --file or stdin.")] = None,
    file: Annotated[
        str | None, _quiet_option("--file", "Table with a text column, or .txt, a text a line.")
    ] = None,
    text_column: TextColumn = None,
    delimiter: Delimiter = None,
    encoding: Encoding = None,
    on_bad_rows: SkipBadRows = None,
    precision: Precision = None,
    as_json: Json = False,
) -> None:
    """Classify texts: label and probability of each."""
    from textlora.inference.predicting import print_predictions, texts_to_predict

    given = texts_to_predict(
        texts,
        file,
        sys.stdin,
        text_column=text_column,
        delimiter=delimiter,
        encoding=encoding,
        on_bad_rows=on_bad_rows,
    )
    from textlora.inference.predictor import Predictor

    predictor = Predictor.load(run, _compute(precision))
    print_predictions(given, predictor.predict(given), _console(False), as_json=as_json)


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Run folder; replaced if it is a run.")] = Path(
        "demo-run"
    ),
) -> None:
    """Train on the reviews that come with textlora, offline, and show what it learnt."""
    from textlora.demo import demo_config
    from textlora.run import RunFolder

    config = demo_config()
    console = _console(False)
    from textlora.training.job import train as run_training
    from textlora.training.screen import print_run

    print_run(run_training(config, RunFolder(out), console=console, overwrite=True), console)


@recipes_app.command("list")
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


@recipes_app.command("show")
def recipes_show(name: Annotated[str, typer.Argument(help="Name, or YAML file.")]) -> None:
    """Print a recipe with every setting, ready to be saved and changed."""
    from textlora.recipes import load_recipe

    recipe = load_recipe(name)
    typer.echo(f"# {recipe.title}")
    for figure, value in recipe.published.items():
        typer.echo(f"# published {figure}: {value}")
    typer.echo(recipe.config().to_yaml(), nl=False)


@recipes_app.command("check")
def recipes_check(
    name: Annotated[str | None, typer.Argument(help="Name, or YAML file; else all.")] = None,
    model: Annotated[str | None, _quiet_option("--model", "Another encoder.")] = None,
    settings: Annotated[
        list[str] | None, _quiet_option("--set", "Any setting: section.key=value. Repeatable.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Build a recipe's model from its configuration alone and count its parameters."""
    from textlora.recipes import load_recipe, recipe_names

    configs = [
        load_recipe(each).config(settings, model={"name_or_path": model})
        for each in ([name] if name else recipe_names())
    ]
    from textlora.model.counting import count_config

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


def main() -> NoReturn:
    """Run the command line; a user's mistake ends with one message and exit code 2."""
    _calm_libraries()
    try:
        app()
    except TextloraError as error:
        typer.echo(f"Error: {error.problem}", err=True)
        if error.remedy:
            typer.echo(f"  {error.remedy}", err=True)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        typer.echo("Interrupted.", err=True)
        sys.exit(130)
    except BrokenPipeError:
        # The reader of the output went away, as `head` does.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    sys.exit(0)


def _compute(precision: str | None) -> ComputeConfig | None:
    from textlora.config import build_config

    if precision is None:
        return None
    return build_config({"compute": {"precision": precision}}, origin="--precision").compute


def _console(quiet: bool) -> Console:
    from rich.console import Console

    return Console(stderr=True) if quiet else Console()


def _calm_libraries() -> None:
    """Keep the libraries' own bars and warnings off the screen, unless asked for."""
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TRANSFORMERS_NO_ADVISORY_WARNINGS", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")


if __name__ == "__main__":
    main()
