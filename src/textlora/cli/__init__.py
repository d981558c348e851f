"""The command line: one function a verb, in a module with those near to it.

Heavy modules are imported inside the functions, so that `--help` answers at once.
"""

from __future__ import annotations

import os
import sys
import warnings
from typing import Annotated, NoReturn

import typer

from textlora.cli import data, deploying, inference, training
from textlora.cli import data as audit
from textlora.cli.options import SettingsCommand
from textlora.errors import TextloraError

app = typer.Typer(
    name="textlora",
    help="Turn a table of labelled texts into a good text classifier, by LoRA.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
# In the order of --help.
VERBS = (
    data.inspect,
    training.train,
    inference.evaluate,
    inference.predict,
    deploying.score,
    inference.compare,
    inference.explain,
    deploying.serve,
    deploying.export,
    deploying.push,
    audit.audit,
    audit.curve,
    training.demo,
)
for verb in VERBS:
    app.command(cls=SettingsCommand if "settings" in verb.__annotations__ else None)(verb)
app.add_typer(training.app, name="recipes")


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


def _calm_libraries() -> None:
    """Keep the libraries' own bars and warnings off the screen, unless asked for."""
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TRANSFORMERS_NO_ADVISORY_WARNINGS", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")
