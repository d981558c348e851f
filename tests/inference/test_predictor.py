"""Answers of a finished run."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from support.tiny import Reviews
from textlora.config import ComputeConfig
from textlora.errors import ConfigError, DataError, ModelError, RunError
from textlora.inference.evaluating import evaluate_file
from textlora.inference.predicting import texts_to_predict
from textlora.inference.predictor import Predictor

COMPUTE = ComputeConfig(precision="fp32")


@pytest.fixture(scope="module")
def predictor(finished: Any) -> Predictor:
    return Predictor.load(finished.folder.path, COMPUTE)


@pytest.mark.parametrize("path", ["plain", "auto"])
def test_a_text_alone_equals_the_same_text_in_any_batch(
    path: Any, finished: Any, reviews: Reviews
) -> None:
    predictor = Predictor.load(finished.folder.path, ComputeConfig(path=path, precision="fp32"))
    texts = [*reviews.texts, "good " * 100, "a"]
    together = predictor.predict_proba(texts)
    alone = np.concatenate([predictor.predict_proba([text]) for text in texts])
    np.testing.assert_allclose(together, alone, atol=1e-6)
    np.testing.assert_allclose(predictor.predict_proba(texts[::-1])[::-1], together, atol=1e-6)


def test_an_adapter_folder_alone_is_enough(
    finished: Any, predictor: Predictor, reviews: Reviews, tmp_path: Path
) -> None:
    alone = shutil.copytree(finished.folder.adapter, tmp_path / "adapter")
    np.testing.assert_array_equal(
        Predictor.load(alone, COMPUTE).predict_proba(reviews.texts),
        predictor.predict_proba(reviews.texts),
    )


def test_answers(predictor: Predictor) -> None:
    good, bad = predictor.predict(["it was good and lovely", "it was awful and dull"])
    assert (good.label, bad.label) == ("Positive", "Negative")
    assert good.probability == good.probabilities["Positive"] > 0.5
    assert sum(good.probabilities.values()) == pytest.approx(1)
    assert predictor.predict([]) == []


def test_multi_label_answers(predictor: Predictor) -> None:
    spec = replace(predictor.spec, head=replace(predictor.spec.head, multi_label=True))
    several = replace(predictor, spec=spec)
    both = several.answer(np.array([0.9, 0.6], dtype=np.float32))
    assert both.label == ["Negative", "Positive"]
    assert both.probability == pytest.approx(0.6)
    none = several.answer(np.array([0.1, 0.3], dtype=np.float32))
    assert none.label == []
    assert none.probability == pytest.approx(0.7)


def test_texts_are_prepared_as_in_training(predictor: Predictor) -> None:
    stripping = replace(predictor, spec=replace(predictor.spec, strip_html=True))
    plain = predictor.predict_proba(["good film"])
    np.testing.assert_array_equal(stripping.predict_proba(["<br />good&nbsp;film"]), plain)
    cut = {"max_length": 3, "truncation_side": "right"}
    short = replace(predictor, spec=replace(predictor.spec, **cut))
    left = replace(short, spec=replace(short.spec, truncation_side="left"))
    np.testing.assert_array_equal(
        short.predict_proba(["good bad"]), predictor.predict_proba(["good"])
    )
    np.testing.assert_array_equal(
        left.predict_proba(["good bad"]), predictor.predict_proba(["bad"])
    )


@pytest.mark.parametrize(
    ("texts", "problem"),
    [
        (["good", ""], "text 2 of 2: the text is missing."),
        ([" \n"], "text 1 of 1: the text is blank."),
    ],
)
def test_a_text_with_nothing_in_it_is_refused(
    predictor: Predictor, texts: list[str], problem: str
) -> None:
    with pytest.raises(DataError) as caught:
        predictor.predict(texts)
    assert caught.value.problem == problem


def test_a_text_of_html_alone_is_refused_where_html_goes(
    predictor: Predictor, tmp_path: Path
) -> None:
    assert predictor.predict(["<br />"])
    stripping = replace(predictor, spec=replace(predictor.spec, strip_html=True))
    with pytest.raises(DataError, match=r"text 2 of 2: the text is blank without its HTML\."):
        stripping.predict(["good", "<br />"])


def test_evaluation_gives_the_figures_of_the_training(finished: Any, reviews: Reviews) -> None:
    metrics = evaluate_file(finished.folder.path, str(reviews.test)).metrics
    expected = finished.results["test"].metrics
    assert metrics.accuracy == expected.accuracy
    assert metrics.confusion_matrix == expected.confusion_matrix


def test_evaluation_uses_other_columns_and_skips_bad_rows(
    finished: Any, reviews: Reviews, tmp_path: Path
) -> None:
    table = tmp_path / "t.csv"
    rows = "\n".join(f"{text.replace(',', ' ')};{label}" for text, label in REVIEWS(reviews))
    table.write_text(f"words;kind\n{rows}\n ;1\n")
    options = {"text_column": "words", "label_column": "kind", "delimiter": ";"}
    with pytest.raises(DataError, match=r"line 18.*blank"):
        evaluate_file(finished.folder.path, str(table), **options)
    metrics = evaluate_file(finished.folder.path, str(table), on_bad_rows="skip", **options).metrics
    assert metrics.rows == 16
    with pytest.raises(ConfigError, match="on_bad_rows"):
        evaluate_file(finished.folder.path, str(table), on_bad_rows="ignore", **options)


def test_evaluation_treats_a_text_of_html_alone_as_a_bad_row(finished: Any, tmp_path: Path) -> None:
    run, table = tmp_path / "run", tmp_path / "t.csv"
    shutil.copytree(finished.folder.path, run)
    spec = run / "adapter" / "textlora.json"
    spec.write_text(spec.read_text().replace('"strip_html": false', '"strip_html": true'))
    table.write_text("text,label\ngood film,1\n<br />,0\nbad film,0\n")
    with pytest.raises(DataError, match=r"line 3: the text is blank without its HTML"):
        evaluate_file(run, str(table))
    assert evaluate_file(run, str(table), on_bad_rows="skip").metrics.rows == 2


def REVIEWS(reviews: Reviews) -> list[tuple[str, int]]:  # noqa: N802
    return list(zip(reviews.texts[64:], reviews.labels[64:], strict=True))


def test_a_label_the_run_does_not_know(finished: Any, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("text,label\na,0\nb,7\n")
    with pytest.raises(DataError, match="the label 7 is not one of the training labels"):
        evaluate_file(finished.folder.path, str(tmp_path / "t.csv"))


def test_what_cannot_be_loaded(finished: Any, tiny: Callable[[str], Path], tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no such run folder"):
        Predictor.load(tmp_path / "none")
    with pytest.raises(RunError, match="not a run folder"):
        Predictor.load(tiny("bert"))
    copy = shutil.copytree(finished.folder.path, tmp_path / "copy")
    state = json.loads((copy / "run.json").read_text())
    (copy / "run.json").write_text(json.dumps({**state, "state": "failed", "reason": "no"}))
    with pytest.raises(RunError, match="is failed, not finished: no"):
        Predictor.load(copy)
    (copy / "run.json").write_text(json.dumps(state))
    spec = json.loads((copy / "adapter" / "textlora.json").read_text())
    spec["backbone"]["name_or_path"] = str(tmp_path / "gone")
    (copy / "adapter" / "textlora.json").write_text(json.dumps(spec))
    with pytest.raises(ModelError, match="gone: there is no such folder"):
        Predictor.load(copy)
    shutil.rmtree(copy / "adapter")
    with pytest.raises(RunError, match="no adapter folder"):
        Predictor.load(copy)


def test_a_lost_tokenizer_is_a_clear_error(finished: Any, tmp_path: Path) -> None:
    copy = shutil.copytree(finished.folder.adapter, tmp_path / "copy")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (copy / name).unlink()
    with pytest.raises(ModelError, match="tokenizer"):
        Predictor.load(copy)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_texts_come_from_arguments_files_or_standard_input(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("eins\n\nzwei, ü\r\n", encoding="utf-8")
    (tmp_path / "a.csv").write_text("review;id\ngut, nicht;1\n")
    assert texts_to_predict(["a", "b"], None, Terminal()) == ["a", "b"]
    assert texts_to_predict(None, str(tmp_path / "a.txt"), Terminal()) == ["eins", "zwei, ü"]
    assert texts_to_predict(None, str(tmp_path / "a.csv"), Terminal(), delimiter=";") == [
        "gut, nicht"
    ]
    assert texts_to_predict(None, None, io.StringIO("x\ny\n")) == ["x", "y"]


@pytest.mark.parametrize(
    ("texts", "file", "stdin", "problem"),
    [
        (["a"], "b.csv", Terminal(), "both given"),
        (None, None, Terminal(), "nothing to predict"),
        (None, None, io.StringIO("\n \n"), "standard input: there is no text"),
        (None, "none.txt", Terminal(), "No such file"),
        (None, "none.csv", Terminal(), "no such file"),
        (None, "latin.txt", Terminal(), "not UTF-8"),
    ],
)
def test_texts_that_are_not_there(
    texts: Any, file: Any, stdin: Any, problem: str, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "latin.txt").write_bytes("é".encode("latin-1"))
    with pytest.raises((ConfigError, DataError), match=problem):
        texts_to_predict(texts, file, stdin)
