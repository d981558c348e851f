"""How a batch of token sequences becomes logits, and the one branch between the ways.

`PlainForward` pads and calls the untouched Transformers/PEFT model: the
readable reference. Anything faster offers the same methods.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import nn

from textlora.config import ComputeConfig, Precision
from textlora.errors import ConfigError
from textlora.model.backends.plain import (
    Forward,
    PlainForward,
    TokenIds,
    TokenSequences,
    UnsupportedError,
)
from textlora.model.encoders import Backbone
from textlora.model.heads import HeadSpec

__all__ = [
    "Choice",
    "Forward",
    "PlainForward",
    "TokenIds",
    "TokenSequences",
    "UnsupportedError",
    "choose_forward",
    "choose_prefix",
    "prefix_of",
    "shared_base",
]

if TYPE_CHECKING:
    from textlora.model.backends.frozen_layers import PrefixForward
    from textlora.model.backends.multi_lora import SharedBase


@contextmanager
def _with_fast() -> Iterator[None]:
    """Let what is imported inside be missing: without `fast/` everything takes the plain path."""
    try:
        yield
    except ModuleNotFoundError as error:
        if not str(error.name).startswith("textlora.fast"):
            raise
        raise UnsupportedError("this copy of textlora has no fast path") from None


@dataclass(frozen=True)
class Choice:
    """A way to run a classifier.

    Args:
        forward: the way.
        reason: one line on which it is, and why.
    """

    forward: Forward
    reason: str


def choose_forward(
    model: nn.Module, head: HeadSpec, pad_token_id: int, compute: ComputeConfig
) -> Choice:
    """Take the fast path where the settings allow it and the model has it.

    Raises:
        ConfigError: the fast path is demanded and the model does not have it.
    """
    plain = PlainForward(pad_token_id)
    if compute.path == "plain":
        return Choice(plain, "plain, as compute.path says")
    try:
        with _with_fast():
            from textlora.model.backends.fast import bind
        fast = bind(
            model,
            head,
            compute.precision,
            attention_dropout=compute.attention_dropout == "keep",
        )
    except UnsupportedError as error:
        if compute.path == "fast":
            raise ConfigError(
                f"compute.path=fast: {error}.", "Set compute.path to auto or plain."
            ) from None
        return Choice(plain, f"plain: {error}")
    return Choice(fast, f"fast: {fast.description}")


def choose_prefix(choice: Choice) -> PrefixForward:
    """Return the way that reuses what the frozen layers make of every text.

    Raises:
        ConfigError: the path is plain, or no layer lies below the adapters.
    """
    prefix = prefix_of(choice.forward)
    if prefix is None:
        raise ConfigError(
            f"compute.prefix_cache needs the fast path, and the path is {choice.reason}.",
            "Leave out --fast-prefix (compute.prefix_cache).",
        )
    if prefix.first_layer == 0:
        top = max(1, min(2, prefix.layers - 1))
        raise ConfigError(
            "compute.prefix_cache: the lowest layer has an adapter, so no layer stays as it is.",
            f"Put adapters on the top layers alone, as with --set lora.layers=top:{top}, "
            "or leave out --fast-prefix.",
        )
    return prefix


def prefix_of(forward: Forward) -> PrefixForward | None:
    """Return the way that skips what frozen layers it can; None where the path is plain."""
    try:
        with _with_fast():
            from textlora.model.backends.fast import FastForward
            from textlora.model.backends.frozen_layers import PrefixForward
    except UnsupportedError:
        return None
    return PrefixForward.above_frozen(forward) if isinstance(forward, FastForward) else None


def shared_base(backbone: Backbone, tokenizer: Any, precision: Precision) -> SharedBase:
    """Return an encoder that many adapters share.

    Raises:
        UnsupportedError: the fast path cannot run it.
    """
    with _with_fast():
        from textlora.model.backends.multi_lora import SharedBase
    return SharedBase(backbone, tokenizer, precision)
