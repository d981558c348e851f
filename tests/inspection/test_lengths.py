"""Lengths in tokens."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from textlora.data.tokenizing import TokenizedTexts
from textlora.inspection.inspecting import measure_lengths


def sequences(full: list[int], max_length: int) -> TokenizedTexts:
    kept = np.minimum(np.array(full, np.int64), max_length)
    return TokenizedTexts(
        tokens=np.zeros(int(kept.sum()), np.int32),
        offsets=np.concatenate([[0], np.cumsum(kept)]).astype(np.int64),
        text_offsets=np.arange(len(full) + 1, dtype=np.int64),
        full_lengths=np.array(full, np.int64),
        truncated=kept < np.array(full, np.int64),
    )


@given(
    st.lists(st.integers(2, 900), min_size=1, max_size=60),
    st.lists(st.integers(2, 900), max_size=20),
    st.integers(4, 600),
)
def test_losses_are_counted(train: list[int], test: list[int], max_length: int) -> None:
    parts = {"train": sequences(train, max_length), "test": sequences(test, max_length)}
    lengths = measure_lengths(parts, max_length)
    assert lengths is not None
    full = train + test
    for loss in lengths.losses:
        assert loss.rows == sum(length > loss.max_length for length in full)
        lost = sum(max(0, length - loss.max_length) for length in full)
        assert abs(loss.token_share - lost / sum(full)) < 1e-12
    assert lengths.chosen.rows == lengths.truncated
    assert sum(one.rows for one in lengths.bins) == len(full)
    edges = [one.up_to for one in lengths.bins]
    assert edges == sorted(set(edges))
    assert edges[-1] == lengths.longest == max(full)
    below = 0
    for one in lengths.bins:
        assert one.rows == sum(below < length <= one.up_to for length in full)
        below = one.up_to


def test_no_texts_no_lengths() -> None:
    assert measure_lengths({"train": sequences([], 8)}, 8) is None
