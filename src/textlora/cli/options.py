"""What several commands take, how they print, and how they treat what Typer does not know."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from textlora.config import valid_keys
from textlora.errors import ConfigError

if TYPE_CHECKING:
    from rich.console import Console

    from textlora.config import ComputeConfig


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


def refuse_beside(context: typer.Context, alone: str, allowed: Sequence[str], remedy: str) -> None:
    """Refuse every argument on the command line but one.

    Args:
        context: of the verb.
        alone: the parameter that stands for itself.
        allowed: parameters that may stand beside it.
        remedy: why nothing else is taken.

    Raises:
        ConfigError: there are others.
    """
    others = [
        _shown(parameter)
        for parameter in context.command.params
        if parameter.name not in (alone, *allowed)
        and getattr(context.get_parameter_source(str(parameter.name)), "name", "") == "COMMANDLINE"
    ]
    if others:
        raise ConfigError(
            f"--{alone} takes the run folder alone; leave out {', '.join(others)}.", remedy
        )


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
Recipe = Annotated[
    str | None, quiet_option("--recipe", "A recipe's name, or a YAML file of settings.")
]
Model = Annotated[
    str | None, quiet_option("--model", "Hub id, local folder, or 'bundled' (works offline).")
]
Settings = Annotated[
    list[str] | None, quiet_option("--set", "Any setting: section.key=value. Repeatable.")
]
Split = Annotated[str | None, quiet_option("--split", "Split of a dataset.")]
TextColumn = Annotated[str | None, quiet_option("--text-column", "Column of the texts.")]
LabelColumn = Annotated[str | None, quiet_option("--label-column", "Column of the labels.")]
Delimiter = Annotated[str | None, quiet_option("--delimiter", "Of a text table.")]
Header = Annotated[
    bool | None,
    quiet_option("--header/--no-header", "Whether line 1 of a text table names the columns."),
]
Precision = Annotated[
    str | None,
    quiet_option("--precision", "auto, bf16 or fp32; fp32 gives the figures of plain PEFT."),
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
LabelSeparator = Annotated[
    str | None, quiet_option("--label-separator", "Several labels in a cell: multi-label.")
]
SetAsideBadRows = Annotated[
    str | None, quiet_option("--on-bad-rows", "'error' stops, 'skip' sets them aside.")
]
SkipBadRows = Annotated[
    str | None, quiet_option("--on-bad-rows", "'error' stops, 'skip' leaves them out.")
]
OnUnknownClasses = Annotated[
    str | None,
    quiet_option(
        "--on-unknown-classes", "'error' stops, 'skip' leaves out rows of classes not trained on."
    ),
]
MaxLength = Annotated[
    int | None, quiet_option("--max-length", "Tokens a text may have (data.max_length).")
]
Encoding = Annotated[str | None, quiet_option("--encoding", "Of the files; else UTF-8.")]


def compute_settings(precision: str | None) -> ComputeConfig | None:
    """Return the arithmetic that --precision asks for; None: as the run was trained."""
    from textlora.config import build_config

    if precision is None:
        return None
    return build_config({"compute": {"precision": precision}}, origin="--precision").compute


def console_for(quiet: bool) -> Console:
    """Return where progress goes; with `quiet` standard output stays free for JSON."""
    from rich.console import Console

    return Console(stderr=True) if quiet else Console()
