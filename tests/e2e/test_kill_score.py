"""`textlora score` with a real classifier, killed and resumed: the same bytes."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.tiny import Reviews


@pytest.mark.slow
def test_killed_in_the_middle(
    finished: Any, reviews: Reviews, run_cli: Callable[..., Any], tmp_path: Path
) -> None:
    source, whole, out = (tmp_path / name for name in ("in.csv", "whole.csv", "out.csv"))
    lines = [f"{row},{reviews.texts[row % 80]}" for row in range(15_000)]
    source.write_text("\n".join(["id,text", *(line.replace(" ,", "") for line in lines)]))
    done = run_cli("score", finished.folder.path, source, "--out", whole)
    assert done.code == 0, done.err
    command = [sys.executable, "-m", "textlora", "score", str(finished.folder.path)]
    with subprocess.Popen([*command, source, "--out", out]) as process:
        while not (tmp_path / "out.csv.parts" / "0000002").exists():
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    assert not out.exists()
    done = run_cli("score", finished.folder.path, source, "--out", out, "--resume")
    assert done.code == 0, done.err
    assert "of them before" in done.out
    assert out.read_bytes() == whole.read_bytes()
