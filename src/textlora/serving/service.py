"""A request's way: its adapter, tokens, queue, logits, answers.

Processes tell each other of adapters loaded at run time by a file for each in a folder of the
server's own. Without it, an adapter would be known to the process that happened to get the request
for it, and to none that replaces a killed one.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from textlora.errors import DataError
from textlora.inference.logits import Logits, pool_logits
from textlora.inference.predictor import Prediction, Probabilities, answer, probabilities_of
from textlora.model.spec import ClassifierSpec
from textlora.serving import LOGGER, ServingSettings
from textlora.serving.adapters import Registry, ServedAdapter, Side
from textlora.serving.batching import Batcher
from textlora.serving.guard import Metrics
from textlora.serving.schemas import RefusedError, invalid

# A folder's time of change has steps of some milliseconds.
_STEP_NS = 50_000_000


class Roster:
    """The adapters that every process should have.

    Args:
        folder: an existing folder for this alone.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen = -1

    def changed(self) -> bool:
        """Return whether `read` may give something else than last time; takes microseconds."""
        changed = self._folder.stat().st_mtime_ns
        return changed != self._seen or time.time_ns() - changed < _STEP_NS

    def read(self) -> dict[str, int]:
        """Return the adapters, and a number of each that changes when it is loaded again."""
        self._seen = self._folder.stat().st_mtime_ns
        found = {}
        for file in self._folder.iterdir():
            try:
                found[file.name] = file.stat().st_mtime_ns
            except FileNotFoundError:  # removed just now
                continue
        return found

    def add(self, name: str) -> int:
        """Tell of an adapter that was loaded; return its number."""
        file = self._folder / name
        file.unlink(missing_ok=True)  # a new file changes the folder
        file.touch()
        return file.stat().st_mtime_ns

    def remove(self, name: str) -> None:
        """Tell of an adapter that was removed."""
        (self._folder / name).unlink(missing_ok=True)


# Characters that are tokenized where they came in, in a tenth of a millisecond or two: to hand
# them to a thread and back takes as long, and the threads then wait for each other.
_SHORT = 512
# Batches at a time, each on its share of the cores.
_STREAMS = 2


@dataclass(frozen=True)
class Scores:
    """The logits of a request's texts.

    Args:
        adapter: what gave them.
        logits: [texts, units], windows pooled.
        tokens: of each whole text.
        truncated: of each text, whether the model did not see all.
        tokenizing: seconds.
        queued: seconds.
        computed: seconds.
    """

    adapter: ServedAdapter
    logits: Logits
    tokens: list[int]
    truncated: list[bool]
    tokenizing: float
    queued: float
    computed: float

    @property
    def probabilities(self) -> Probabilities:
        """[texts, classes], calibrated if the run was."""
        return probabilities_of(self.logits, self.adapter.spec)

    def predictions(self) -> list[Prediction]:
        """Return the answers, by the adapter's rule."""
        return [answer(row, self.adapter.spec) for row in self.probabilities]


class Service:
    """The adapters, the queue, and what turns texts into scores.

    Args:
        settings: what is served, and how.

    Raises:
        TextloraError: an adapter that was named cannot be loaded.
    """

    def __init__(self, settings: ServingSettings) -> None:
        self.settings = settings
        self.metrics = Metrics()
        if settings.threads is not None:
            torch.set_num_threads(settings.threads)
        cores = torch.get_num_threads()
        streams = min(_STREAMS, cores)
        self.registry = Registry(settings.precision, settings.adapters)
        for name, path in settings.runs:
            self.registry.add(name, path)
        self._roster = Roster(settings.roster) if settings.roster else None
        self._loaded: dict[str, int] = {}
        self._follow()
        limits = settings.limits
        self.batcher = Batcher(
            limits.max_batch_tokens,
            limits.max_queue_tokens,
            limits.timeout,
            self.metrics.batch,
            threads=streams,
            # In each, because OpenMP counts by thread; torch lets later threads, such as that of
            # explanations, begin with the same share.
            prepare=partial(torch.set_num_threads, cores // streams),
        )
        # One thread: tokenizers have threads of their own, and the cores are the batches'.
        self._tokenizing = ThreadPoolExecutor(1, thread_name_prefix="tokenizing")
        # Apart from it, so that requests do not wait while an adapter is read.
        self._loading = ThreadPoolExecutor(1, thread_name_prefix="loading")

    async def score(
        self,
        texts: Sequence[str],
        name: str | None,
        *,
        refuse_long: bool = False,
        side: Side | None = None,
    ) -> Scores:
        """Return the logits of texts.

        Args:
            texts: the texts.
            name: of the adapter; None: the default.
            refuse_long: whether a text that is too long is refused, not truncated.
            side: the end at which long texts are truncated; None: as in training.

        Raises:
            RefusedError: unknown adapter, too many or too long texts, full queue, no answer.
        """
        if name is not None:
            await self.follow()
        adapter = self.registry.get(name)
        limit = self.settings.limits.max_client_batch_size
        if not 1 <= len(texts) <= limit:
            raise invalid(f"inputs: 1 to {limit} texts, not {len(texts)}.")
        try:
            async with asyncio.timeout(self.settings.limits.timeout):
                return await self._score(adapter, texts, refuse_long, side)
        except DataError as error:  # a text with nothing in it
            raise invalid(f"inputs: {error.problem}") from None
        except TimeoutError:
            raise RefusedError(
                504, "timeout", f"No answer in {self.settings.limits.timeout:g} s.", retry_after=1
            ) from None

    async def load(self, name: str) -> ServedAdapter:
        """Load an adapter from the allowed folder, or read it again; see `Registry.load`."""
        adapter: ServedAdapter = await self._changing(self._load, name)
        return adapter

    async def remove(self, name: str) -> None:
        """Let go of an adapter; see `Registry.remove`."""
        await self._changing(self._remove, name)

    async def follow(self) -> None:
        """Load and remove what other processes have."""
        if self._roster is not None and self._roster.changed():
            await self._changing(self._follow)

    def close(self) -> None:
        """Answer what waits and end the threads."""
        self.batcher.close(self.settings.limits.timeout)
        self._tokenizing.shutdown(cancel_futures=True)
        self._loading.shutdown(cancel_futures=True)

    async def _changing(self, function: Callable[..., Any], *arguments: Any) -> Any:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._loading, function, *arguments)

    def _load(self, name: str) -> ServedAdapter:
        adapter = self.registry.load(name)
        if self._roster is not None:
            self._loaded[name] = self._roster.add(name)
        self.metrics.adapters.set(len(self.registry.adapters))
        return adapter

    def _remove(self, name: str) -> None:
        self.registry.remove(name)
        if self._roster is not None:
            self._roster.remove(name)
            self._loaded.pop(name, None)
        self.metrics.adapters.set(len(self.registry.adapters))

    def _follow(self) -> None:
        wanted = self._roster.read() if self._roster is not None else {}
        for name in [name for name in self._loaded if name not in wanted]:
            del self._loaded[name]
            self.registry.remove(name)
        for name, number in wanted.items():
            if self._loaded.get(name) != number:
                self._loaded[name] = number
                try:
                    self.registry.load(name)
                except RefusedError as error:  # another process had it, and its files are gone
                    LOGGER.warning("not loaded", extra={"fields": {"cause": error.problem}})
        self.metrics.adapters.set(len(self.registry.adapters))

    async def _score(
        self, adapter: ServedAdapter, texts: Sequence[str], refuse_long: bool, side: Side | None
    ) -> Scores:
        loop = asyncio.get_running_loop()
        started = loop.time()
        if sum(map(len, texts)) <= _SHORT:
            tokens = adapter.sequences(texts, side)
        else:
            tokens = await loop.run_in_executor(self._tokenizing, adapter.sequences, texts, side)
        tokenizing = loop.time() - started
        if refuse_long and tokens.truncated.any():
            raise invalid(f"inputs: a text has more than {adapter.spec.max_length} tokens.")
        scored = await self.batcher.score(adapter.engine, adapter.weights, list(tokens))
        logits = pool_logits(
            np.stack(scored.logits),
            tokens.text_offsets,
            head=adapter.spec.head,
            pooling=adapter.spec.window_pooling,
        )
        if not np.isfinite(logits).all():
            raise RefusedError(500, "backend", "The adapter gives no finite numbers.")
        self.metrics.queue_seconds.observe(scored.queued)
        self.metrics.texts.inc(len(texts))
        self.metrics.truncated.inc(int(tokens.truncated.sum()))
        return Scores(
            adapter,
            logits,
            tokens.full_lengths.tolist(),
            tokens.truncated.tolist(),
            tokenizing,
            scored.queued,
            scored.computed,
        )


Function = Literal["softmax", "sigmoid", "none"]


def ranked(
    scores: Scores, top_k: int | None = None, function: Function | None = None
) -> list[list[dict[str, Any]]]:
    """Return label and score of the classes of every text.

    The answer by the adapter's rule stands first, which with thresholds or costs need not be
    the most probable class; the others follow by their score.

    Args:
        scores: the logits.
        top_k: only the first so many.
        function: from logits to scores; None: the adapter's own, by its temperature. A head
            with one unit has one function, its own; with "none" it gives the log-odds.
    """
    spec = scores.adapter.spec
    calibrated = scores.probabilities
    shown = calibrated if function is None else _applied(scores.logits, spec, function)
    names = spec.label_names
    return [
        [
            {"label": names[number], "score": float(row[number])}
            for number in _order(row, probable, spec)[:top_k]
        ]
        for row, probable in zip(shown, calibrated, strict=True)
    ]


def _order(row: Probabilities, probable: Probabilities, spec: ClassifierSpec) -> list[int]:
    order: list[int] = np.argsort(-row, kind="stable").tolist()
    if spec.decision.thresholds is None and spec.decision.costs is None:
        return order
    given = answer(probable, spec).label
    if not isinstance(given, str):  # unsure, or multi-label
        return order
    first = spec.label_names.index(given)
    return [first, *(number for number in order if number != first)]


def _applied(logits: Logits, spec: ClassifierSpec, function: Function) -> Logits:
    from scipy.special import expit, softmax

    one_unit = spec.head.one_unit
    if function == "none":
        return np.concatenate([-logits, logits], axis=1) if one_unit else logits
    scaled = logits.astype(np.float64) / spec.temperature
    if one_unit:
        scaled = np.concatenate([-scaled, scaled], axis=1)
    applied = expit(scaled) if function == "sigmoid" or one_unit else softmax(scaled, axis=1)
    return np.asarray(applied, dtype=np.float32)
