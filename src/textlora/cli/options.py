"""Flags for settings (`FLAGS`), and what else several commands take; how they print.

An option that Typer does not know is told as the setting it may mean.
"""

from __future__ import annotations

import difflib
import functools
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer
from typer.core import TyperCommand

from textlora.config import RunConfig, build_config, valid_keys
from textlora.errors import ConfigError

if TYPE_CHECKING:
    from rich.console import Console

    from textlora.config import ComputeConfig
    from textlora.recipes import Recipe


class SettingsCommand(TyperCommand):
    """A verb that takes --set: an option it does not have is told as the setting it may mean."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the arguments.

        Raises:
            ConfigError: an option that the verb does not have.
        """
        given = list(args)
        try:
            return super().parse_args(ctx, args)
        except Exception as error:
            # Typer brings click's exceptions along, under a path that changes with its version.
            if type(error).__name__ != "NoSuchOption":
                raise
            option = str(getattr(error, "option_name", ""))
            flags = [flag for one in self.params for flag in one.opts if flag.startswith("--")]
            raise ConfigError(
                f"There is no option {option}.", _instead(option, _value_of(option, given), flags)
            ) from None


def given_flags(context: typer.Context) -> dict[str, str]:
    """Return the parameters that stand on the command line, and how each is written there."""
    return {
        str(parameter.name): _shown(parameter)
        for parameter in context.command.params
        if getattr(context.get_parameter_source(str(parameter.name)), "name", "") == "COMMANDLINE"
    }


def _shown(parameter: Any) -> str:
    flags = [flag for flag in parameter.opts if flag.startswith("--")]
    return flags[0] if flags else str(parameter.name).upper()


def _value_of(option: str, arguments: Sequence[str]) -> str:
    """Return what was given for an option, as far as that can be told; else a placeholder."""
    for place, argument in enumerate(arguments):
        name, equals, value = argument.partition("=")
        if name != option:
            continue
        if equals:
            return value
        after = arguments[place + 1 : place + 2]
        return after[0] if after and not after[0].startswith("--") else "VALUE"
    return "VALUE"


def _instead(option: str, value: str, flags: Sequence[str]) -> str:
    """Return the flag or the setting that an unknown option most likely means."""
    writing = {flag.strip("-").replace("-", "_"): flag for flag in flags}
    for key in valid_keys():
        section, name = key.split(".")
        writing.setdefault(name, f"--set {key}={value}")
        writing.setdefault(f"{section}_{name}", f"--set {key}={value}")
    nearest = _nearest_name(option.strip("-").replace("-", "_"), list(writing))
    if nearest is None:
        return "Any setting can be given: --set section.key=value; docs/settings.md lists them."
    found = writing[nearest]
    if found.startswith("--set"):
        return f"Any setting can be given: {found}"
    return f"Did you mean {found}? Any setting can be given: --set section.key=value"


def _nearest_name(wanted: str, names: Sequence[str]) -> str | None:
    """Return the name of the same words or initials, else one spelled alike."""
    if wanted in names:
        return wanted
    initials = {"".join(word[:1] for word in name.split("_")): name for name in reversed(names)}
    if len(wanted) > 1 and wanted in initials:
        return initials[wanted]
    words = set(wanted.split("_"))
    containing = [name for name in names if words <= set(name.split("_"))]
    if containing:
        return min(containing, key=lambda name: name.count("_"))
    return next(iter(difflib.get_close_matches(wanted, names, n=1, cutoff=0.6)), None)


def quiet_option(name: str, help: str) -> Any:
    """Return an option without a default, so that help shows none."""
    return typer.Option(name, help=help, show_default=False)


Run = Annotated[Path, typer.Argument(help="Run folder, or an adapter folder.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
RecipeName = Annotated[
    str | None, quiet_option("--recipe", "A recipe's name, or a YAML file of settings.")
]
Settings = Annotated[
    list[str] | None, quiet_option("--set", "Any setting: section.key=value. Repeatable.")
]
MinConfidence = Annotated[
    float | None,
    typer.Option(
        "--min-confidence",
        min=0,
        max=1,
        show_default=False,
        help="Answer 'unsure' below this confidence, 0 to 1.",
    ),
]

# What was given of the flags that stand for settings: section, key, value.
Given = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Flag:
    """A flag that stands for a setting, whose type it has.

    Args:
        name: --flag; where the setting is true or false, --flag makes it true and --no-flag
            false, and --flag/--no-flag are both there.
        setting: section.key.
        help: None: what the setting says of itself.
    """

    name: str
    setting: str
    help: str | None = None

    @property
    def place(self) -> list[str]:
        """Section and key."""
        return self.setting.split(".")

    @property
    def variable(self) -> str:
        """The name of the flag's value in Python."""
        return self.name.partition("/")[0].strip("-").replace("-", "_")

    def parameter(self) -> inspect.Parameter:
        """Return it as Typer wants it."""
        section, key = self.place
        field = RunConfig.model_fields[section].annotation.model_fields[key]  # type: ignore[union-attr]
        types = {field.annotation, *get_args(field.annotation)}
        kind = next((kind for kind in (bool, int, float) if kind in types), str)
        option = quiet_option(self.name, self.help or str(field.description))
        return inspect.Parameter(
            self.variable,
            inspect.Parameter.KEYWORD_ONLY,
            default=None,
            annotation=Annotated[kind | None, option],
        )

    def value(self, given: Any) -> Any:
        """Return what the setting becomes by what was given."""
        return not given if self.name.startswith("--no-") else given


_ALL = (
    Flag("--valid", "data.validation", "Validation rows; else split off."),
    Flag("--test", "data.test", "Test rows, used once, at the end."),
    Flag("--text-column", "data.text_column", "Column of the texts."),
    Flag("--label-column", "data.label_column", "Column of the labels."),
    Flag("--delimiter", "data.delimiter"),
    Flag(
        "--header/--no-header", "data.header", "Whether line 1 of a text table names the columns."
    ),
    Flag("--encoding", "data.encoding", "Of the files; else UTF-8."),
    Flag("--label-separator", "data.label_separator", "Several labels in a cell: multi-label."),
    Flag("--on-bad-rows", "data.on_bad_rows", "'error' stops, 'skip' sets them aside."),
    Flag("--min-rows-per-class", "data.min_rows_per_class"),
    Flag(
        "--rare-classes", "data.rare_classes", "Classes with fewer: 'drop', or merge into 'other'."
    ),
    Flag(
        *("--on-unknown-classes", "data.on_unknown_classes"),
        "'error' stops, 'skip' leaves out rows of classes not trained on.",
    ),
    Flag("--max-length", "data.max_length"),
    Flag(
        *("--drop-leaks", "data.drop_leaks"),
        "Leave out training rows that validation or test have, too.",
    ),
    Flag("--model", "model.name_or_path", "Hub id, local folder, or 'bundled' (works offline)."),
    Flag("--epochs", "training.num_train_epochs"),
    Flag("--learning-rate", "training.learning_rate"),
    Flag("--batch-size", "training.per_device_train_batch_size"),
    Flag(
        *("--class-weight", "training.class_weight"),
        "'balanced': rare classes count for more in the loss.",
    ),
    Flag("--seed", "training.seed", "Seed of the training."),
    Flag(
        *("--precision", "compute.precision"),
        "auto, bf16 or fp32; fp32 gives the figures of plain PEFT.",
    ),
    Flag(
        *("--fast-prefix", "compute.prefix_cache"),
        "Run the layers below the adapters only once; needs lora.layers such as top:2.",
    ),
    Flag("--no-baselines", "evaluation.baselines", "Train no baselines, and reach no verdict."),
    Flag("--full-fine-tuning", "evaluation.full_fine_tuning"),
)
FLAGS = {flag.name.partition("/")[0]: flag for flag in _ALL}
# How a table is read.
READING = ("--text-column", "--delimiter", "--header", "--encoding")
LABELLED = ("--text-column", "--label-column", *READING[1:])
SKIP_BAD_ROWS = Flag("--on-bad-rows", "data.on_bad_rows", "'error' stops, 'skip' leaves them out.")
# How `evaluate` and `compare` read rows.
JUDGED = (
    Flag("--split", "data.test_split", "Split of a dataset."),
    *LABELLED,
    SKIP_BAD_ROWS,
    "--on-unknown-classes",
    "--precision",
)


def takes(*flags: str | Flag) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return a decorator that gives a verb flags for settings; it gets them as `given`.

    In --help they stand where `given` stands among the verb's parameters.

    Args:
        flags: names in `FLAGS`, or flags that are the verb's own.
    """
    chosen = [FLAGS[flag] if isinstance(flag, str) else flag for flag in flags]

    def _decorated(verb: Callable[..., None]) -> Callable[..., None]:
        own = list(inspect.signature(verb, eval_str=True).parameters.values())
        place = [parameter.name for parameter in own].index("given")
        own[place : place + 1] = [flag.parameter() for flag in chosen]

        @functools.wraps(verb)
        def _run(**arguments: Any) -> None:
            given: Given = {flag.place[0]: {} for flag in chosen}
            for flag in chosen:
                section, key = flag.place
                value = arguments.pop(flag.variable)
                if value is not None:
                    given[section][key] = flag.value(value)
            verb(given=given, **arguments)

        parameters = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in own]
        _run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        _run.__annotations__ = {one.name: one.annotation for one in parameters}
        return _run

    return _decorated


def settings_for(
    recipe: Recipe, data: str | None, assignments: list[str] | None, given: Given
) -> RunConfig:
    """Return a recipe's settings with those that were given.

    Args:
        recipe: what they start from; without its data where there are rows of one's own.
        data: the rows to train on; None: the recipe's.
        assignments: of --set.
        given: of the flags.

    Raises:
        ConfigError: a value of the wrong type.
    """
    if data is not None:
        recipe = recipe.without_sources()
    return recipe.config(assignments, **{**given, "data": {**given["data"], "train": data}})


def compute_settings(given: Given) -> ComputeConfig | None:
    """Return the arithmetic that --precision asks for; None: as the run was trained."""
    if not given["compute"]:
        return None
    return build_config({"compute": given["compute"]}, origin="--precision").compute


def console_for(quiet: bool) -> Console:
    """Return where progress goes; with `quiet` standard output stays free for JSON."""
    from rich.console import Console

    return Console(stderr=True) if quiet else Console()
