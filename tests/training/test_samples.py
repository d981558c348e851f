"""A few texts, before and after training."""

from __future__ import annotations

from textlora.inference.predictor import Prediction
from textlora.training.job import Sample, compare


def test_labels_before_training_are_kept_the_most_probable_first() -> None:
    shares = {"a": 0.51, "b": 0.2, "c": 0.9, "d": 0.7}
    before = Prediction(["a", "c", "d"], 0.51, shares)
    after = Prediction(["b"], 0.9, shares)
    found = compare([Sample("text", "b")], [before], [after])[0]
    assert found.before_label == "a, c, d"
    assert found.before_labels == ["c", "d", "a"]


def test_one_label_to_a_text_needs_no_list() -> None:
    one = Prediction("a", 0.6, {"a": 0.6, "b": 0.4})
    assert compare([Sample("text", None)], [one], [one])[0].before_labels == []
