"""A scoring that is killed, at any moment and any number of times, ends as if it had not been."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

TESTS = str(Path(__file__).parents[1])
Table = Callable[..., Path]

# Forks of one process that has imported everything: a start costs milliseconds.
START = """
import json, os, random, shutil, signal, sys, time
from pathlib import Path
asked = json.load(sys.stdin)
sys.path.insert(0, asked["tests"])
from support.scorers import COUNTING
from textlora.data.formats import Limits
from textlora.scoring.job import score_file
from textlora.scoring.job import Request
from textlora.scoring.shards import WorkFolder
import pyarrow.parquet

source, out, whole = (Path(asked[name]) for name in ("source", "out", "whole"))

def start(to, before=lambda: None, **more):
    child = os.fork()
    if child:
        return child
    try:
        before()
        score_file(Request(str(source), to, limits=Limits(asked["rows"]), **more), COUNTING)
    except BaseException as error:
        print(repr(error), file=sys.stderr, flush=True)
        os._exit(1)
    os._exit(0)

def end(child):
    status = os.waitpid(child, 0)[1]
    assert status == 0 or (os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL), status
    return status == 0

started = time.perf_counter()
assert end(start(whole))
seconds = time.perf_counter() - started

def complete():
    folder = WorkFolder(out).path
    if out.exists() and folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()  # the kill came between the last two steps
    return out.exists() and not folder.exists()
"""

AT_RANDOM = (
    START
    + """
draw = random.Random(asked["seed"])
kills = rounds = 0
while kills < asked["kills"]:
    rounds += 1
    out.unlink(missing_ok=True)
    while not complete():
        child = start(out, resume=True)
        time.sleep(draw.uniform(0, 0.8) * seconds)
        os.kill(child, signal.SIGKILL)
        kills += not end(child)  # a kill may come after the last thing that it does
        assert not out.exists() or out.read_bytes() == whole.read_bytes()
        if kills >= asked["kills"]:
            break
if not complete():
    assert end(start(out, resume=True))
print(json.dumps({"kills": kills, "rounds": rounds}))
"""
)

AT_EVERY_STEP = (
    START
    + """
STEPS = {"open", "os.rename", "os.remove", "os.rmdir", "os.mkdir"}

def kill_before(step):
    done = 0
    def hook(event, arguments):
        nonlocal done
        if event in STEPS and out.name in str(arguments):
            done += 1
            if done == step:
                os.kill(os.getpid(), signal.SIGKILL)
    return lambda: sys.addaudithook(hook)

step = 0
while True:
    step += 1
    out.unlink(missing_ok=True)
    if end(start(out, kill_before(step))):
        break  # it has no such step
    if not complete():
        # The second kill hits what the first one left.
        end(start(out, kill_before(step % 7 + 1), resume=True))
    if not complete():
        assert end(start(out, resume=True)), step
    assert out.read_bytes() == whole.read_bytes(), step
    assert complete(), step
print(json.dumps({"steps": step - 1}))
"""
)


def killing(script: str, source: Path, rows: int, **more: Any) -> dict[str, int]:
    """Run a script that kills, and return what it counted."""
    asked = {"tests": TESTS, "source": str(source), "rows": rows, **more}
    for name in ("out", "whole"):
        asked[name] = str(source.with_name(f"{name}{source.suffix}"))
    done = subprocess.run(
        [sys.executable, "-c", script], input=json.dumps(asked), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
    out, whole = Path(asked["out"]), Path(asked["whole"])
    assert out.read_bytes() == whole.read_bytes()
    assert {file.name for file in source.parent.iterdir()} == {source.name, out.name, whole.name}
    counted: dict[str, int] = json.loads(done.stdout.splitlines()[-1])
    return counted


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_killed_at_random_moments(suffix: str, table: Table) -> None:
    counted = killing(AT_RANDOM, table(f"in.{suffix}", 2_000), rows=100, kills=12, seed=5)
    assert counted["kills"] >= 12


@pytest.mark.parametrize("suffix", ["csv", pytest.param("parquet", marks=pytest.mark.slow)])
def test_killed_before_every_step_on_the_disk(suffix: str, table: Table) -> None:
    counted = killing(AT_EVERY_STEP, table(f"in.{suffix}", 8), rows=3)
    # A manifest, three shards with a line each, the joined file, its line and name, and the end.
    assert counted["steps"] > 15
