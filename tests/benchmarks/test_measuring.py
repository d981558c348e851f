"""Peers in processes of their own, and how they are compared."""

from __future__ import annotations

import os
import time

import pytest
from measuring import Children, Function, PeerError, Ratio, memory, rotated


def test_a_child_works_elsewhere_and_ends_with_its_block() -> None:
    with Children() as children:
        child = children.start("child", Function, os.getpid)
        there = child.call("call")
        assert there != os.getpid()
        assert child.call("call") == there
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            os.kill(there, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    pytest.fail("the process still runs")


def test_what_a_child_raises_comes_back_by_name() -> None:
    with Children() as children, pytest.raises(PeerError, match=r"(?s)peer A: .*ZeroDivision"):
        children.once("peer A", divmod, 1, 0)


def test_a_child_that_dies_is_told_of() -> None:
    with Children() as children, pytest.raises(PeerError, match=r"died \(exit code 3\)"):
        children.once("peer", os._exit, 3)


def test_a_childs_peak_is_its_own() -> None:
    held = bytearray(300 * 2**20)
    held[:: 2**12] = b"x" * len(held[:: 2**12])
    with Children() as children:
        peak = children.once("small", memory)["peak"]
    assert memory()["peak"] > len(held)
    assert peak < len(held)


def test_every_peer_is_first_in_turn() -> None:
    assert [rotated(["a", "b", "c"], turn)[0] for turn in range(4)] == ["a", "b", "c", "a"]
    assert sorted(rotated(["a", "b", "c"], 2)) == ["a", "b", "c"]


def test_ratios_are_taken_within_a_round() -> None:
    assert Ratio.paired([4.0, 6.0, 1.0], [2.0, 2.0, 1.0]) == Ratio(2.0, 1.0, 3.0)
    assert Ratio.paired([4.0], []) is None
