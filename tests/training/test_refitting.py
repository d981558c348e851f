"""Many trainings on one base: each from the same start, and the base as it was."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from rich.console import Console

from textlora.data.loading import load_parts
from textlora.training.refitting import Texts, refitting

Configure = Callable[..., Any]


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
    ],
    ids=lambda changes: ",".join(map(str, changes.values())) or "defaults",
)
def test_every_training_begins_anew_and_the_base_stays(
    changes: dict[str, Any], make_config: Configure
) -> None:
    config = make_config(changes)
    parts = load_parts(config.data)
    targets = parts.train.targets
    some, others = np.arange(0, 24), np.arange(24, 48)
    with refitting(config, parts, Console(quiet=True)) as (refitter, texts):
        before = weights(refitter)
        answers = []
        for rows in (some, others, some):
            refitter.fit(texts["train"].select(rows), targets[rows], seed=1)
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
            refitter.fit(texts["train"], parts.train.targets, seed=seed)
            answers.append(refitter.predict_proba(texts["validation"]))
    np.testing.assert_array_equal(answers[0], answers[2])
    assert (answers[0] != answers[1]).any()


def test_texts_of_several_sequences_are_selected_whole() -> None:
    texts = Texts([[n] for n in range(7)], np.array([0, 1, 4, 5, 7]))
    chosen = texts.select(np.array([3, 1]))
    assert len(texts) == 4
    assert len(chosen) == 2
    assert [chosen.sequences[i] for i in range(len(chosen.sequences))] == [[5], [6], [1], [2], [3]]
    np.testing.assert_array_equal(chosen.text_offsets, [0, 2, 5])
    assert len(texts.select(np.array([], np.int64))) == 0
