"""`textlora score` with a finished run."""

from __future__ import annotations

import csv
import json
import shutil
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
    from textlora.scoring.job import Request, score_file
    from textlora.scoring.scorer import load_scorer
    from textlora.scoring.shards import WorkFolder

    out = tmp_path / "out.csv"
    scorer = load_scorer(finished.folder.path)
    WorkFolder(out).begin({"the settings of the run": scorer.identity["settings of the run"]})
    other = load_scorer(finished.folder.path, min_confidence=0.9)
    with pytest.raises(RunError, match="the settings of the run"):
        score_file(Request(str(rows), out, resume=True), other)


def test_a_table_is_read_as_those_of_the_run(
    finished: Any, reviews: Reviews, cli: Callable[..., Any], tmp_path: Path
) -> None:
    run = shutil.copytree(finished.folder.path, tmp_path / "run")
    config = finished.config.data.model_copy(update={"header": False, "text_column": "column_2"})
    (run / "config.yaml").write_text(finished.config.model_copy(update={"data": config}).to_yaml())
    bare = tmp_path / "bare.csv"
    with bare.open("w", newline="") as file:
        csv.writer(file).writerows(enumerate(reviews.texts))

    def scored(run: Path, source: Path, *options: str) -> list[str]:
        out = tmp_path / "out.csv"
        done = cli("score", run, source, "--out", out, "--overwrite", *options)
        assert done.code == 0, done.err
        with out.open(newline="") as file:
            return [row["label"] for row in csv.DictReader(file)]

    expected = [one.label for one in finished.predictor.predict(reviews.texts)]
    assert scored(run, bare) == expected
    plain = finished.folder.path
    assert scored(plain, bare, "--no-header", "--text-column", "column_2") == expected
    headed = tmp_path / "headed.csv"
    headed.write_text("id,text\n" + bare.read_text())
    assert scored(run, headed, "--header") == scored(plain, headed) == expected
    # What is no text table names its columns itself.
    lines = tmp_path / "rows.jsonl"
    lines.write_text("".join(json.dumps({"text": text}) + "\n" for text in reviews.texts))
    assert scored(run, lines) == expected
    refused = cli("score", plain, bare, "--out", tmp_path / "x.csv")
    assert refused.code == 2
    assert "--no-header" in refused.err or "--text-column" in refused.err
