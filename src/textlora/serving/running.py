"""One process, or several under a supervisor that starts a new one where one ends."""

from __future__ import annotations

import json
import logging
import os
import socket
import tempfile
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import uvicorn
from uvicorn.supervisors import Multiprocess

from textlora.errors import ConfigError
from textlora.serving import LOGGER, METRICS_FOLDER, ServingSettings

# After so long without a sign of life a worker is taken for hung; one that ended is seen at once.
_HUNG_SECONDS = 60
# Clients reuse connections; one that is closed a moment before is a broken request to some.
_IDLE_SECONDS = 75
# Beyond the time limit of an answer, for what hangs after SIGTERM.
_GRACE_SECONDS = 5


def serve(
    settings: ServingSettings,
    *,
    host: str,
    port: int,
    workers: int,
    started: Callable[[str], None],
) -> None:
    """Serve until SIGTERM or Ctrl-C; requests that have begun are answered.

    Args:
        settings: what is served, and how.
        host: the address to listen at.
        port: the port; 0: a free one.
        workers: processes; each has a base of its own.
        started: called with the URL once the address is taken.

    Raises:
        ConfigError: the address cannot be taken.
        TextloraError: an adapter that was named cannot be loaded.
    """
    _configure_log()
    with _listening(host, port) as listening:
        url = f"http://{f'[{host}]' if ':' in host else host}:{listening.getsockname()[1]}"
        if workers == 1:
            from textlora.serving.app import create_app

            config = _config(create_app(settings), settings)
            started(url)
            uvicorn.Server(config).run([listening])
        else:
            started(url)
            _supervise(settings, workers, listening)


def worker_app(settings: ServingSettings) -> object:
    """Return the application of a worker process."""
    _configure_log()
    from textlora.serving.app import create_app

    return create_app(settings)


def _supervise(settings: ServingSettings, workers: int, listening: socket.socket) -> None:
    import torch

    threads = settings.threads or max(1, torch.get_num_threads() // workers)
    with tempfile.TemporaryDirectory(prefix="textlora-serve-") as folder:
        roster, figures = Path(folder, "adapters"), Path(folder, "metrics")
        roster.mkdir()
        figures.mkdir()
        os.environ[METRICS_FOLDER] = str(figures)
        settings = replace(settings, threads=threads, roster=roster)
        app = partial(worker_app, settings)
        Multiprocess(_config(app, settings, workers=workers, factory=True), [listening]).run()


def _config(app: object, settings: ServingSettings, **more: object) -> uvicorn.Config:
    return uvicorn.Config(
        app,  # type: ignore[arg-type]
        log_config=None,
        access_log=False,
        proxy_headers=False,
        timeout_keep_alive=_IDLE_SECONDS,
        timeout_worker_healthcheck=_HUNG_SECONDS,
        server_header=False,
        timeout_graceful_shutdown=round(settings.limits.timeout) + _GRACE_SECONDS,
        **more,  # type: ignore[arg-type]
    )


def _listening(host: str, port: int) -> socket.socket:
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, kind)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
    except OSError as error:
        raise ConfigError(
            f"{host}:{port} cannot be listened at: {error.strerror}.",
            "Choose another with --host and --port.",
        ) from None
    listening.set_inheritable(True)
    return listening


class _JsonLines(logging.Formatter):
    """A record as one line of JSON; `extra={"fields": {…}}` adds fields, never a request's text."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


def _configure_log() -> None:
    """Send this server's and uvicorn's log to standard error as JSON lines."""
    handler = logging.StreamHandler()
    handler.setFormatter(_JsonLines())
    for name in (LOGGER.name, "uvicorn"):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.propagate = False
        logger.setLevel(logging.INFO)
