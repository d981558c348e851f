"""The untouched encoder of a tiny model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from textlora.inference.logits import FrozenStates


def frozen_states(
    model: Path, told: Callable[[int], None] = lambda done: None, **compute: Any
) -> FrozenStates:
    """Return what encodes texts; `told` is called with the number of sequences of every batch."""
    from textlora.config import ComputeConfig
    from textlora.inference.logits import FrozenStates
    from textlora.model.encoders import Backbone

    @contextmanager
    def bar(total: int) -> Iterator[Callable[[int], None]]:
        yield told

    backbone = Backbone(str(model))
    settings = ComputeConfig(**{"precision": "fp32", **compute})
    return FrozenStates(backbone, backbone.load_tokenizer(), settings, bar)
