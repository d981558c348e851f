"""The description beside the weights survives a round trip, and damage is told."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from support.settled import settled_config
from textlora.data.truncation import Truncation, Windows
from textlora.errors import TextloraError
from textlora.metrics.decisions import Decision
from textlora.model.card import model_card
from textlora.model.encoders import Backbone
from textlora.model.heads import HeadSpec
from textlora.model.spec import FILE_NAME, ClassifierSpec

SPEC = ClassifierSpec(
    backbone=Backbone("owner/name", "v1"),
    head=HeadSpec("auto", "cls", "cross_entropy", 2),
    label_names=("Négatif", "Positif"),
    label_values=(0, 1),
    max_length=64,
    truncation_side="left",
    strip_html=True,
)


def test_round_trip(tmp_path: Path) -> None:
    SPEC.save(tmp_path)
    assert ClassifierSpec.load(tmp_path) == SPEC


@pytest.mark.parametrize(
    "decision",
    [
        Decision(thresholds=(1 / 3, 0.1), min_confidence=0.9),
        Decision(costs=((0.0, 1.0), (2.5, 0.0))),
    ],
)
def test_temperature_and_rule_are_kept_to_the_last_digit(
    decision: Decision, tmp_path: Path
) -> None:
    spec = replace(SPEC, temperature=1.7000000000000002, decision=decision)
    spec.save(tmp_path)
    assert ClassifierSpec.load(tmp_path) == spec


def test_adapters_of_before_the_rules_load(tmp_path: Path) -> None:
    SPEC.save(tmp_path)
    file = tmp_path / FILE_NAME
    values = json.loads(file.read_text())
    del values["temperature"], values["decision"]
    file.write_text(json.dumps(values))
    assert ClassifierSpec.load(tmp_path) == SPEC
    file.write_text(json.dumps({**values, "decision": {"thresholds": [0.5]}}))
    with pytest.raises(TextloraError, match="damaged"):
        ClassifierSpec.load(tmp_path)


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (lambda values: None, "no textlora adapter"),
        (lambda values: "{", "cannot be read"),
        (lambda values: {**values, "format": 99}, "not known to this version"),
        (lambda values: {**values, "more": 1}, "damaged"),
        (lambda values: {k: v for k, v in values.items() if k != "head"}, "damaged"),
    ],
)
def test_damage_is_told(damage: Any, problem: str, tmp_path: Path) -> None:
    SPEC.save(tmp_path)
    file = tmp_path / FILE_NAME
    content = damage(json.loads(file.read_text()))
    file.unlink()
    if content is not None:
        file.write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(TextloraError, match=problem):
        ClassifierSpec.load(tmp_path)


def test_adapters_of_before_the_windows_load(tmp_path: Path) -> None:
    SPEC.save(tmp_path)
    file = tmp_path / FILE_NAME
    values = json.loads(file.read_text())
    for name in ("head_share", "long_texts", "window_stride", "window_pooling", "max_windows"):
        del values[name]
    file.write_text(json.dumps(values))
    assert ClassifierSpec.load(tmp_path).cut == Truncation(64, "left", head_share=0.25)


def test_what_becomes_of_long_texts() -> None:
    assert SPEC.cut == SPEC.truncation
    both = replace(SPEC, truncation_side="head+tail", head_share=0.3)
    assert both.cut_in_words == "truncated in the middle (30% from the start)"
    windows = replace(SPEC, long_texts="windows", window_stride=16, max_windows=9)
    assert windows.cut == Windows(64, 16, 9)
    assert windows.truncation == SPEC.truncation
    assert "At most 64 tokens, read in windows that overlap by 16 tokens" in model_card(
        windows, settled_config(), {}
    )


def test_the_card_says_how_to_load_it() -> None:
    card = model_card(SPEC, settled_config(), {})
    assert "base_model: owner/name" in card
    assert "AutoPeftModelForSequenceClassification" in card
    assert "- `Négatif`" in card
    assert "At most 64 tokens, truncated on the left; HTML is stripped." in card


def test_the_card_of_a_head_of_our_own_does_not_promise_too_much() -> None:
    card = model_card(
        replace(SPEC, head=HeadSpec("linear", "cls", "bce", 2)), settled_config(recipe="x"), {}
    )
    assert "AutoPeftModelForSequenceClassification" not in card
    assert "docs/loading.md" in card
