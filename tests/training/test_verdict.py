"""Baselines on a run's own rows, and the verdict over them."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from support.settled import settled_evaluation
from support.tiny import Reviews
from textlora.data.loading import load_parts
from textlora.data.python import parts_from_python
from textlora.files import RunFolder, cache_dir
from textlora.report.verdict import Verdict
from textlora.report.wording import NO_TEST_PART
from textlora.training.building import tokenize_parts
from textlora.training.job import train
from textlora.training.settling import settle
from textlora.training.verdict import TUNED, reach_verdict

PLAIN = ["Majority class", "TF-IDF + logistic regression", "Frozen encoder + logistic regression"]


def verdict_of(run: Any, parts: Any = None, **evaluation: Any) -> tuple[Verdict, str]:
    config = run.config.model_copy(update={"evaluation": settled_evaluation(**evaluation)})
    parts = parts or load_parts(config.data)
    shown = io.StringIO()
    found = reach_verdict(
        run.predictor,
        parts,
        tokenize_parts(parts, run.predictor),
        {name: result.predictions for name, result in run.results.items()},
        seconds=run.seconds,
        config=config,
        states=settle(config, parts, Console(quiet=True)).states,
        console=Console(file=shown, width=120),
    )
    return found, shown.getvalue()


def test_the_verdict_of_a_run(finished: Any) -> None:
    found, shown = verdict_of(finished)
    assert [each.name for each in found.candidates] == [*PLAIN, TUNED]
    assert found.best_baseline in PLAIN
    assert (found.part, found.rows) == ("test", 16)
    tuned = found.candidate(TUNED)
    assert tuned.accuracy == finished.results["test"].metrics.accuracy
    assert tuned.macro_f1 == pytest.approx(finished.results["test"].metrics.macro_f1)
    assert tuned.validation == finished.results["validation"].metrics.accuracy
    assert tuned.seconds == finished.seconds
    weights = finished.folder.adapter / "adapter_model.safetensors"
    assert tuned.size_bytes == pytest.approx(weights.stat().st_size, rel=0.3)
    assert found.candidate(PLAIN[1]).accuracy >= 0.8
    for name in PLAIN:
        assert f"Baseline   {name}" in shown


def test_the_trained_classifier_is_left_as_it_was(finished: Any, reviews: Reviews) -> None:
    before = finished.predictor.predict_proba(reviews.texts)
    verdict_of(finished)
    np.testing.assert_array_equal(finished.predictor.predict_proba(reviews.texts), before)


def test_without_a_test_part(run: Callable[..., Any]) -> None:
    found, _ = verdict_of(run({"data.test": None}))
    assert found.part == "validation"
    assert NO_TEST_PART in found.sentence


def test_full_fine_tuning_trains_everything_and_leaves_nothing_behind(finished: Any) -> None:
    found, shown = verdict_of(finished, full_fine_tuning=True, full_fine_tuning_learning_rate=1e-3)
    full = found.candidates[-1]
    assert full.name == "Full fine-tuning"
    assert full.accuracy >= 0.7
    inner = finished.predictor.model.get_base_model()
    frozen = sum(each.nbytes for each in inner.parameters())
    assert full.size_bytes == pytest.approx(frozen, rel=0.2)
    assert full.size_bytes > 2 * found.candidate(TUNED).size_bytes  # type: ignore[operator]
    assert "Full fine-tuning" in found.notes[-1]
    assert found.best_baseline != full.name
    assert not list((cache_dir() / "full-fine-tuning").iterdir())
    assert "epoch 4.00" in shown


@pytest.mark.parametrize("head", ["auto", "mlp"])
def test_several_labels_by_a_threshold(
    head: str, reviews: Reviews, make_config: Callable[..., Any], tmp_path: Path
) -> None:
    names = [
        (["good"] if label else []) + (["comma"] if "," in text else [])
        for text, label in zip(reviews.texts, reviews.labels, strict=True)
    ]
    config = make_config({"training.num_train_epochs": 1})
    config = config.model_copy(update={"model": config.model.model_copy(update={"head": head})})
    data = config.data.model_copy(update={"train": None, "validation": None, "test": None})
    parts = parts_from_python(
        reviews.texts[:60], names[:60], (reviews.texts[60:], names[60:]), data
    )
    run = train(config, RunFolder(tmp_path / "run"), parts=parts)
    found, _ = verdict_of(
        run,
        parts,
        threshold="f1",
        full_fine_tuning=True,
        full_fine_tuning_learning_rate=1e-3,
    )
    assert found.rows == 20
    assert len(found.candidates) == 5
    assert found.candidate(PLAIN[1]).macro_f1 > found.candidate(PLAIN[0]).macro_f1
