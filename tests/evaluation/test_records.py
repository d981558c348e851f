"""Records survive a line of JSON."""

from __future__ import annotations

import json

from textlora.evaluation.records import BeforeAfter, EpochRecord


def test_epochs_survive_json(history: list[EpochRecord]) -> None:
    lines = [json.dumps(record.to_dict()) for record in history]
    assert [EpochRecord.from_dict(json.loads(line)) for line in lines] == history


def test_unknown_keys_of_a_newer_version_are_passed_over(history: list[EpochRecord]) -> None:
    assert EpochRecord.from_dict({**history[0].to_dict(), "later": 1}) == history[0]


def test_sentences_survive_json() -> None:
    item = BeforeAfter("fine", "negative", 0.5, "positive", 0.9, "positive")
    assert BeforeAfter.from_dict(json.loads(json.dumps(item.to_dict()))) == item
