"""What runs a batch: a base that many adapters share, or a model of an adapter's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from textlora.inference.predictor import Predictor
from textlora.inference.scoring import Logits, score
from textlora.model.forward import TokenIds
from textlora.model.mixed_forward import BoundAdapter, SharedBase

Work = Sequence[tuple[Any, Sequence[TokenIds]]]
"""Adapters as the engine knows them, each with its sequences."""


class Engine(Protocol):
    """Computes logits; its adapters may be mixed in a batch."""

    @property
    def description(self) -> str:
        """How it computes."""
        ...

    def logits(self, work: Work) -> list[Logits]:
        """Return the logits of every adapter's sequences, [its sequences, units] in fp32."""
        ...


class SharedEngine:
    """A base on the fast path, with the updates and heads of its adapters.

    Args:
        base: the base.
    """

    def __init__(self, base: SharedBase) -> None:
        self.base = base

    @property
    def description(self) -> str:
        """How it computes."""
        return self.base.forward.description

    def logits(self, work: Sequence[tuple[BoundAdapter, Sequence[TokenIds]]]) -> list[Logits]:
        """Return logits; see `Engine.logits`."""
        return [logits.numpy() for logits in self.base.logits(work)]


class OwnEngine:
    """A whole model for one adapter: where the fast path, or sharing, does not have it.

    Args:
        predictor: the model.
    """

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor

    @property
    def description(self) -> str:
        """How it computes."""
        return f"{self._predictor.forward.name}, a model of its own"

    def logits(self, work: Work) -> list[Logits]:
        """Return logits; see `Engine.logits`."""
        predictor = self._predictor
        return [score(predictor.model, predictor.forward, sequences) for _, sequences in work]
