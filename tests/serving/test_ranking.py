"""Order and functions of scores, where a head has one unit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from serving.conftest import Serve
from textlora.metrics.decisions import Decision
from textlora.model.heads import HeadSpec
from textlora.serving.service import Scores, ranked

LOGITS = np.array([[2.0], [-1.0]], dtype=np.float32)


@pytest.fixture
def scores(serve: Serve, adapters: Path) -> Scores:
    registry: Any = serve().app.state.service.registry  # type: ignore[attr-defined]
    adapter = registry.get(None)
    spec = replace(adapter.spec, head=HeadSpec("linear", "cls", "bce", 2), temperature=1.0)
    return Scores(replace(adapter, spec=spec), LOGITS, [3, 3], [False, False], 0.0, 0.0, 0.0)


def test_one_unit_has_one_function(scores: Scores) -> None:
    sure = 1 / (1 + np.exp(-2.0))
    for function in (None, "softmax", "sigmoid"):
        first, second = ranked(scores, function=function)  # type: ignore[arg-type]
        assert [entry["label"] for entry in first] == ["good", "bad"]
        assert [entry["score"] for entry in first] == pytest.approx([sure, 1 - sure])
        assert second[0]["label"] == "bad"
    assert ranked(scores, function="none")[0] == [
        {"label": "good", "score": 2.0},
        {"label": "bad", "score": -2.0},
    ]


def test_a_rule_that_withholds_leaves_the_order(scores: Scores) -> None:
    def first_labels(rule: Decision) -> list[str]:
        spec = replace(scores.adapter.spec, decision=rule)
        ruled = replace(scores, adapter=replace(scores.adapter, spec=spec))
        return [row[0]["label"] for row in ranked(ruled)]

    assert first_labels(Decision(thresholds=(0.95,))) == ["bad", "bad"]
    assert first_labels(Decision(thresholds=(0.95,), min_confidence=0.99)) == ["good", "bad"]
