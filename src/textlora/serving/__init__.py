"""Classifiers behind HTTP: many adapters on one base, in shared batches.

    here       what the command line sets
    adapters   the adapters by name, and what runs a batch: a shared base, or a model of one's own
    batching   the queue and the threads that empty it
    service    a request's way: tokens, queue, logits, answers; which adapters all processes have
    explaining slow questions about single texts
    schemas    what goes over the wire, refusals (4xx, 503, 504) among it
    guard      body limit, API key, log line and headers around every request; Prometheus
    app        the routes
    pages      the page at `/`, and the routes as a page
    running    one process, or several under a supervisor; the log

The way of a request: guard, app, service, adapters, batching, and back.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from textlora.config import Precision

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
    precision: Precision | None = None
    api_key: str | None = None
    threads: int | None = None
    roster: Path | None = None


# With this set, the processes of a server write their figures into one folder, and each tells for
# all.
METRICS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
LOGGER = logging.getLogger("textlora.serving")
