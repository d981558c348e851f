"""What scripts/same_results.py calls a difference."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

import same_results


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """Two folders that say the same at another time, in another place, under another name."""
    for side, seconds, name in (("old", 1.5, "figures"), ("new", 2.5, "metrics")):
        run = tmp_path / side / "runs"
        run.mkdir(parents=True)
        values = {"f1": 0.5, "seconds": seconds, "run": str(run), name: [1, {"rows": 2}]}
        (run / "metrics.json").write_text(json.dumps(values))
        (run / "report.html").write_text(f"<p>Took {seconds} s,\nin {run}</p>\n")
        (run / "predictions.csv").write_text("text,label\na,b\n")
        (run / "adapter.safetensors").write_bytes(b"\xff\x00")
    return tmp_path


def test_times_places_and_declared_names_may_differ(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert same_results.compare(work, []) == 1
    monkeypatch.setitem(same_results.RENAMED, "figures", "metrics")
    assert same_results.compare(work, []) == 0


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("metrics.json", b'{"f1": 0.5000000001}'),
        ("report.html", b"<p>Took 1 s,\nelsewhere</p>\n"),
        ("predictions.csv", b"text,label\na,c\n"),
        ("adapter.safetensors", b"\xff\x01"),
        ("more.json", b"{}"),
    ],
)
def test_everything_else_is_told(
    work: Path,
    name: str,
    changed: bytes,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(same_results.RENAMED, "figures", "metrics")
    (work / "new" / "runs" / name).write_bytes(changed)
    assert same_results.compare(work, []) == 1
    assert f"runs/{name}" in capsys.readouterr().out
