"""`textlora serve`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from textlora.cli.options import Precision, compute_settings, quiet_option
from textlora.errors import ConfigError, MissingExtraError
from textlora.serving.settings import Limits, ServingSettings

_LIMITS = Limits()


def serve(
    runs: Annotated[
        list[str],
        typer.Argument(
            metavar="[NAME=]RUN...",
            help="Run or adapter folders; the first answers where a request names none.",
        ),
    ],
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
    precision: Precision = None,
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
    compute = compute_settings(precision)
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
