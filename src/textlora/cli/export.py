"""`textlora export` and `textlora push`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from textlora.cli.options import Json, console_for, quiet_option
from textlora.errors import ConfigError
from textlora.export import TARGETS

if TYPE_CHECKING:
    from rich.console import Console

    from textlora.export.push import Package, Pushed


def export(
    run: Annotated[Path, typer.Argument(help="Run folder.")],
    to: Annotated[str, quiet_option("--to", f"One of {', '.join(TARGETS)}.")],
    out: Annotated[
        Path | None, quiet_option("--out", "New folder; else RUN/exports/ and the target.")
    ] = None,
    texts: Annotated[
        int, typer.Option("--texts", min=1, help="Texts of the run that the round trip takes.")
    ] = 200,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an earlier export in that folder.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Export a run as plain Transformers or ONNX, and prove that it answers the same."""
    if to not in TARGETS:
        raise ConfigError(f"--to {to}: there is no such export.", f"One of {', '.join(TARGETS)}.")
    from textlora.export.exporting import export_run, record
    from textlora.export.showing import export_table, notes
    from textlora.model.spec import ClassifierSpec
    from textlora.run import RunFolder

    console = console_for(as_json)
    with console.status(f"exporting {run} to {to}"):
        exported = export_run(run, to, out, texts=texts, overwrite=overwrite)  # type: ignore[arg-type]
    if as_json:
        typer.echo(json.dumps({"folder": str(exported.folder), **record(exported)}))
        return
    console.print(export_table(exported))
    for note in notes(exported, ClassifierSpec.load(RunFolder(run).adapter)):
        console.print(note, markup=False, highlight=False)
    console.print(f"\nExport  {exported.folder}", markup=False, highlight=False)


def push(
    run: Annotated[Path, typer.Argument(help="Run folder.")],
    repo: Annotated[str, typer.Argument(metavar="OWNER/NAME", help="Model on the Hub.")],
    public: Annotated[
        bool,
        typer.Option("--public/--private", help="Who may see a repository that is made new."),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be sent; send nothing.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Upload a run's adapter with a full model card to the Hugging Face Hub; never its texts."""
    from textlora.export.push import prepare, send

    console = console_for(as_json)
    package = prepare(run, repo)
    sent = None if dry_run else send(package, private=not public)
    if as_json:
        typer.echo(json.dumps({**package.to_dict(), "sent": sent and sent.to_dict()}))
        return
    _show(console, package)
    if sent is None:
        console.print(
            f"\nREADME.md\n\n{package.card}", markup=False, highlight=False, soft_wrap=True
        )
        console.print("Nothing was sent.", markup=False, highlight=False)
    else:
        _say_sent(console, sent)


def _show(console: Console, package: Package) -> None:
    for name, size in package.listing():
        console.print(f"{size:>8}  {name}", markup=False, highlight=False)
    if package.left_out:
        left_out = ", ".join(package.left_out)
        console.print(f"Stays here  {left_out}", markup=False, highlight=False)
    if package.warning is not None:
        console.print(package.warning, markup=False, highlight=False, style="yellow")


def _say_sent(console: Console, sent: Pushed) -> None:
    who = {True: "private", False: "public", None: "as visible as it was"}[sent.private]
    console.print(f"\nPushed  {sent.url} ({who})", markup=False, highlight=False)
