"""Six times the rows take no more memory."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

PEAK = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from support.scorers import COUNTING
from textlora.scoring.job import score_file
from textlora.scoring.job import Request
summary = score_file(Request(sys.argv[1], Path(sys.argv[2])), COUNTING)
status = Path("/proc/self/status").read_text()
print(summary.rows, next(line.split()[1] for line in status.splitlines() if "VmHWM" in line))
"""


def peak_megabytes(source: Path, rows: int) -> float:
    """Return the most memory that scoring a file took, in a process of its own."""
    out = source.with_name(f"out{source.suffix}")
    tests = Path(__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", PEAK, source, out, tests], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    told_rows, kilobytes = map(int, done.stdout.split())
    assert told_rows == rows
    out.unlink()
    return kilobytes / 1e3


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak from /proc")
@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_memory_does_not_grow_with_the_rows(suffix: str, table: Callable[..., Path]) -> None:
    few, many = (peak_megabytes(table(f"in.{suffix}", rows), rows) for rows in (50_000, 300_000))
    # 250,000 rows held in Python would take more than 100 MB.
    assert many < few + 25, json.dumps({"few": few, "many": many})
