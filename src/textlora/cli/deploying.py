"""`textlora score`, `serve`, `export` and `push`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from textlora.cli.options import (
    READING,
    Given,
    Json,
    MinConfidence,
    Run,
    compute_settings,
    console_for,
    quiet_option,
    takes,
)
from textlora.errors import ConfigError, MissingExtraError
from textlora.export import TARGETS
from textlora.serving import Limits, ServingSettings

if TYPE_CHECKING:
    from rich.console import Console

    from textlora.export.push import Package, Pushed


@takes(*READING, "--precision")
def score(
    run: Run,
    source: Annotated[
        str, typer.Argument(metavar="IN", help="Rows: .csv, .tsv, .jsonl or .parquet.")
    ],
    out: Annotated[
        Path, typer.Option("--out", help="Same formats, by suffix; there when it is complete.")
    ],
    *,
    given: Given,
    prefix: Annotated[
        str, typer.Option("--prefix", help="What the added columns' names start with.")
    ] = "",
    min_confidence: MinConfidence = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on where an interrupted scoring stopped.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace what is there, and start at the first row.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Score a file of any size: every row and column, with label, probabilities and error."""
    from textlora.scoring.job import Request, print_summary, read_options, score_file
    from textlora.scoring.scorer import load_scorer

    options = read_options(run, source, **given["data"])
    request = Request(source, out, options, prefix, resume=resume, overwrite=overwrite)
    request.check()
    console = console_for(as_json)
    scorer = load_scorer(run, compute_settings(given), min_confidence)
    summary = score_file(request, scorer, console)
    if as_json:
        typer.echo(json.dumps(summary.to_dict()))
    else:
        print_summary(summary, f"{prefix}error", console)


_LIMITS = Limits()


@takes("--precision")
def serve(
    runs: Annotated[
        list[str],
        typer.Argument(
            metavar="[NAME=]RUN...",
            help="Run or adapter folders; the first answers where a request names none.",
        ),
    ],
    *,
    adapters: Annotated[
        Path | None,
        quiet_option("--adapters", "Folder from which adapters may be loaded at run time."),
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0: a free one.", min=0, max=65535)] = 8080,
    workers: Annotated[
        int, typer.Option(help="Processes, each with a base of its own.", min=1)
    ] = 1,
    threads: Annotated[
        int | None, quiet_option("--threads", "Of the arithmetic in a process.")
    ] = None,
    max_batch_tokens: Annotated[
        int, typer.Option(help="Token rows of a batch.", min=1)
    ] = _LIMITS.max_batch_tokens,
    max_queue_tokens: Annotated[
        int, typer.Option(help="Token rows that may wait; beyond: 429.", min=1)
    ] = _LIMITS.max_queue_tokens,
    max_client_batch_size: Annotated[
        int, typer.Option(help="Texts in a request.", min=1)
    ] = _LIMITS.max_client_batch_size,
    payload_limit: Annotated[
        int, typer.Option(help="Bytes of a request.", min=1)
    ] = _LIMITS.payload_limit,
    timeout: Annotated[
        float, typer.Option(help="Seconds for an answer; then 504.", min=0.1)
    ] = _LIMITS.timeout,
    api_key: Annotated[
        str | None,
        typer.Option(
            envvar="TEXTLORA_API_KEY",
            show_default=False,
            help="Demanded as 'Authorization: Bearer KEY'. Better set by the variable: "
            "options are seen by all users of the machine.",
        ),
    ] = None,
    given: Given,
) -> None:
    """Answer over HTTP: /predict as on the Hugging Face Hub, many adapters on one base."""
    try:
        import fastapi  # noqa: F401
        import prometheus_client  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError:
        raise MissingExtraError("textlora serve", "serve") from None
    from textlora.serving.running import serve as run

    if adapters is not None and not adapters.is_dir():
        raise ConfigError(f"--adapters {adapters}: there is no such folder.", "Make it first.")
    compute = compute_settings(given)
    settings = ServingSettings(
        runs=tuple(named(run) for run in runs),
        adapters=adapters,
        limits=Limits(
            max_batch_tokens=max_batch_tokens,
            max_queue_tokens=max_queue_tokens,
            max_client_batch_size=max_client_batch_size,
            payload_limit=payload_limit,
            timeout=timeout,
        ),
        precision=compute.precision if compute else None,
        api_key=api_key or None,
        threads=threads,
    )
    if host not in ("127.0.0.1", "::1", "localhost") and not settings.api_key:
        typer.echo(f"Whoever reaches {host} may use this server: set TEXTLORA_API_KEY.", err=True)
    names = ", ".join(name for name, _ in settings.runs)
    run(
        settings,
        host=host,
        port=port,
        workers=workers,
        started=lambda url: typer.echo(f"Serving {names} at {url} (routes: {url}/docs)", err=True),
    )


def named(run: str) -> tuple[str, Path]:
    """Return name and folder of `NAME=RUN`, or of a folder, which is called as it is."""
    name, equals, folder = run.partition("=")
    if equals and not Path(run).exists():
        return name, Path(folder)
    path = Path(run)
    whole = path.resolve()
    return (whole.parent if whole.name == "adapter" else whole).name, path


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
    from textlora.export.exporting import export_run, export_table, notes, record
    from textlora.files import RunFolder
    from textlora.model.spec import ClassifierSpec

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
        typer.echo(json.dumps({**package.to_dict(), "sent": sent and vars(sent)}))
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
