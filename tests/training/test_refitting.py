"""Many trainings on one base: each from the same start, and the base as it was."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rich.console import Console

from textlora.data.loading import load_parts
from textlora.data.python import parts_from_python
from textlora.errors import ConfigError
from textlora.files import RunFolder
from textlora.training.job import train
from textlora.training.refitting import refitting
from textlora.training.start import trained_weights
from textlora.training.trainer import LabelledSequences

Configure = Callable[..., Any]
LINEAR = {"model.head": "linear", "model.pooling": "mean"}


def weights(refitter: Any) -> dict[str, Any]:
    return {name: p.detach().clone() for name, p in refitter.predictor.model.named_parameters()}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"compute.path": "plain"},
        {"lora.init_lora_weights": "pissa", "lora.bias": "all"},
        {"model.pooling": "mean", "model.loss": "bce"},
        {"lora.layers": "top:1", "compute.prefix_cache": True},
        {"lora.target_modules": ["q", "head"]},
        {"training.class_weight": {"1": 3.0}},
        {**LINEAR, "training.contrastive_weight": 0.5},
    ],
    ids=lambda changes: ",".join(map(str, changes.values())) or "defaults",
)
def test_every_training_begins_anew_and_the_base_stays(
    changes: dict[str, Any], make_config: Configure
) -> None:
    config = make_config(changes)
    parts = load_parts(config.data)
    some, others = np.arange(0, 24), np.arange(24, 48)
    with refitting(config, parts, Console(quiet=True)) as (refitter, texts):
        before = weights(refitter)
        answers = []
        for rows in (some, others, some):
            refitter.fit(texts["train"].select(rows), seed=1)
            answers.append(refitter.predict_proba(texts["validation"]))
            now = weights(refitter)
            for name, weight in before.items():
                assert torch.equal(now[name], weight) == (name not in refitter.fresh), name
    np.testing.assert_array_equal(answers[0], answers[2])
    assert (answers[0] != answers[1]).any()
    after = weights(refitter)
    assert all(torch.equal(after[name], weight) for name, weight in before.items())


def test_the_seed_decides(make_config: Configure) -> None:
    config = make_config()
    parts = load_parts(config.data)
    with refitting(config, parts, Console(quiet=True)) as (refitter, texts):
        answers = []
        for seed in (1, 2, 1):
            refitter.fit(texts["train"], seed=seed)
            answers.append(refitter.predict_proba(texts["validation"]))
    np.testing.assert_array_equal(answers[0], answers[2])
    assert (answers[0] != answers[1]).any()


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"training.class_weight": {"1": 3.0}},
        {**LINEAR, "training.contrastive_weight": 0.5},
    ],
    ids=["plain", "class weights", "contrastive"],
)
@pytest.mark.parametrize("weighed", [False, True], ids=["", "row weights"])
def test_it_is_the_training_of_train(
    weighed: bool, changes: dict[str, Any], make_config: Configure, tmp_path: Path
) -> None:
    # With one evaluation, at the end, there is nothing that validation could choose.
    config = make_config({"training.num_train_epochs": 1, **changes})
    parts = load_parts(config.data)
    if weighed:
        weights = np.linspace(0.1, 3.0, len(parts.train))
        parts = replace(parts, train=replace(parts.train, weights=weights))
    trained = train(config, RunFolder(tmp_path / "run"), parts=parts, report=False)
    with refitting(config, parts, Console(quiet=True)) as (refitter, texts):
        refitter.fit(texts["train"], seed=config.training.seed)
        found = trained_weights(refitter.predictor.model)
    expected = trained.predictor.model.state_dict()
    assert all(torch.equal(expected[name], weight) for name, weight in found.items())


def test_the_start_heeds_row_weights(make_config: Configure) -> None:
    still = {"model.head_init": "logistic_regression", "training.learning_rate": 1e-12}
    config = make_config({**LINEAR, **still})
    parts = load_parts(config.data)
    answers = []
    for weight in (1.0, 1e6):
        weights = np.where(parts.train.targets == 1, weight, 1.0)
        weighted = replace(parts, train=replace(parts.train, weights=weights))
        with refitting(config, weighted, Console(quiet=True)) as (refitter, texts):
            refitter.fit(texts["train"], seed=1)
            answers.append(refitter.predict_proba(texts["validation"])[:, 1].mean())
    assert answers[0] < 0.9 < answers[1]


def test_several_labels_have_no_partners(make_config: Configure) -> None:
    config = make_config({**LINEAR, "training.contrastive_weight": 0.5})
    data = config.data.model_copy(update={"train": None, "validation": None, "test": None})
    texts = [f"it was good {number}" for number in range(20)]
    parts = parts_from_python(texts, [["a"], ["a", "b"]] * 10, None, data)
    with (
        pytest.raises(ConfigError, match="one label per text"),
        refitting(config, parts, Console(quiet=True)),
    ):
        pass


def test_texts_of_several_sequences_are_selected_whole() -> None:
    sequences = [[n] for n in range(7)]
    texts = LabelledSequences(sequences, np.arange(4), np.array([0, 1, 4, 5, 7]))
    chosen = texts.select(np.array([3, 1]))
    np.testing.assert_array_equal(chosen.targets, [3, 1])
    assert [chosen.sequences[i] for i in range(len(chosen.sequences))] == [[5], [6], [1], [2], [3]]
    np.testing.assert_array_equal(chosen.text_offsets, [0, 2, 5])
    assert len(texts.select(np.array([], np.int64)).targets) == 0
