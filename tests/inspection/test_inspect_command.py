"""`textlora inspect`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.tiny import Reviews, write_table

Cli = Callable[..., Any]


@pytest.fixture
def model(tiny: Callable[[str], Path]) -> list[str]:
    """Options of a quick model."""
    return ["--model", str(tiny("distilbert")), "--set", "compute.precision=fp32"]


def test_findings_lengths_and_estimate(
    cli: Cli, reviews: Reviews, model: list[str], tmp_path: Path
) -> None:
    texts = [*reviews.texts[:48], reviews.texts[64], "<br />", " "]
    train = write_table(tmp_path / "train.csv", texts, [*reviews.labels[:48], 0, 1, 1])
    done = cli("inspect", train, "--test", reviews.test, *model, "--max-length", "8")
    assert done.code == 0, done.err
    told = ("Data", "is in train, too", "2 rows have no text", "train.csv line 50", "→")
    for words in (*told, "max_length", "this training", "Estimate", "tokens/s"):
        assert words in done.out
    assert "Traceback" not in done.err


def test_json(cli: Cli, reviews: Reviews, model: list[str]) -> None:
    from textlora.inspection import Inspection

    done = cli("inspect", reviews.train, "--valid", reviews.validation, *model, "--json")
    assert done.code == 0, done.err
    inspection = Inspection.from_dict(json.loads(done.out))
    assert [part.name for part in inspection.parts] == ["train", "validation"]
    assert inspection.lengths is not None
    assert inspection.lengths.max_length == 64
    assert inspection.estimate is not None
    assert inspection.estimate.path.startswith("fast")


def test_without_estimate_and_without_model(cli: Cli, reviews: Reviews, tmp_path: Path) -> None:
    done = cli("inspect", reviews.train, "--model", tmp_path, "--json")
    told = json.loads(done.out)
    assert done.code == 0
    assert told["lengths"] is None
    assert "config.json" in told["left_out"][0]


def test_no_estimate(cli: Cli, reviews: Reviews, model: list[str]) -> None:
    told = json.loads(cli("inspect", reviews.train, *model, "--no-estimate", "--json").out)
    assert told["estimate"] is None
    assert told["lengths"] is not None
    assert told["left_out"] == []


def test_what_training_refuses_is_told(cli: Cli, model: list[str], tmp_path: Path) -> None:
    train = write_table(tmp_path / "one.csv", ["it was good", "it was bad", " "], ["x", "x", "x"])
    done = cli("inspect", train, *model)
    assert done.code == 0, done.err
    assert "of one class" in done.out
    assert "Left out" in done.out


def test_further_files_are_compared(cli: Cli, reviews: Reviews, model: list[str]) -> None:
    done = cli("inspect", reviews.train, reviews.train, *model, "--no-estimate", "--json")
    found = {one["kind"]: one for one in json.loads(done.out)["findings"]}
    assert found["leakage"]["count"] >= 40
    assert "train-2" in found["leakage"]["message"]


def test_fix(cli: Cli, reviews: Reviews, model: list[str], tmp_path: Path) -> None:
    texts = [*reviews.texts[:48], reviews.texts[64]]
    train = write_table(tmp_path / "train.csv", texts, [*reviews.labels[:48], 0])
    out = tmp_path / "clean"
    command = ["inspect", train, "--test", reviews.test, *model, "--no-estimate", "--fix"]
    done = cli(*command, "--out", out)
    assert done.code == 0, done.err
    assert sorted(path.name for path in out.iterdir()) == ["dropped.csv", "test.csv", "train.csv"]
    assert "Fixed" in done.out
    assert "textlora train" in done.out
    again = cli(*command, "--out", out, "--json")
    assert again.code == 2
    assert "nothing is overwritten" in again.err
    told = json.loads(cli(*command, "--out", tmp_path / "other", "--json").out)["fix"]
    assert told["dropped"] >= 1
    assert told["files"]["train"] == str(tmp_path / "other" / "train.csv")


def test_mistakes(cli: Cli, reviews: Reviews, tmp_path: Path) -> None:
    assert cli("inspect").code == 2
    assert cli("inspect", tmp_path / "none.csv").code == 2
    assert "--fix" in cli("inspect", reviews.train, "--out", tmp_path / "x").err
