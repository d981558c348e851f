"""The queue: who goes with whom, who waits, who is refused."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from textlora.serving.batching import Batcher, BatchReport
from textlora.serving.schemas import RefusedError


class Engine:
    """Gives the adapter's number and the sequence's first token; keeps what it ran."""

    description = "for tests"

    def __init__(self) -> None:
        self.batches: list[list[tuple[int, list[int]]]] = []
        self.go = threading.Event()
        self.go.set()
        self.began = threading.Event()
        self.error: Exception | None = None

    def logits(self, work: Sequence[tuple[Any, Any]]) -> list[Any]:
        self.began.set()
        assert self.go.wait(10)
        if self.error is not None:
            error, self.error = self.error, None
            raise error
        self.batches.append([(adapter, [len(ids) for ids in texts]) for adapter, texts in work])
        return [
            np.array([[adapter, ids[0]] for ids in texts], dtype=np.float32)
            for adapter, texts in work
        ]


def ids(first: int, length: int) -> np.ndarray[Any, Any]:
    return np.full(length, first, dtype=np.int32)


@pytest.fixture
def engine() -> Engine:
    return Engine()


def test_requests_of_many_adapters_share_batches_up_to_the_budget(
    engine: Engine, run_async: Callable[[Any], Any]
) -> None:
    reports: list[BatchReport] = []
    batcher = Batcher(10, 1000, report=reports.append)

    async def main() -> list[Any]:
        engine.go.clear()
        first = asyncio.create_task(batcher.score(engine, 0, [ids(9, 3)]))
        await asyncio.to_thread(engine.began.wait)
        others = [
            asyncio.create_task(batcher.score(engine, adapter, [ids(n, 4) for n in range(count)]))
            for adapter, count in ((1, 1), (2, 1), (1, 3))
        ]
        await asyncio.sleep(0.05)
        assert batcher.queue_size == 5
        engine.go.set()
        return await asyncio.gather(first, *others)

    results = run_async(main())
    batcher.close()
    # The one that was running alone; then the oldest first, two of length 4 a batch of 10.
    assert engine.batches == [[(0, [3])], [(1, [4]), (2, [4])], [(1, [4, 4])], [(1, [4])]]
    assert [[row.tolist() for row in scored.logits] for scored in results] == [
        [[0, 9]],
        [[1, 0]],
        [[2, 0]],
        [[1, 0], [1, 1], [1, 2]],
    ]
    assert [(r.tokens, r.sequences, r.adapters) for r in reports] == [
        (3, 1, 1),
        (8, 2, 2),
        (8, 2, 1),
        (4, 1, 1),
    ]
    assert batcher.queue_size == 0


def test_a_sequence_beyond_the_budget_goes_alone(
    engine: Engine, run_async: Callable[[Any], Any]
) -> None:
    batcher = Batcher(5, 8)
    scored = run_async(batcher.score(engine, 1, [ids(1, 20), ids(2, 2)]))
    assert engine.batches == [[(1, [20])], [(1, [2])]]
    assert scored.logits[0].tolist() == [1, 1]
    batcher.close()


def test_a_full_queue_refuses_and_says_when_to_come_back(
    engine: Engine, run_async: Callable[[Any], Any]
) -> None:
    batcher = Batcher(4, 8)

    async def main() -> None:
        await batcher.score(engine, 0, [ids(1, 4)])
        engine.began.clear()
        engine.go.clear()
        running = asyncio.create_task(batcher.score(engine, 0, [ids(1, 4)]))
        await asyncio.to_thread(engine.began.wait)
        waiting = asyncio.create_task(batcher.score(engine, 0, [ids(1, 4), ids(1, 4)]))
        await asyncio.sleep(0.02)
        with pytest.raises(RefusedError) as refused:
            await batcher.score(engine, 0, [ids(1, 1)])
        assert refused.value.status == 429
        assert int(refused.value.headers["Retry-After"]) >= 1
        engine.go.set()
        await asyncio.gather(running, waiting)
        await batcher.score(engine, 0, [ids(1, 1)])

    run_async(main())
    batcher.close()


def test_what_was_given_up_is_not_computed(engine: Engine, run_async: Callable[[Any], Any]) -> None:
    batcher = Batcher(4, 100)

    async def main() -> None:
        engine.go.clear()
        running = asyncio.create_task(batcher.score(engine, 0, [ids(1, 4)]))
        await asyncio.to_thread(engine.began.wait)
        gone = asyncio.create_task(batcher.score(engine, 7, [ids(1, 4)]))
        kept = asyncio.create_task(batcher.score(engine, 8, [ids(1, 4)]))
        await asyncio.sleep(0.02)
        gone.cancel()
        await asyncio.sleep(0.02)
        engine.go.set()
        await asyncio.gather(running, kept)

    run_async(main())
    batcher.close()
    assert engine.batches == [[(0, [4])], [(8, [4])]]
    assert batcher.queue_size == 0


def test_a_failing_batch_fails_its_requests_alone(
    engine: Engine, run_async: Callable[[Any], Any]
) -> None:
    batcher = Batcher(4, 100)
    engine.error = RuntimeError("broken")
    with pytest.raises(RuntimeError, match="broken"):
        run_async(batcher.score(engine, 0, [ids(1, 4), ids(1, 4), ids(1, 4)]))
    assert run_async(batcher.score(engine, 0, [ids(5, 1)])).logits[0].tolist() == [0, 5]
    assert batcher.queue_size == 0
    batcher.close()


def test_engines_take_turns_by_age(engine: Engine, run_async: Callable[[Any], Any]) -> None:
    batcher, other = Batcher(100, 1000), Engine()

    async def main() -> None:
        engine.go.clear()
        tasks = [asyncio.create_task(batcher.score(engine, 0, [ids(1, 2)]))]
        await asyncio.to_thread(engine.began.wait)
        for chosen, adapter in ((other, 1), (engine, 2), (other, 3)):
            tasks.append(asyncio.create_task(batcher.score(chosen, adapter, [ids(1, 2)])))
            await asyncio.sleep(0.01)
        engine.go.set()
        await asyncio.gather(*tasks)

    run_async(main())
    batcher.close()
    assert other.batches == [[(1, [2]), (3, [2])]]
    assert engine.batches == [[(0, [2])], [(2, [2])]]


def test_closing_answers_what_waits_and_takes_nothing_more(
    engine: Engine, run_async: Callable[[Any], Any]
) -> None:
    batcher = Batcher(4, 100)

    async def main() -> list[Any]:
        engine.go.clear()
        tasks = [asyncio.create_task(batcher.score(engine, n, [ids(n, 4)])) for n in range(5)]
        await asyncio.to_thread(engine.began.wait)
        closing = asyncio.create_task(asyncio.to_thread(batcher.close))
        await asyncio.sleep(0.05)
        assert not batcher.alive
        with pytest.raises(RefusedError) as refused:
            await batcher.score(engine, 9, [ids(9, 1)])
        assert refused.value.status == 503
        engine.go.set()
        await closing
        return await asyncio.gather(*tasks)

    assert [int(scored.logits[0][1]) for scored in run_async(main())] == [0, 1, 2, 3, 4]


def test_what_would_wait_too_long_is_refused(
    engine: Engine, run_async: Callable[[Any], Any]
) -> None:
    batcher = Batcher(4, 1000, max_seconds=0.0)

    async def main() -> None:
        await batcher.score(engine, 0, [ids(1, 4)])  # now the rate is known
        engine.began.clear()
        engine.go.clear()
        running = asyncio.create_task(batcher.score(engine, 0, [ids(1, 4)]))
        await asyncio.to_thread(engine.began.wait)
        waiting = asyncio.create_task(batcher.score(engine, 0, [ids(1, 4)]))
        await asyncio.sleep(0.02)
        with pytest.raises(RefusedError) as refused:
            await batcher.score(engine, 0, [ids(1, 1)])
        assert refused.value.status == 429
        engine.go.set()
        await asyncio.gather(running, waiting)

    run_async(main())
    batcher.close()


def test_a_batch_is_as_large_as_when_files_are_scored() -> None:
    from textlora.inference.logits import DEFAULT_TOKEN_BUDGET
    from textlora.serving import Limits

    assert Limits().max_batch_tokens == DEFAULT_TOKEN_BUDGET


class Pair(Engine):
    """Answers no batch before two are under way."""

    def __init__(self) -> None:
        super().__init__()
        self.two = threading.Barrier(2, timeout=10)

    def logits(self, work: Sequence[tuple[Any, Any]]) -> list[Any]:
        self.two.wait()
        return super().logits(work)


def test_a_request_in_two_batches_at_a_time_comes_back_whole(
    run_async: Callable[[Any], Any],
) -> None:
    prepared: list[str] = []
    batcher = Batcher(
        4, 1000, threads=2, prepare=lambda: prepared.append(threading.current_thread().name)
    )
    engine = Pair()
    scored = run_async(batcher.score(engine, 7, [ids(n, 4) for n in range(20)]))
    assert [row.tolist() for row in scored.logits] == [[7, n] for n in range(20)]
    assert sorted(len(batch) for batch in engine.batches) == [1] * 20
    assert sorted(prepared) == ["inference-0", "inference-1"]
    assert batcher.alive
    batcher.close(5)
    assert not batcher.alive
