"""`textlora train --seeds` and `textlora compare` on the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.tiny import Reviews

Cli = Callable[..., Any]


@pytest.fixture
def common(tiny: Callable[[str], Path], reviews: Reviews) -> list[str]:
    """Data, and options that make a training quick."""
    return [
        *(str(reviews.train), "--valid", str(reviews.validation), "--test", str(reviews.test)),
        *("--model", str(tiny("distilbert")), "--set", "compute.precision=fp32"),
        *("--set", "training.num_train_epochs=1", "--set", "training.learning_rate=0.01"),
    ]


def test_seeds_and_compare(cli: Cli, common: list[str], reviews: Reviews, tmp_path: Path) -> None:
    out = tmp_path / "runs"
    done = cli("train", *common, "--seeds", "2", "--seed", "1", "--out", out)
    assert done.code == 0, done.err
    for words in ("seed-1", "seed-2", "Baseline", "2 seeds on 16 test texts", "seeds.json"):
        assert words in done.out
    again = cli("train", *common, "--seeds", "2", "--seed", "1", "--out", out, "--json")
    assert "not trained again" in again.err
    summary = json.loads(again.out)
    assert summary["accuracy"]["count"] == 2

    runs = [out / "seed-1", out / "seed-2"]
    compared = cli("compare", *runs)
    assert compared.code == 0, compared.err
    for words in ("16 test texts", "Accuracy", "McNemar p", "seed-2"):
        assert words in compared.out
    given = cli("compare", *runs, "--data", reviews.train, "--json")
    assert given.code == 0, given.err
    assert json.loads(given.out)["rows"] == 48


def test_mistakes(cli: Cli, common: list[str], finished: Any, tmp_path: Path) -> None:
    path = finished.folder.path
    for arguments, words in (
        (("compare", path), "two run folders or more"),
        (("compare", path, tmp_path / "nothing"), "no such run folder"),
        (("compare", path, path, "--encoding", "latin-1"), "--data FILE"),
        (("train", *common, "--seeds", "1"), "no spread"),
        (("train", "--resume", path, "--no-baselines"), "--resume takes the run folder alone"),
        (("train", *common, "--seeds", "2", "--full-fine-tuning"), "--full-fine-tuning"),
    ):
        done = cli(*arguments)
        assert done.code == 2, done.out
        assert words in done.err
        assert "Traceback" not in done.err
