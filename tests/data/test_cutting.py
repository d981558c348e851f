"""Cuts of long texts: nothing is lost in windows, both ends are kept, settings are checked."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from textlora.data.truncation import SpecialTokens, TokenIds, Truncation, Windows
from textlora.errors import ConfigError

SPECIAL = st.builds(SpecialTokens, st.integers(0, 2), st.integers(0, 2))
LENGTHS = st.integers(0, 300)
ROOMS = st.integers(1, 40)


def text_of(length: int, special: SpecialTokens) -> TokenIds:
    """Ids that tell their place: 0, 1, 2 … between special tokens of -1."""
    return np.array([-1] * special.before + [*range(length)] + [-1] * special.after, np.int32)


def content_of(sequence: TokenIds, special: SpecialTokens) -> list[int]:
    """The ids between the special tokens, which must be where they belong."""
    end = len(sequence) - special.after
    assert (sequence[: special.before] == -1).all()
    assert (sequence[end:] == -1).all()
    return [int(token) for token in sequence[special.before : end]]


@given(length=LENGTHS, room=ROOMS, special=SPECIAL, data=st.data())
def test_every_token_is_in_some_window_and_windows_overlap(
    length: int, room: int, special: SpecialTokens, data: st.DataObject
) -> None:
    stride = data.draw(st.integers(0, room - 1))
    cut = Windows(room + special.total, stride, max_windows=1_000)
    cut.check(special)
    sequences = cut.sequences(text_of(length, special), special)
    windows = [content_of(sequence, special) for sequence in sequences]
    assert {token for window in windows for token in window} == set(range(length))
    assert all(window == sorted(window) for window in windows)
    if len(windows) == 1:
        assert length <= room
        return
    assert {len(window) for window in windows} == {room}
    overlaps = [len({*one} & {*other}) for one, other in pairwise(windows)]
    assert all(overlap == stride for overlap in overlaps[:-1])
    assert stride <= overlaps[-1] < room
    assert all(one[0] < other[0] for one, other in pairwise(windows))


@given(length=LENGTHS, room=ROOMS, limit=st.integers(1, 12), data=st.data())
def test_windows_are_bounded_and_spread_over_the_text(
    length: int, room: int, limit: int, data: st.DataObject
) -> None:
    special = SpecialTokens(1, 1)
    stride = data.draw(st.integers(0, room - 1))
    sequences = Windows(room + 2, stride, limit).sequences(text_of(length, special), special)
    windows = [content_of(sequence, special) for sequence in sequences]
    assert len(windows) <= limit
    seen = {token for window in windows for token in window}
    # As many windows as there may be leave nothing out of a text that they can hold.
    assert (seen == set(range(length))) is (length <= limit * room)
    if limit > 1 and length:
        assert {0, length - 1} <= seen


def test_a_text_of_two_megabytes_is_bounded() -> None:
    special = SpecialTokens(1, 1)
    sequences = Windows(512, 128, 64).sequences(text_of(500_000, special), special)
    assert len(sequences) == 64
    assert {len(sequence) for sequence in sequences} == {512}


@given(
    length=LENGTHS,
    room=ROOMS,
    special=SPECIAL,
    share=st.floats(0, 1, exclude_min=True, exclude_max=True),
)
def test_head_and_tail_fill_the_length_and_keep_both_ends(
    length: int, room: int, special: SpecialTokens, share: float
) -> None:
    assume(room >= 2)
    max_length = room + special.total
    (kept,) = Truncation(max_length, "head+tail", share).sequences(
        text_of(length, special), special
    )
    content = content_of(kept, special)
    if length <= room:
        assert content == [*range(length)]
        return
    assert len(kept) == max_length
    head = next((place for place, token in enumerate(content) if place != token), room)
    assert content == [*range(head), *range(length - (room - head), length)]
    assert 1 <= head < room
    assert abs(head - share * room) <= 1


@given(length=LENGTHS, room=ROOMS, special=SPECIAL)
def test_truncation_at_one_end(length: int, room: int, special: SpecialTokens) -> None:
    text, max_length = text_of(length, special), room + special.total
    kept = {
        side: content_of(Truncation(max_length, side, 0.5).sequences(text, special)[0], special)
        for side in ("left", "right")
    }
    whole = [*range(length)]
    assert kept == {"left": whole[max(0, length - room) :], "right": whole[:room]}


def test_no_room() -> None:
    special = SpecialTokens(1, 1)
    for cut in (Truncation(2, "right", 0.5), Windows(2, 0, 9)):
        with pytest.raises(ConfigError, match="max_length=2 leaves no room"):
            cut.check(special)
    with pytest.raises(ConfigError, match=r"window_stride=4.*never move on.*below 4"):
        Windows(6, 4, 9).check(special)
    Windows(6, 3, 9).check(special)
