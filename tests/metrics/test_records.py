"""Records of a training survive a trip through JSON."""

from __future__ import annotations

import json

from textlora.metrics.records import BeforeAfter, EpochRecord

HISTORY = [
    EpochRecord(1.0, 63, None, 0.4123, 0.831, 0.829, 0.66, 3e-4, 31.0),
    EpochRecord(2.0, 126, 0.3012, 0.3456, 0.872, 0.871, 0.74, 1e-4, 65.0, best=True),
]


def test_epochs_survive_json() -> None:
    lines = [json.dumps(record.to_dict()) for record in HISTORY]
    assert [EpochRecord.from_dict(json.loads(line)) for line in lines] == HISTORY


def test_unknown_keys_of_a_newer_version_are_passed_over() -> None:
    assert EpochRecord.from_dict({**HISTORY[0].to_dict(), "later": 1}) == HISTORY[0]


def test_sentences_survive_json() -> None:
    item = BeforeAfter("fine", "negative", 0.5, "positive", 0.9, "positive")
    assert BeforeAfter.from_dict(json.loads(json.dumps(item.to_dict()))) == item
