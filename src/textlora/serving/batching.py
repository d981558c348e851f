"""Continuous batching: a queue of sequences, and a few threads that empty it.

A batch is what waits when a thread is free, up to a budget of token rows, the oldest first.
Nothing is waited for: under light load a text goes alone and at once, under heavy load batches
fill themselves. The sequences of a request may go in several batches.

Two batches at a time, each on half of the cores, get more done than one on all: the threads of
one batch wait for each other after every operation, and the slowest is the one whose core is
answering requests.
"""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from textlora.inference.logits import Logits
from textlora.model.backends.plain import TokenIds
from textlora.serving.adapters import Engine
from textlora.serving.schemas import RefusedError

# Of the rate at which token rows are computed, for Retry-After: the share of the newest batch.
_NEWEST = 0.1


@dataclass(frozen=True)
class Scored:
    """The logits of a request's sequences.

    Args:
        logits: one [units] a sequence.
        queued: seconds from the request until its first batch.
        computed: seconds of the batches that it was part of.
    """

    logits: list[Logits]
    queued: float
    computed: float


@dataclass(eq=False)
class _Request:
    engine: Engine
    weights: Any
    sequences: Sequence[TokenIds]
    future: asyncio.Future[Scored]
    loop: asyncio.AbstractEventLoop
    arrived: float
    logits: list[Any]
    missing: int
    started: float | None = None
    computed: float = 0.0
    next: int = 0


@dataclass(frozen=True)
class BatchReport:
    """What a batch was, for the metrics.

    Args:
        tokens: token rows.
        sequences: how many.
        adapters: how many of them were different.
        seconds: it took.
    """

    tokens: int
    sequences: int
    adapters: int
    seconds: float


@dataclass
class _Batch:
    engine: Engine
    parts: list[tuple[_Request, int]] = field(default_factory=list)
    tokens: int = 0


class Batcher:
    """The queue and its threads.

    Args:
        max_batch_tokens: token rows of a batch; a longer sequence goes alone.
        max_queue_tokens: token rows that may wait.
        max_seconds: how long they may wait, at the rate so far.
        report: called in a thread after every batch.
        threads: batches at a time.
        prepare: called in each thread before its first batch.
    """

    def __init__(
        self,
        max_batch_tokens: int,
        max_queue_tokens: int,
        max_seconds: float = math.inf,
        report: Callable[[BatchReport], None] | None = None,
        threads: int = 1,
        prepare: Callable[[], None] | None = None,
    ) -> None:
        self._max_batch_tokens = max_batch_tokens
        self._max_queue_tokens = max_queue_tokens
        self._max_seconds = max_seconds
        self._report = report
        self._waiting: dict[Engine, deque[_Request]] = {}
        self._tokens = 0
        self._sequences = 0
        self._rate: float | None = None
        self._closing = False
        self._changed = threading.Condition()
        self._prepare = prepare
        self._threads = [
            threading.Thread(target=self._run, name=f"inference-{number}", daemon=True)
            for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def queue_size(self) -> int:
        """Sequences that wait."""
        return self._sequences

    @property
    def alive(self) -> bool:
        """Whether the threads run and take requests."""
        return all(thread.is_alive() for thread in self._threads) and not self._closing

    async def score(self, engine: Engine, weights: Any, sequences: Sequence[TokenIds]) -> Scored:
        """Queue a request's sequences and wait for their logits; to cancel takes them out.

        Args:
            engine: what runs them.
            weights: the adapter, as the engine knows it.
            sequences: token ids, at least one.

        Raises:
            RefusedError: the queue is full, or the server is shutting down.
        """
        loop = asyncio.get_running_loop()
        count = len(sequences)
        request = _Request(
            engine=engine,
            weights=weights,
            sequences=sequences,
            future=loop.create_future(),
            loop=loop,
            arrived=time.perf_counter(),
            logits=[None] * count,
            missing=count,
        )
        self._enqueue(request, sum(map(len, sequences)))
        return await request.future

    def close(self, timeout: float | None = None) -> None:
        """Answer what waits, take nothing more, and end the threads.

        Args:
            timeout: seconds to wait for that.
        """
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(timeout)

    def _enqueue(self, request: _Request, tokens: int) -> None:
        with self._changed:
            if self._closing:
                raise RefusedError(503, "unhealthy", "The server is shutting down.", retry_after=5)
            # One request alone is always taken, however long: else it would be refused for ever.
            if self._tokens and self._is_too_much(self._tokens + tokens):
                raise RefusedError(
                    429, "overloaded", "The queue is full; try again later.", self._seconds_left()
                )
            self._waiting.setdefault(request.engine, deque()).append(request)
            self._tokens += tokens
            self._sequences += len(request.sequences)
            self._changed.notify()

    def _is_too_much(self, tokens: int) -> bool:
        too_long = self._rate is not None and tokens > self._rate * self._max_seconds
        return tokens > self._max_queue_tokens or too_long

    def _seconds_left(self) -> int:
        return max(1, round(self._tokens / self._rate)) if self._rate else 1

    def _run(self) -> None:
        if self._prepare is not None:
            self._prepare()
        while True:
            with self._changed:
                while not self._sequences and not self._closing:
                    self._changed.wait()
                batch = self._next_batch()
                if self._sequences:
                    self._changed.notify()  # there is work for another thread, too
            if batch is not None:
                self._compute(batch)
            elif self._closing:
                return

    def _next_batch(self) -> _Batch | None:
        """Take the oldest request's engine, and its requests in their order, up to the budget."""
        queues = [queue for queue in self._waiting.values() if queue]
        if not queues:
            return None
        queue = min(queues, key=lambda waiting: waiting[0].arrived)
        batch = _Batch(queue[0].engine)
        while queue:
            request = queue[0]
            if request.future.done():  # given up, or failed in an earlier batch
                self._forget(request)
                queue.popleft()
                continue
            length = len(request.sequences[request.next])
            if batch.parts and batch.tokens + length > self._max_batch_tokens:
                break
            batch.parts.append((request, request.next))
            batch.tokens += length
            request.next += 1
            self._tokens -= length
            self._sequences -= 1
            if request.next == len(request.sequences):
                queue.popleft()
        if not queue:
            del self._waiting[batch.engine]
        return batch if batch.parts else None

    def _forget(self, request: _Request) -> None:
        left = request.sequences[request.next :]
        self._tokens -= sum(map(len, left))
        self._sequences -= len(left)

    def _compute(self, batch: _Batch) -> None:
        started = time.perf_counter()
        work: dict[int, tuple[Any, list[TokenIds], list[tuple[_Request, int]]]] = {}
        for request, place in batch.parts:
            _, sequences, owners = work.setdefault(id(request.weights), (request.weights, [], []))
            sequences.append(request.sequences[place])
            owners.append((request, place))
        try:
            logits = batch.engine.logits([(w, sequences) for w, sequences, _ in work.values()])
        except Exception as error:  # whatever it is: the requests get it, and the thread goes on
            self._hand_over(batch, [], error, started)
            return
        done = [
            (request, place, row)
            for (_, _, owners), rows in zip(work.values(), logits, strict=True)
            for (request, place), row in zip(owners, rows, strict=True)
        ]
        seconds = time.perf_counter() - started
        rate = batch.tokens / seconds * len(self._threads)
        self._rate = rate if self._rate is None else self._rate + _NEWEST * (rate - self._rate)
        # Before the answers: who has one finds it in the metrics.
        if self._report is not None:
            self._report(BatchReport(batch.tokens, len(batch.parts), len(work), seconds))
        self._hand_over(batch, done, None, started)

    def _hand_over(
        self,
        batch: _Batch,
        done: list[tuple[_Request, int, Logits]],
        error: Exception | None,
        started: float,
    ) -> None:
        """Tell the requests of a batch, one message an event loop."""
        seconds = time.perf_counter() - started
        requests = {id(request): request for request, _ in batch.parts}
        loops = {request.loop for request in requests.values()}
        for loop in loops:
            own = [request for request in requests.values() if request.loop is loop]
            rows = [part for part in done if part[0].loop is loop]
            try:
                loop.call_soon_threadsafe(_settle, own, rows, error, started, seconds)
            except RuntimeError:  # the loop is gone, and whoever waited with it
                continue


def _settle(
    requests: list[_Request],
    done: list[tuple[_Request, int, Logits]],
    error: Exception | None,
    started: float,
    seconds: float,
) -> None:
    """Note what a batch gave; in the event loop, as a request may be in two batches at a time."""
    for request in requests:
        request.started = min(request.started or started, started)
        request.computed += seconds
    for request, place, row in done:
        request.logits[place] = row
        request.missing -= 1
    for request in requests:
        if request.future.done():
            continue
        if error is not None:
            request.future.set_exception(error)
        elif not request.missing:
            queued = (request.started or request.arrived) - request.arrived
            request.future.set_result(Scored(request.logits, queued, request.computed))
