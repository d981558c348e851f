"""A load generator: requests over kept connections, in a closed loop or at a given rate."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import numpy as np

CONNECTIONS = 512


@dataclass
class Answers:
    """What came back.

    Args:
        seconds: of every request that was answered with 200.
        statuses: how often each came; 0 stands for a connection that broke.
        elapsed: seconds from the first request to the last answer.
    """

    seconds: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    elapsed: float = 0.0

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.seconds) / self.elapsed if self.elapsed else 0.0

    def milliseconds(self, percent: float) -> float:
        """Return a percentile of the answers' times."""
        return 1000 * float(np.percentile(self.seconds, percent)) if self.seconds else float("nan")


class Connection:
    """One kept HTTP/1.1 connection; a few lines, so that the client costs little."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname, parts.port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def send(self, request: bytes) -> int:
        """Send a request and return the status; 0: the connection broke."""
        try:
            if self._streams is None or self._streams[0].at_eof():  # closed while it was idle
                self._streams = await asyncio.open_connection(self._host, self._port)
            reader, writer = self._streams
            writer.write(request)
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
            await reader.readexactly(length)
            if b"\r\nconnection: close" in head:
                self.close()
            return int(head[9:12])
        except (OSError, asyncio.IncompleteReadError):
            self.close()
            return 0

    def close(self) -> None:
        """Close it; the next request opens another."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


def request(path: str, text: str) -> bytes:
    """Return the bytes of a request for one text."""
    body = json.dumps({"inputs": text}).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def closed_loop(url: str, requests: Sequence[bytes], concurrency: int, seconds: float) -> Answers:
    """Keep so many requests under way; each client sends the next when it has its answer."""

    async def main() -> Answers:
        answers, place = Answers(), 0
        started = time.perf_counter()

        async def client() -> None:
            nonlocal place
            connection = Connection(url)
            while time.perf_counter() < started + seconds:
                place += 1
                await _timed(connection, requests[place % len(requests)], answers)
            connection.close()

        await asyncio.gather(*(client() for _ in range(concurrency)))
        answers.elapsed = time.perf_counter() - started
        return answers

    return asyncio.run(main())


def open_loop(
    url: str,
    requests: Sequence[bytes],
    rate: float,
    seconds: float,
    *,
    at: float | None = None,
    event: Callable[[], None] | None = None,
) -> Answers:
    """Send requests at random times, so many a second, however long the answers take.

    Args:
        url: the server.
        requests: taken in turn.
        rate: requests a second on average (a Poisson process).
        seconds: how long.
        at: seconds after which `event` is called.
        event: what happens then.

    Returns:
        The answers; every request that was sent is in `statuses`.
    """

    async def main() -> Answers:
        answers, draw = Answers(), random.Random(0)  # noqa: S311
        free = [Connection(url) for _ in range(CONNECTIONS)]
        slots = asyncio.Semaphore(CONNECTIONS)
        tasks: list[asyncio.Task[None]] = []
        started = due = time.perf_counter()
        if at is not None and event is not None:
            asyncio.get_running_loop().call_later(at, event)

        async def one(content: bytes) -> None:
            async with slots:
                connection = free.pop()
                await _timed(connection, content, answers)
                free.append(connection)

        while due < started + seconds:
            due += draw.expovariate(rate)
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            tasks.append(asyncio.create_task(one(requests[len(tasks) % len(requests)])))
        await asyncio.gather(*tasks)
        answers.elapsed = time.perf_counter() - started
        return answers

    return asyncio.run(main())


async def _timed(connection: Connection, content: bytes, answers: Answers) -> None:
    started = time.perf_counter()
    status = await connection.send(content)
    answers.statuses[status] += 1
    if status == 200:
        answers.seconds.append(time.perf_counter() - started)
