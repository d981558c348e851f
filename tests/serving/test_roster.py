"""What one process loads, the others have."""

from __future__ import annotations

from pathlib import Path

from serving.conftest import Serve
from serving.test_app import TEXT
from textlora.serving.service import Roster


def test_changes_are_seen(tmp_path: Path) -> None:
    ours, theirs = Roster(tmp_path), Roster(tmp_path)
    assert theirs.changed()
    assert theirs.read() == {}
    number = ours.add("a")
    assert theirs.changed()
    assert theirs.read() == {"a": number}
    again = ours.add("a")
    assert theirs.read()["a"] == again
    ours.remove("a")
    ours.remove("a")
    assert theirs.read() == {}


def test_processes_follow_each_other(serve: Serve, adapters: Path, tmp_path: Path) -> None:
    first, second = (serve("a0", adapters=adapters, roster=tmp_path) for _ in range(2))
    assert first.put("/adapters/a1").status_code == 200
    assert second.post("/adapters/a1/predict", json={"inputs": TEXT}).status_code == 200
    assert second.delete("/adapters/a1").status_code == 204
    assert [a["name"] for a in first.get("/adapters").json()["adapters"]] == ["a0"]
    assert first.post("/adapters/a1/predict", json={"inputs": TEXT}).status_code == 404
    first.put("/adapters/a2")
    # One that takes the place of another finds what was loaded.
    third = serve("a0", adapters=adapters, roster=tmp_path)
    assert [a["name"] for a in third.get("/info").json()["adapters"]] == ["a0", "a2"]
