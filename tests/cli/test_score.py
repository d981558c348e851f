"""`textlora score` with a finished run."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.tiny import Reviews
from textlora.inference.predictor import Predictor


@pytest.fixture
def rows(reviews: Reviews, tmp_path: Path) -> Path:
    path = tmp_path / "rows.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([["id", "text"], *enumerate(reviews.texts), [80, " "]])
    return path


def test_the_answers_are_those_of_predict(
    finished: Any, rows: Path, reviews: Reviews, cli: Callable[..., Any], tmp_path: Path
) -> None:
    out = tmp_path / "out.csv"
    done = cli("score", finished.folder.path, rows, "--out", out, "--json")
    assert done.code == 0, done.err
    summary = json.loads(done.out)
    assert (summary["rows"], summary["errors"], summary["out"]) == (81, 1, str(out))
    with out.open(newline="") as file:
        written = list(csv.DictReader(file))
    expected = Predictor.load(finished.folder.path).predict(reviews.texts)
    assert [row["label"] for row in written] == [*(one.label for one in expected), ""]
    for row, one in zip(written[:-1], expected, strict=True):
        for name, probability in one.probabilities.items():
            assert float(row[f"probability_{name}"]) == pytest.approx(probability, abs=2e-3)
    assert written[-1]["error"] == "the text is blank"
    counts = {name: sum(one.label == name for one in expected) for name in one.probabilities}
    assert summary["labels"] == {name: count for name, count in counts.items() if count}


def test_the_screen_names_what_to_look_at(
    finished: Any, rows: Path, cli: Callable[..., Any], tmp_path: Path
) -> None:
    out = tmp_path / "out.jsonl"
    options = ("--min-confidence", "1", "--prefix", "my_")
    done = cli("score", finished.folder.path, rows, "--out", out, *options)
    assert done.code == 0, done.err
    assert "unsure" in done.out
    assert "81 rows, in" in done.out
    assert "1 row has no answer: column 'my_error' says why." in done.out
    again = cli("score", finished.folder.path, rows, "--out", out)
    assert again.code == 2
    assert "--overwrite" in again.err


def test_another_confidence_is_another_scoring(
    finished: Any, rows: Path, cli: Callable[..., Any], tmp_path: Path
) -> None:
    from textlora.errors import RunError
    from textlora.scoring.job import score_file
    from textlora.scoring.request import Request
    from textlora.scoring.scorer import load_scorer
    from textlora.scoring.shards import WorkFolder

    out = tmp_path / "out.csv"
    scorer = load_scorer(finished.folder.path)
    WorkFolder(out).begin({"the settings of the run": scorer.identity["settings of the run"]})
    other = load_scorer(finished.folder.path, min_confidence=0.9)
    with pytest.raises(RunError, match="the settings of the run"):
        score_file(Request(str(rows), out, resume=True), other)
