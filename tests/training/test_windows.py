"""Training and evaluation in windows, from the settings to a reloaded run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from support.tiny import NEGATIVE, OTHER, POSITIVE, write_table
from textlora.config import ComputeConfig
from textlora.errors import ConfigError
from textlora.inference.evaluating import evaluate_file
from textlora.inference.predictor import Predictor
from textlora.training.trainer import LabelledSequences

Run = Callable[..., Any]
ARCHITECTURE_HEADS = {
    "two units": {},
    "one unit": {"model.head": "linear", "model.loss": "bce"},
}


@pytest.fixture(scope="module")
def long_reviews(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Texts of up to 60 words, half of them longer than 16 tokens; three classes in "many"."""
    draw = np.random.default_rng(3)
    folder = tmp_path_factory.mktemp("long")
    files = {}
    for name, rows in (("train", 48), ("validation", 24), ("test", 24)):
        texts, labels, several = [], [], []
        for row in range(rows):
            kind = (NEGATIVE, POSITIVE)[row % 2]
            words = [*draw.choice(OTHER, int(draw.integers(1, 50))), *draw.choice(kind, 8)]
            draw.shuffle(words)
            texts.append(" ".join(words))
            labels.append(row % 2)
            several.append("|".join(["word", *(["good"] if row % 2 else ["bad"])]))
        files[name] = str(write_table(folder / f"{name}.csv", texts, labels))
        files[f"{name}-several"] = str(write_table(folder / f"{name}-several.csv", texts, several))
    return files


def settings_of(files: dict[str, str], kind: str = "", **more: Any) -> dict[str, Any]:
    return {
        **{f"data.{name}": files[name + kind] for name in ("train", "validation", "test")},
        **{"data.max_length": 16, "data.long_texts": "windows", "data.window_stride": 4},
        **more,
    }


@pytest.mark.parametrize("path", ["plain", "fast"])
@pytest.mark.parametrize("head", ARCHITECTURE_HEADS)
def test_windows_in_training_and_evaluation(
    head: str, path: str, run: Run, long_reviews: dict[str, str]
) -> None:
    done = run(
        settings_of(
            long_reviews,
            **{"data.train_windows": True, "compute.path": path, **ARCHITECTURE_HEADS[head]},
        )
    )
    # A row to train on is a window: more steps than 48 texts in batches of 8 give.
    assert done.history[-1].step > 2 * 6
    # The evaluation during training and the final one pool alike.
    best = next(record for record in done.history if record.best)
    validation = done.results["validation"]
    assert validation.probabilities.shape == (24, 2)
    assert best.accuracy == validation.metrics.accuracy
    assert best.validation_loss == pytest.approx(validation.metrics.log_loss, abs=1e-4)
    # Loaded again it answers in windows, too.
    loaded = Predictor.load(done.folder.path, ComputeConfig(path=path, precision="fp32"))  # type: ignore[arg-type]
    texts = done.results["test"].part.table.texts
    assert len(loaded.sequences(texts)) > len(texts)
    np.testing.assert_allclose(
        loaded.predict_proba(texts), done.results["test"].probabilities, atol=1e-5
    )
    metrics = evaluate_file(done.folder.path, long_reviews["test"]).metrics
    assert metrics.accuracy == done.results["test"].metrics.accuracy


def test_windows_for_answers_alone(run: Run, long_reviews: dict[str, str]) -> None:
    done = run(settings_of(long_reviews), report=True)
    assert done.history[-1].step == 2 * 6
    predictor = done.predictor
    assert len(predictor.sequences(done.results["test"].part.table.texts)) > 24
    assert "the model does not see the rest" not in done.folder.report.read_text()


def test_several_labels_a_text(run: Run, long_reviews: dict[str, str]) -> None:
    more = {"data.train_windows": True, "data.label_separator": "|", "data.window_pooling": "max"}
    done = run(settings_of(long_reviews, "-several", **more))
    result = done.results["validation"]
    assert result.probabilities.shape == (24, 3)
    best = next(record for record in done.history if record.best)
    assert best.accuracy == result.metrics.accuracy


def test_windows_over_frozen_layers(run: Run, long_reviews: dict[str, str]) -> None:
    more = {"data.train_windows": True, "lora.layers": "top:1", "training.num_train_epochs": 1}
    usual = run(settings_of(long_reviews, **more), "usual")
    cached = run(settings_of(long_reviews, **more, **{"compute.prefix_cache": True}), "cached")
    assert cached.history[0].step == usual.history[0].step
    assert len(cached.results["validation"].probabilities) == 24


def test_a_run_in_windows_answers_in_a_new_process(
    run: Run, run_cli: Callable[..., Any], long_reviews: dict[str, str]
) -> None:
    done = run(settings_of(long_reviews, **{"data.train_windows": True}))
    result = done.results["test"]
    answered = run_cli(
        "predict", done.folder.path, "--file", long_reviews["test"], "--precision", "fp32", "--json"
    )
    assert answered.code == 0, answered.err
    rows = [json.loads(line) for line in answered.out.splitlines()]
    found = [list(row["probabilities"].values()) for row in rows]
    np.testing.assert_allclose(found, result.probabilities, atol=1e-5)


def test_a_window_has_the_label_of_its_text() -> None:
    rows = LabelledSequences(
        [np.full(3, place) for place in range(5)], np.array([7, 8, 9]), np.array([0, 1, 4, 5])
    )
    assert [row["labels"] for row in (rows[place] for place in range(len(rows)))] == [7, 8, 8, 8, 9]
    assert [int(rows[place]["input_ids"][0]) for place in range(5)] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"data.window_stride": 14}, r"window_stride=14.*never move on"),
        ({"data.long_texts": "truncate", "data.train_windows": True}, "needs data.long_texts"),
    ],
)
def test_settings_that_do_not_fit(
    changes: dict[str, Any], problem: str, run: Run, long_reviews: dict[str, str], tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=problem):
        run(settings_of(long_reviews, **changes))
    assert not (tmp_path / "run").exists()


def test_head_and_tail(run: Run, long_reviews: dict[str, str]) -> None:
    changes = {"data.long_texts": "truncate", "data.truncation_side": "head+tail"}
    done = run(settings_of(long_reviews, **changes, **{"data.head_share": 0.5}))
    loaded = Predictor.load(done.folder.path)
    text = "good " + "a " * 50 + "bad"
    (kept,) = loaded.sequences([text])
    words = loaded.tokenizer.convert_ids_to_tokens(kept.tolist())
    assert (words[1], words[-2], len(words)) == ("good", "bad", 16)
