"""Finished runs side by side: by their own predictions, and on rows given."""

from __future__ import annotations

import csv
import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from support.tiny import Reviews, write_table
from textlora.errors import ConfigError, DataError, RunError
from textlora.files import RunFolder
from textlora.inference.comparing import compare_on, compare_runs
from textlora.inference.evaluating import AnsweredTexts, FinishedRun
from textlora.metrics.comparison import Predictions
from textlora.model.spec import ClassifierSpec
from textlora.training.job import train


@pytest.fixture(scope="module")
def other(
    make_config: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory, finished: Any
) -> Path:
    """Return a second run on the same data, hardly trained."""
    folder = tmp_path_factory.mktemp("other") / "other"
    changes = {
        "training.num_train_epochs": 1,
        "training.learning_rate": 1e-5,
        "data.label_names": ["Negative", "Positive"],
    }
    train(make_config(changes), RunFolder(folder), report=False)
    return folder


def changed(run: Path, folder: Path, change: Callable[[list[dict[str, str]]], Any]) -> Path:
    """Copy a run with other predictions."""
    shutil.copytree(run, folder)
    file = RunFolder(folder).predictions
    with file.open(encoding="utf-8", newline="") as opened:
        rows = list(csv.DictReader(opened))
    rows = change(rows) or rows
    with file.open("w", encoding="utf-8", newline="") as opened:
        writer = csv.DictWriter(opened, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return folder


def test_a_run_is_read_as_it_was_written(finished: Any) -> None:
    run = FinishedRun.read(finished.folder.path)
    assert run.seconds == finished.seconds
    assert run.size_bytes == (finished.folder.adapter / "adapter_model.safetensors").stat().st_size
    for part, result in finished.results.items():
        answered = run.parts[part]
        assert list(answered.texts) == result.part.table.texts
        np.testing.assert_array_equal(answered.predictions.truth, result.part.targets)
        assert answered.predictions.accuracy == result.metrics.accuracy


def test_runs_by_their_own_predictions(finished: Any, other: Path) -> None:
    found = compare_runs([other, finished.folder.path])
    assert (found.judged_on, found.rows) == ("test", 16)
    names = [each.name for each in found.candidates]
    assert names == [str(other), str(finished.folder.path)]
    for each, path in zip(found.candidates, (other, finished.folder.path), strict=True):
        metrics = json.loads(RunFolder(path).metrics.read_text())
        assert each.accuracy == metrics["parts"]["test"]["accuracy"]
        assert each.seconds == metrics["training"]["seconds"]
    difference = found.candidates[1].accuracy - found.candidates[0].accuracy
    assert found.comparisons[0].difference == pytest.approx(difference)
    plain = json.loads(json.dumps(found.to_dict()))
    assert plain["comparisons"][0]["against"] == str(other)


def test_the_order_of_rows_does_not_matter(finished: Any, tmp_path: Path) -> None:
    run = finished.folder.path
    copy = changed(run, tmp_path / "copy", lambda rows: rows[::-1])
    found = compare_runs([run, copy])
    assert found.comparisons[0].mcnemar.p_value == 1
    assert found.comparisons[0].difference == 0
    assert "cannot be told apart" in found.sentence(1)


def test_runs_are_compared_by_what_they_are_judged_by(finished: Any, tmp_path: Path) -> None:
    def judged_by(metric: str) -> Path:
        folder = tmp_path / metric
        shutil.copytree(finished.folder.path, folder)
        config = RunFolder(folder).config
        words = re.sub(r"(metric_for_best_model:) \w+", rf"\1 {metric}", config.read_text())
        config.write_text(words)
        return folder

    runs = {metric: judged_by(metric) for metric in ("accuracy", "f1", "loss")}
    assert compare_runs([runs["accuracy"], runs["loss"]]).metric == "accuracy"
    found = compare_runs([runs["f1"], runs["accuracy"]])
    assert found.metric == "f1"
    assert "judged by macro F1 and accuracy; they are compared by macro F1" in found.notes[0]


def test_other_texts_and_other_truths_are_refused(finished: Any, tmp_path: Path) -> None:
    run = finished.folder.path

    def other_text(rows: list[dict[str, str]]) -> None:
        rows[-1]["text"] = "another"

    def other_truth(rows: list[dict[str, str]]) -> None:
        rows[-1]["true"] = "Negative" if rows[-1]["true"] == "Positive" else "Positive"

    with pytest.raises(RunError, match=r"did not judge the same texts.*--data"):
        compare_runs([run, changed(run, tmp_path / "a", other_text)])
    with pytest.raises(RunError, match="by different labels"):
        compare_runs([run, changed(run, tmp_path / "b", other_truth)])


def test_a_test_part_beside_none_is_refused(finished: Any, tmp_path: Path) -> None:
    run = finished.folder.path

    def no_test(rows: list[dict[str, str]]) -> list[dict[str, str]]:
        return [row for row in rows if row["part"] != "test"]

    alone = changed(run, tmp_path / "alone", no_test)
    with pytest.raises(RunError, match="has a test part"):
        compare_runs([alone, run])
    found = compare_runs([alone, changed(alone, tmp_path / "too", no_test)])
    assert found.judged_on == "validation"
    assert "optimistic" in found.notes[0]


def test_what_is_no_comparison(finished: Any, tmp_path: Path) -> None:
    run = finished.folder.path
    with pytest.raises(ConfigError, match="alone"):
        compare_runs([run])
    with pytest.raises(ConfigError, match="twice"):
        compare_runs([run, run])
    with pytest.raises(RunError, match="no such run folder"):
        compare_runs([run, tmp_path / "nothing"])
    broken = changed(run, tmp_path / "broken", lambda rows: rows[0].update(true="Neutral"))
    with pytest.raises(RunError, match="cannot be read"):
        compare_runs([run, broken])


def test_runs_on_rows_given(finished: Any, other: Path, reviews: Reviews, tmp_path: Path) -> None:
    """An adapter folder alone can be compared, too; its time is not known."""
    file = write_table(tmp_path / "more.csv", reviews.texts[:30], reviews.labels[:30])
    found = compare_on([finished.folder.path, other / "adapter"], str(file))
    assert (found.judged_on, found.rows) == (str(file), 30)
    assert found.candidates[0].seconds == finished.seconds
    assert found.candidates[1].seconds is None
    expected = np.argmax(finished.predictor.predict_proba(reviews.texts[:30]), axis=1)
    assert found.candidates[0].accuracy == np.mean(expected == reviews.labels[:30])


def test_other_classes_are_refused(finished: Any, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(finished.folder.path, copy)
    spec = ClassifierSpec.load(copy / "adapter")
    replace(spec, label_names=("Bad", "Good")).save(copy / "adapter")
    file = RunFolder(copy).predictions
    words = file.read_text().replace("Negative", "Bad").replace("Positive", "Good")
    file.write_text(words)
    with pytest.raises(DataError, match="classes are Bad, Good"):
        compare_runs([finished.folder.path, copy])


@pytest.mark.parametrize("several", [False, True])
def test_classes_in_another_order_are_put_right(several: bool) -> None:
    draw = np.random.default_rng(0)
    shape = (20, 3) if several else (20,)
    truth, predicted = draw.integers(2 if several else 3, size=(2, *shape))
    texts = tuple(f"text {number:02d}" for number in range(20))
    one = AnsweredTexts(texts, Predictions(truth, predicted, 3), ("a", "b", "c"))
    order = [2, 0, 1]  # c, a, b
    if several:
        moved = Predictions(truth[:, order], predicted[:, order], 3)
    else:
        place = np.argsort(order)
        moved = Predictions(place[truth], place[predicted], 3)
    two = AnsweredTexts(texts, moved, ("c", "a", "b"))
    first, second = one.aligned(("a", "b", "c")), two.aligned(("a", "b", "c"))
    np.testing.assert_array_equal(first.predictions.truth, second.predictions.truth)
    np.testing.assert_array_equal(first.predictions.predicted, second.predictions.predicted)
