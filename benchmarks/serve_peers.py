"""`transformers.pipeline` behind FastAPI, as tutorials have it, and with batches.

    python benchmarks/serve_peers.py FOLDER single|batched PORT

`single` answers one request at a time. `batched` hands the pipeline what waits, up to 16 texts,
and lets it batch them.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

BATCH = 16
MAX_LENGTH = 512


def make_app(folder: str, batched: bool) -> Any:
    """Return the application.

    Args:
        folder: a plain Transformers classifier with its tokenizer.
        batched: whether requests that wait are answered together.
    """
    import torch
    from fastapi import FastAPI
    from pydantic import BaseModel
    from transformers import AutoTokenizer, pipeline

    tokenizer = AutoTokenizer.from_pretrained(folder, truncation_side="left")
    pipe = pipeline(
        "text-classification", model=folder, tokenizer=tokenizer, device="cpu", dtype=torch.float32
    )
    thread = ThreadPoolExecutor(1)
    queue: asyncio.Queue[tuple[str, asyncio.Future[Any]]] = asyncio.Queue()

    def answer(texts: list[str]) -> Any:
        return pipe(
            texts, truncation=True, max_length=MAX_LENGTH, top_k=None, batch_size=len(texts)
        )

    async def work() -> None:
        loop = asyncio.get_running_loop()
        while True:
            waiting = [await queue.get()]
            while batched and len(waiting) < BATCH and not queue.empty():
                waiting.append(queue.get_nowait())
            answers = await loop.run_in_executor(thread, answer, [text for text, _ in waiting])
            for (_, future), scores in zip(waiting, answers, strict=True):
                if not future.done():
                    future.set_result(scores)

    @asynccontextmanager
    async def lifespan(_: Any) -> AsyncIterator[None]:
        task = asyncio.create_task(work())
        yield
        task.cancel()

    class Request(BaseModel):
        inputs: str

    class Score(BaseModel):
        label: str
        score: float

    app = FastAPI(lifespan=lifespan)

    async def predict(request: Request) -> list[Score]:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        queue.put_nowait((request.inputs, future))
        return await future  # type: ignore[no-any-return]

    # The models live in this function, where annotations kept as words cannot find them.
    predict.__annotations__ = {"request": Request, "return": list[Score]}
    app.post("/predict")(predict)
    return app


def main() -> None:
    """Serve until SIGTERM."""
    import uvicorn

    folder, mode, port = sys.argv[1:]
    uvicorn.run(make_app(folder, mode == "batched"), port=int(port), log_level="warning")


if __name__ == "__main__":
    main()
