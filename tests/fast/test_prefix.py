"""The states of the frozen layers: complete, packed, and the same in memory and in a file."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from support.examples import examples
from textlora.fast import frozen_layers as prefix
from textlora.fast.frozen_layers import PrefixStates, prefix_states
from textlora.fast.packing import Packed

LAYERS = 3
HIDDEN = 3
MAPS = Path("/proc/self/maps")
needs_maps = pytest.mark.skipif(not MAPS.exists(), reason="needs Linux's list of mapped files")


@pytest.fixture(autouse=True, params=[torch.float32, torch.bfloat16], ids=["fp32", "bf16"])
def dtype(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> torch.dtype:
    """Layers whose states tell token, position and how many layers ran; filler is no number."""

    def layers(packed: Packed, *, keep_states: bool, stop: int) -> tuple[torch.Tensor, list[Any]]:
        ran = torch.full_like(packed.input_ids, stop)
        states = torch.stack([packed.input_ids, packed.position_ids, ran], dim=1)
        states = states.to(request.param)
        states[int(packed.cu_seqlens[-1]) :] = float("nan")
        return states, []

    monkeypatch.setattr(prefix, "run_layers", layers)
    return request.param


def texts_of(lengths: list[int]) -> list[np.ndarray]:
    """Texts that differ: bf16 holds whole numbers up to 256."""
    return [(np.arange(n, dtype=np.int32) + 7 * row) % 250 for row, n in enumerate(lengths)]


def states_of(texts: list[np.ndarray], folder: Path, **options: Any) -> PrefixStates:
    """The states in a file, unless something else is asked for."""
    return prefix_states(
        lambda packed: packed,  # type: ignore[arg-type, return-value]
        texts,
        options.pop("batches", [[row] for row in range(len(texts))]),
        layers=LAYERS,
        ram_bytes=options.pop("ram_bytes", 0),
        folder=folder,
        **options,
    )


def mapped(folder: Path) -> int:
    """How many files of a folder are mapped into memory, named or not."""
    return sum(f"{folder}/" in line for line in MAPS.read_text().splitlines())


def open_files(folder: Path) -> list[str]:
    """The files of a folder that this process has open, named or not."""
    links = []
    for number in os.listdir("/proc/self/fd"):  # noqa: PTH208
        try:
            links.append(os.readlink(f"/proc/self/fd/{number}"))  # noqa: PTH115
        except OSError:
            continue
    return [link for link in links if link.startswith(f"{folder}/")]


@examples(40, suppress_health_check=list(HealthCheck))
@given(
    lengths=st.lists(st.integers(1, 40), min_size=1, max_size=12),
    per_batch=st.integers(1, 5),
    seed=st.integers(0, 100),
)
def test_every_text_has_its_states_in_memory_and_in_a_file(
    lengths: list[int], per_batch: int, seed: int, dtype: torch.dtype, tmp_path: Path
) -> None:
    texts = texts_of(lengths)
    order = np.random.default_rng(seed).permutation(len(texts)).tolist()
    batches = [order[start : start + per_batch] for start in range(0, len(order), per_batch)]
    stored = [
        states_of(texts, tmp_path, batches=batches, ram_bytes=ram_bytes) for ram_bytes in (1e9, 0)
    ]
    assert [states.rows.on_disk for states in stored] == [False, True]
    for states in stored:
        assert len(states) == len(texts)
        assert states.rows.values.dtype == dtype
        assert states.rows.values.shape == (sum(lengths), HIDDEN)
        for row, text in enumerate(texts):
            assert len(states[row]) == len(text)
            expected = np.stack([text, np.arange(len(text)), np.full(len(text), LAYERS)], axis=1)
            np.testing.assert_array_equal(states[row].float().numpy(), expected)
    in_memory, in_file = (states.rows.values.view(torch.uint8) for states in stored)
    assert torch.equal(in_memory, in_file)


def test_the_file_begins_where_the_memory_ends(dtype: torch.dtype, tmp_path: Path) -> None:
    texts = texts_of([5, 6])
    size = 11 * HIDDEN * dtype.itemsize
    assert not states_of(texts, tmp_path / "none", ram_bytes=size).rows.on_disk
    assert not (tmp_path / "none").exists()
    assert states_of(texts, tmp_path / "some", ram_bytes=size - 1).rows.on_disk


def test_parts_share_the_rows_and_are_let_go_together(tmp_path: Path) -> None:
    texts = texts_of([3, 1, 4])
    states = states_of(texts, tmp_path, ram_bytes=1e9)
    first, rest = states.split(1)
    assert (len(first), len(rest)) == (1, 2)
    assert torch.equal(rest[1], states[2])
    assert first[0].data_ptr() == states[0].data_ptr()
    with pytest.raises(IndexError):
        first[1]
    states.close()
    assert [len(first[0]), len(rest[0]), states.rows.values.nbytes] == [0, 0, 0]


@needs_maps
def test_the_file_has_no_name_at_any_time_and_is_freed_when_let_go(tmp_path: Path) -> None:
    """So a program that is killed leaves nothing either."""
    seen: list[list[Path]] = []

    def look(_: int) -> None:
        seen.append(list(tmp_path.iterdir()))

    states = states_of(texts_of([300] * 5), tmp_path, progress=look)
    assert seen == [[]] * 5
    assert list(tmp_path.iterdir()) == []
    assert mapped(tmp_path) == 1
    handed_on = states.split(2)
    states.close()
    assert mapped(tmp_path) == 0
    assert len(handed_on[0]) == 2


@needs_maps
def test_an_interruption_in_the_middle_leaves_nothing(tmp_path: Path) -> None:
    def interrupted(done: int) -> None:
        if done == 2:
            assert len(open_files(tmp_path)) == 1
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        states_of(texts_of([9, 9, 9]), tmp_path, batches=[[0], [1, 2]], progress=interrupted)
    assert open_files(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("missing", [0, 1])
def test_a_disk_without_room_is_refused_before_the_work(
    missing: int, dtype: torch.dtype, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = SimpleNamespace(free=27 * HIDDEN * dtype.itemsize - missing)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: room)
    texts, done = texts_of([9, 9, 9]), []
    if not missing:
        assert len(states_of(texts, tmp_path, progress=done.append)) == len(done) == 3
        return
    with pytest.raises(OSError, match=str(tmp_path)) as caught:
        states_of(texts, tmp_path, progress=done.append)
    assert caught.value.errno == errno.ENOSPC
    assert done == [1]  # the batch that tells the type


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_disk_that_fills_up_while_writing_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Path("/dev/full").open("r+b") as full:
        monkeypatch.setattr(tempfile, "TemporaryFile", lambda dir: full)
        with pytest.raises(OSError, match="No space left") as caught:
            states_of(texts_of([9, 9]), tmp_path)
    assert caught.value.errno == errno.ENOSPC


@pytest.mark.parametrize("batches", [[], [[0]], [[0], [0]], [[0, 1], [1]], [[0], [2]]])
def test_every_text_belongs_into_one_batch(batches: list[list[int]], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="one batch"):
        states_of(texts_of([2, 2]), tmp_path, batches=batches)


def test_no_texts_no_states(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="one batch"):
        states_of([], tmp_path)
