"""What becomes of a text that is longer than the model takes: cut short, or cut into windows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np

from textlora.errors import ConfigError

Side = Literal["left", "right", "head+tail"]
TokenIds = np.ndarray[Any, np.dtype[np.int32]]


@dataclass(frozen=True)
class SpecialTokens:
    """The special tokens around every text: how many stand before it, how many after."""

    before: int
    after: int

    @property
    def total(self) -> int:
        """Both together."""
        return self.before + self.after


class Cut(Protocol):
    """Makes of a whole text the sequences that the model sees.

    Its `repr` is part of the token cache's key: it names every value that the sequences depend on.
    """

    def check(self, special: SpecialTokens) -> None:
        """Refuse settings that leave no room for a text.

        Raises:
            ConfigError: they do not.
        """
        ...

    def sequences(self, tokens: TokenIds, special: SpecialTokens) -> list[TokenIds]:
        """Cut one text.

        Args:
            tokens: the ids of the whole text, special tokens at both ends.
            special: how many these are.

        Returns:
            At least one sequence, in the order of the text, each with the special tokens.
        """
        ...


@dataclass(frozen=True)
class Truncation:
    """A text is one sequence; what is too long loses tokens.

    "head+tail" keeps both ends and loses the middle: Sun et al., How to Fine-Tune BERT for Text
    Classification?, 2019 (https://arxiv.org/abs/1905.05583), section 5.3.1.

    Args:
        max_length: tokens a sequence may have, special tokens included.
        side: the end that loses tokens; "head+tail": the middle does.
        head_share: for "head+tail", the share of the kept tokens that come from the start; either
            end keeps at least one.
    """

    max_length: int
    side: Side
    head_share: float

    def check(self, special: SpecialTokens) -> None:
        """Refuse a `max_length` that the special tokens take up."""
        _room(self.max_length, special)

    def sequences(self, tokens: TokenIds, special: SpecialTokens) -> list[TokenIds]:
        """Return the text as one sequence."""
        if len(tokens) <= self.max_length:
            return [tokens]
        first = special.before + self._head(_room(self.max_length, special))
        last = self.max_length - first
        return [np.concatenate([tokens[:first], tokens[len(tokens) - last :]])]

    def _head(self, room: int) -> int:
        if self.side == "left":
            return 0
        if self.side == "right" or room == 1:
            return room
        return min(max(round(self.head_share * room), 1), room - 1)


@dataclass(frozen=True)
class Windows:
    """A text is as many overlapping sequences as it takes, all but a short text's of full length.

    The last window ends with the text and overlaps the one before by more than the stride where
    that is needed: a remainder of a few tokens would have as much to say as a whole window.

    Args:
        max_length: tokens a window may have, special tokens included.
        stride: tokens that a window shares with the one before.
        max_windows: a text that needs more gets this many, spread evenly: they overlap less, and
            beyond that leave something out.
    """

    max_length: int
    stride: int
    max_windows: int

    def check(self, special: SpecialTokens) -> None:
        """Refuse a stride that would leave a window nothing of its own."""
        room = _room(self.max_length, special)
        if self.stride >= room:
            raise ConfigError(
                f"data.window_stride={self.stride}: a window of {self.max_length} tokens has room "
                f"for {room} beside its special tokens, so it would never move on.",
                f"Set data.window_stride below {room}; a quarter of data.max_length is usual.",
            )

    def sequences(self, tokens: TokenIds, special: SpecialTokens) -> list[TokenIds]:
        """Return the text's windows."""
        if len(tokens) <= self.max_length:
            return [tokens]
        room = _room(self.max_length, special)
        end = len(tokens) - special.after
        content = tokens[special.before : end]
        return [
            np.concatenate([tokens[: special.before], content[start : start + room], tokens[end:]])
            for start in self.starts(len(content), room)
        ]

    def starts(self, length: int, room: int) -> list[int]:
        """Return where the windows of a text start.

        Args:
            length: tokens of the text, without special ones.
            room: tokens of it that a window holds.
        """
        last = max(length - room, 0)
        starts = [*range(0, last, room - self.stride), last]
        if len(starts) <= self.max_windows:
            return starts
        if self.max_windows == 1:
            return [0]
        return [last * place // (self.max_windows - 1) for place in range(self.max_windows)]


def _room(max_length: int, special: SpecialTokens) -> int:
    """Return the tokens of a text that fit beside the special ones."""
    if max_length <= special.total:
        raise ConfigError(
            f"data.max_length={max_length} leaves no room beside {special.total} special tokens.",
            "Give a larger data.max_length.",
        )
    return max_length - special.total
