"""Why an answer, and what the classifier was before training: slow questions, one at a time.

They have a thread and models of their own, loaded when the first one comes, so that the batches of
other requests go on; and a short queue, because an explanation takes as long as many answers.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

from textlora.config import Precision
from textlora.errors import ConfigError, DataError, MissingExtraError, TextloraError
from textlora.inference.explaining import explain, require_captum
from textlora.inference.predictor import Predictor, trained_with
from textlora.inference.untrained import load_untrained
from textlora.metrics.mistakes import Explanation, Span, Word
from textlora.report.attributions import quality_in_words, shortened
from textlora.serving import LOGGER
from textlora.serving.adapters import Registry, ServedAdapter
from textlora.serving.schemas import (
    ExplainResponse,
    Piece,
    RefusedError,
    UntrainedResponse,
    WordScore,
    invalid,
)

if TYPE_CHECKING:
    from pathlib import Path

# Questions that are worked at or wait; more are refused with 429.
MOST_WAITING = 4
# Half of what the command line takes: somebody is waiting.
_MOST_STEPS = 80
_UNTRAINED_SEED = 0


def explains() -> bool:
    """Return whether captum is there."""
    try:
        require_captum()
    except MissingExtraError:
        return False
    return True


def explained(adapter: ServedAdapter, explanation: Explanation) -> ExplainResponse:
    """Put an explanation into the words and pieces that are sent."""
    return ExplainResponse(
        model=adapter.name,
        target=explanation.target,
        probability=explanation.probability,
        baseline=explanation.baseline,
        baseline_probability=explanation.baseline_probability,
        pieces=[_piece(explanation, piece) for piece in explanation.pieces()],
        speak_for=_named(explanation.strongest(1)),
        speak_against=_named(explanation.strongest(-1)),
        quality=quality_in_words(explanation),
    )


def _piece(explanation: Explanation, piece: Word | Span | str) -> Piece:
    if isinstance(piece, str):
        return Piece(text=piece)
    if isinstance(piece, Span):
        return Piece(text=shortened(explanation.text[piece.start : piece.end]), unseen=True)
    return Piece(text=piece.text, score=piece.score, level=explanation.level(piece))


def _named(words: list[Word]) -> list[WordScore]:
    return [WordScore(text=word.text, score=word.score) for word in words]


class Explainer:
    """Answers slow questions about single texts.

    Args:
        registry: the adapters.
        precision: of the products; None: as each run was trained.
        timeout: seconds after which a question is given up with 504.
    """

    def __init__(self, registry: Registry, precision: Precision | None, timeout: float) -> None:
        self._registry = registry
        self._precision = precision
        self._timeout = timeout
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="explaining")
        self._waiting = 0
        self._seconds = 1.0
        # Of one adapter: whoever explains, explains again.
        self._adapter: ServedAdapter | None = None
        self._models: dict[str, Predictor] = {}

    @property
    def waiting(self) -> int:
        """Questions that are worked at or wait."""
        return self._waiting

    async def explain(self, adapter: ServedAdapter, text: str, target: str | None) -> Explanation:
        """Say what every word of a text did for a class; see `inference.explaining.explain`.

        Raises:
            RefusedError: captum is missing, no such class, too many questions, no answer in time.
        """
        try:
            require_captum()
        except MissingExtraError as error:
            raise RefusedError(501, "not_installed", f"{error.problem} {error.remedy}") from None
        return await self._ask(partial(self._explain, adapter, text, target))  # type: ignore[no-any-return]

    async def untrained(self, adapter: ServedAdapter, text: str) -> UntrainedResponse:
        """Answer with the same encoder and a head of random weights.

        Raises:
            RefusedError: too many questions, no answer in time.
        """
        return await self._ask(partial(self._untrained, adapter, text))  # type: ignore[no-any-return]

    def close(self) -> None:
        """End the thread after the question that it works at."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _ask(self, question: Callable[[], Any]) -> Any:
        if self._waiting >= MOST_WAITING:
            seconds = max(1, round(self._waiting * self._seconds))
            raise RefusedError(
                429, "overloaded", "Other explanations are waiting; try again later.", seconds
            )
        self._waiting += 1
        work = asyncio.get_running_loop().run_in_executor(self._thread, self._timed, question)
        # Given up or not, the thread is busy until it is done.
        work.add_done_callback(self._done)
        try:
            async with asyncio.timeout(self._timeout):
                return await asyncio.shield(work)
        except TimeoutError:
            raise RefusedError(
                504, "timeout", f"No explanation in {self._timeout:g} s.", retry_after=1
            ) from None
        except ConfigError as error:  # no such class
            raise invalid(f"target: {error.problem} {error.remedy}") from None
        except DataError as error:  # a text with nothing in it
            raise invalid(f"inputs: {error.problem}") from None
        except TextloraError as error:
            raise RefusedError(409, "adapter", "This adapter cannot be explained.") from error

    def _done(self, work: asyncio.Future[Any]) -> None:
        self._waiting -= 1
        if not work.cancelled() and (error := work.exception()) is not None:
            LOGGER.warning("not explained", extra={"fields": {"cause": type(error).__name__}})

    def _timed(self, question: Callable[[], Any]) -> Any:
        started = time.perf_counter()
        answer = question()
        self._seconds = time.perf_counter() - started
        return answer

    def _explain(self, adapter: ServedAdapter, text: str, target: str | None) -> Explanation:
        predictor = self._model("tuned", adapter, self._load)
        return explain(predictor, text, target, most_steps=_MOST_STEPS)

    def _untrained(self, adapter: ServedAdapter, text: str) -> UntrainedResponse:
        predictor = self._model("untrained", adapter, partial(load_untrained, seed=_UNTRAINED_SEED))
        return UntrainedResponse(
            model=adapter.name,
            probabilities=predictor.predict([text])[0].probabilities,
            seed=_UNTRAINED_SEED,
        )

    def _model(
        self, kind: str, adapter: ServedAdapter, load: Callable[[Path], Predictor]
    ) -> Predictor:
        if self._adapter is not adapter:
            self._adapter, self._models = adapter, {}
        if kind not in self._models:
            with self._registry.reading(adapter.name) as folder:
                self._models[kind] = load(folder)
        return self._models[kind]

    def _load(self, folder: Path) -> Predictor:
        compute = trained_with(folder)
        if self._precision is not None:
            compute = compute.model_copy(update={"precision": self._precision})
        return Predictor.load(folder, compute)
