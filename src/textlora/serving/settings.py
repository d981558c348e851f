"""What the command line sets, as plain values for a worker process; and the server's log.

The log is one JSON object a line, on standard error; never a text of a request.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

# No heavy imports: the command line reads the defaults, and a worker process that starts must
# answer its supervisor before it has loaded torch.


@dataclass(frozen=True)
class Limits:
    """How much is taken at a time; the names are those of text-embeddings-inference.

    Args:
        max_batch_tokens: token rows of a batch; a longer text goes alone.
        max_queue_tokens: token rows that may wait; what would exceed them is refused with 429, as
            is what would wait for longer than `timeout`.
        max_client_batch_size: texts in a request; more are refused with 422.
        payload_limit: bytes of a request's body; more are refused with 413.
        timeout: seconds after which an answer that is not there is given up with 504.
    """

    max_batch_tokens: int = 4096
    max_queue_tokens: int = 65_536
    max_client_batch_size: int = 32
    payload_limit: int = 2_000_000
    timeout: float = 30.0


@dataclass(frozen=True)
class ServingSettings:
    """What is served, and how.

    Args:
        runs: run or adapter folders by name; the first is the one that answers where a
            request names none.
        adapters: the folder from which adapters may be loaded at run time; None: none may.
        limits: how much is taken at a time.
        precision: of the frozen products; None: as each run was trained.
        api_key: what requests have to bring; None: nothing.
        threads: of torch in a process; None: torch's own choice.
        roster: the folder by which processes tell each other of adapters; None: there is one.
    """

    runs: tuple[tuple[str, Path], ...]
    adapters: Path | None = None
    limits: Limits = Limits()
    precision: Literal["auto", "fp32", "bf16"] | None = None
    api_key: str | None = None
    threads: int | None = None
    roster: Path | None = None


LOGGER = logging.getLogger("textlora.serving")


class JsonLines(logging.Formatter):
    """Writes a record as one line of JSON; `extra={"fields": {…}}` adds fields."""

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


def configure_log() -> None:
    """Send this server's and uvicorn's log to standard error as JSON lines."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    for name in (LOGGER.name, "uvicorn"):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.propagate = False
        logger.setLevel(logging.INFO)
