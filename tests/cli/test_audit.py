"""`textlora audit` and `textlora curve`: what they print, and what they refuse."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.tiny import Reviews, write_table

Cli = Callable[..., Any]


@pytest.fixture
def common(tiny: Callable[[str], Path], tmp_path: Path) -> list[str]:
    """Options that make a training quick."""
    return [
        *("--model", str(tiny("distilbert")), "--out", str(tmp_path / "out")),
        *("--set", "training.num_train_epochs=2", "--set", "training.learning_rate=0.01"),
        *("--set", "compute.precision=fp32", "--set", "data.max_length=32"),
    ]


def test_audit_prints_suspects(
    cli: Cli, reviews: Reviews, common: list[str], tmp_path: Path
) -> None:
    wrong = [1 - label if row in (4, 9) else label for row, label in enumerate(reviews.labels)]
    file = write_table(tmp_path / "wrong.csv", reviews.texts, wrong)
    done = cli("audit", file, *common, "--folds", "2", "--top", "3")
    assert done.code == 0, done.err
    for words in ("Given", "Suggested", "flagged as likely wrong", "did not see", "suspects.csv"):
        assert words in done.out
    assert (tmp_path / "out" / "suspects.csv").is_file()
    again = cli("audit", file, *common)
    assert (again.code, "something here already" in again.err) == (2, True)


def test_audit_prints_json(cli: Cli, reviews: Reviews, common: list[str], tmp_path: Path) -> None:
    done = cli("audit", reviews.train, *common, "--folds", "2", "--no-word-counts", "--json")
    assert done.code == 0, done.err
    figures = json.loads(done.out)
    assert figures["out"] == str(tmp_path / "out")
    assert (figures["rows"], figures["folds"]) == (48, 2)
    with (tmp_path / "out" / "suspects.csv").open(encoding="utf-8") as file:
        assert len(list(csv.DictReader(file))) == figures["suspects"]
    assert len(figures["top"]) == min(10, figures["suspects"])


def test_curve_prints_a_verdict(cli: Cli, reviews: Reviews, common: list[str]) -> None:
    done = cli("curve", reviews.train, "--valid", reviews.validation, *common)
    assert done.code == 0, done.err
    for words in ("95 % interval", "48", "96 *", "not measured", "twice as many (96)", "curve.svg"):
        assert words in " ".join(done.out.split())


def test_curve_prints_json(cli: Cli, reviews: Reviews, common: list[str]) -> None:
    options = ("--shares", "0.5,1", "--repeats", "2", "--json")
    done = cli("curve", reviews.train, "--valid", reviews.validation, *common, *options)
    assert done.code == 0, done.err
    figures = json.loads(done.out)
    assert [point["rows"] for point in figures["points"]] == [24, 48]
    assert [len(point["repeats"]) for point in figures["points"]] == [2, 2]
    assert figures["extrapolation"] is None


@pytest.mark.parametrize("verb", ["audit", "curve"])
@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([1] * 20, "one class only"),
        ([0] * 17 + [1] * 3, "the class '1'"),
    ],
)
def test_labels_that_cannot_be_used(
    verb: str, labels: list[int], message: str, cli: Cli, common: list[str], tmp_path: Path
) -> None:
    texts = [f"film {'good ' * row}" for row in range(1, 21)]
    file = write_table(tmp_path / "few.csv", texts, labels)
    done = cli(verb, file, *common)
    assert done.code == 2
    assert message in done.err
    assert not (tmp_path / "out").exists()


def test_options_that_cannot_be_used(
    cli: Cli, reviews: Reviews, common: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for options, message in (
        (("curve", "--shares", "a,b"), "these are no numbers"),
        (("curve", "--shares", "0,1"), "no share of the rows"),
        (("audit", "--folds", "1"), "at least two are needed"),
        (("audit", "--set", "training.epochs=1"), "there is no such setting"),
    ):
        done = cli(options[0], reviews.train, *common, *options[1:])
        assert (done.code, message in done.err) == (2, True), done.err
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    done = cli("audit", reviews.train, *common)
    assert done.code == 2
    assert "pip install '.[audit]'" in done.err
