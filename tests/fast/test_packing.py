from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from textlora.fast.packing import pack, unpack

lengths = st.lists(st.integers(1, 30), min_size=1, max_size=8)


def _sequences(sizes: list[int]) -> list[np.ndarray]:
    return [np.arange(size, dtype=np.int32) + 100 * number for number, size in enumerate(sizes)]


@given(lengths)
def test_pack_then_unpack_is_the_identity(sizes: list[int]) -> None:
    sequences = _sequences(sizes)
    packed = pack(sequences)
    for piece, sequence in zip(unpack(packed.input_ids, packed.cu_seqlens), sequences, strict=True):
        assert piece.tolist() == sequence.tolist()


@given(lengths)
def test_positions_start_anew_in_every_sequence(sizes: list[int]) -> None:
    packed = pack(_sequences(sizes))
    for positions in unpack(packed.position_ids, packed.cu_seqlens):
        assert positions.tolist() == list(range(len(positions)))


@given(lengths, st.integers(1, 100))
def test_only_the_end_is_filled_up(sizes: list[int], multiple: int) -> None:
    packed = pack(_sequences(sizes), multiple)
    assert len(packed.input_ids) % multiple == 0
    assert 0 <= len(packed.input_ids) - sum(sizes) < multiple
    assert packed.lengths == sizes
    assert packed.cu_seqlens.dtype == torch.int64


@pytest.mark.parametrize("sequences", [[], [np.array([], dtype=np.int32)]])
def test_empty_sequences_are_refused(sequences: list[np.ndarray]) -> None:
    with pytest.raises(ValueError, match="at least one token"):
        pack(sequences)
