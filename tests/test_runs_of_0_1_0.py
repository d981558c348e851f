"""Runs that version 0.1.0 left behind work as they did.

`data_of_0_1_0/` was made by its code, in /tmp/hf/old, from 40 of the demo's reviews and a tiny
encoder: two run folders (without checkpoints, plots and report), and what `textlora score` made of
the reviews by each.
"""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

DATA = Path(__file__).parent / "data_of_0_1_0"
RUNS = ("default", "distilbert-lora-bce")
Cli = Callable[..., Any]


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy whose runs find the encoder where it is now."""
    folder = tmp_path_factory.mktemp("old") / "data"
    shutil.copytree(DATA, folder)
    for file in folder.glob("*/adapter/*.json"):
        text = file.read_text(encoding="utf-8")
        file.write_text(text.replace("/tmp/hf/old", str(folder)), encoding="utf-8")  # noqa: S108
    return folder


def rows_of(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as opened:
        return list(csv.DictReader(opened))


def probabilities(rows: list[dict[str, str]]) -> np.ndarray:
    names = ("scored_probability_negative", "scored_probability_positive")
    return np.array([[float(row[name]) for name in names] for row in rows])


@pytest.mark.parametrize("name", RUNS)
def test_the_library_gives_the_same_probabilities(old: Path, name: str) -> None:
    from textlora import TextClassifier

    expected = rows_of(old / f"{name}-scored.csv")
    classifier = TextClassifier.load(old / name)
    assert list(classifier.classes_) == ["negative", "positive"]
    texts = [row["text"] for row in expected]
    found = classifier.predict_proba(texts)
    np.testing.assert_allclose(found, probabilities(expected), atol=1e-5)
    assert list(classifier.predict(texts)) == [row["scored_label"] for row in expected]


@pytest.mark.parametrize("name", RUNS)
def test_score_gives_the_same_rows(old: Path, name: str, cli: Cli, tmp_path: Path) -> None:
    out = tmp_path / "scored.csv"
    options = ("--out", out, "--prefix", "scored_", "--precision", "fp32")
    done = cli("score", old / name, old / "reviews.csv", *options)
    assert done.code == 0, done.err
    expected, found = rows_of(old / f"{name}-scored.csv"), rows_of(out)
    np.testing.assert_allclose(probabilities(found), probabilities(expected), atol=1e-5)
    for before, now in zip(expected, found, strict=True):
        assert list(before) == list(now)
        for column in ("text", "label", "scored_label", "scored_error"):
            assert before[column] == now[column]


@pytest.mark.parametrize("name", RUNS)
def test_evaluate_gives_the_saved_metrics(old: Path, name: str, cli: Cli, tmp_path: Path) -> None:
    """Of the test part, whose texts are in predictions.csv."""
    rows = [row for row in rows_of(old / name / "predictions.csv") if row["part"] == "test"]
    assert rows
    table = tmp_path / "test.csv"
    with table.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        writer.writerows([row["text"], row["true"]] for row in rows)
    done = cli("evaluate", old / name, table, "--json")
    assert done.code == 0, done.err
    saved = json.loads((old / name / "metrics.json").read_text(encoding="utf-8"))["parts"]["test"]
    found = json.loads(done.out)
    for key, value in saved.items():
        if isinstance(value, float):
            assert found[key] == pytest.approx(value, abs=1e-5), key
        elif isinstance(value, int):
            assert found[key] == value, key


def test_compare_and_push_read_all_that_is_saved(old: Path, cli: Cli) -> None:
    done = cli("compare", *(old / name for name in RUNS), "--data", old / "reviews.csv")
    assert done.code == 0, done.err
    for name in RUNS:
        saved = json.loads((old / name / "verdict.json").read_text(encoding="utf-8"))
        pushed = cli("push", old / name, "owner/name", "--dry-run")
        assert pushed.code == 0, pushed.err
        assert saved["best_baseline"] in pushed.out


@pytest.mark.parametrize("name", RUNS)
def test_the_saved_settings_train_again(
    old: Path, name: str, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the same result, but for the machine's own rounding."""
    monkeypatch.chdir(old)
    done = cli("train", "--recipe", f"{name}/config.yaml", "--out", tmp_path / "again")
    assert done.code == 0, done.err
    again, saved = (
        json.loads((folder / "metrics.json").read_text(encoding="utf-8"))["parts"]["validation"]
        for folder in (tmp_path / "again", old / name)
    )
    assert again["rows"] == saved["rows"]
    assert again["log_loss"] == pytest.approx(saved["log_loss"], abs=0.02)
