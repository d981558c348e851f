from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from textlora.fast.packing import pack, pack_states, unpack

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


@given(lengths, st.integers(1, 100))
def test_states_lie_where_their_tokens_would(sizes: list[int], multiple: int) -> None:
    states = [torch.full((size, 3), number + 1.0) for number, size in enumerate(sizes)]
    rows, packed = pack_states(states, multiple)
    tokens = pack(_sequences(sizes), multiple)
    assert packed.lengths == sizes
    assert len(rows) == len(packed.input_ids) == len(tokens.input_ids)
    assert torch.equal(packed.position_ids, tokens.position_ids)
    assert not packed.input_ids.any()
    for piece, expected in zip(unpack(rows, packed.cu_seqlens), states, strict=True):
        assert torch.equal(piece, expected)
    assert not rows[sum(sizes) :].any()


def test_packed_states_are_a_copy_in_their_own_type() -> None:
    states = torch.ones(64, 2, dtype=torch.bfloat16)
    rows, _ = pack_states([states], 64)
    assert rows.dtype == torch.bfloat16
    rows.zero_()
    assert states.all()


@pytest.mark.parametrize("states", [[], [torch.ones(2, 3), torch.ones(0, 3)]])
def test_empty_states_are_refused(states: list[torch.Tensor]) -> None:
    with pytest.raises(ValueError, match="at least one token"):
        pack_states(states)
