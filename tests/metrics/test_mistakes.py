"""The wrong answers that are shown."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from support.reports import explanation
from textlora.metrics.decisions import Decision
from textlora.metrics.mistakes import find_mistakes

TEXTS = [f"text {number}" for number in range(60)]


def test_two_classes_have_one_list_the_surest_first() -> None:
    probabilities = [[0.9, 0.1], [0.2, 0.8], [0.4, 0.6], [0.3, 0.7]]
    found = find_mistakes(TEXTS[:4], [1, 1, 0, 0], probabilities, ["no", "yes"])
    assert found.first(40) == ["text 0", "text 3", "text 2"]
    assert found.worst == ()
    first = found.certain[0]
    assert (first.true, first.predicted) == ("yes", "no")
    assert (first.probability, first.true_probability) == (0.9, 0.1)


@pytest.mark.parametrize("multi_label", [False, True])
def test_many_classes_have_two_lists_without_overlap(
    multi_label: bool, predictions: Callable[..., tuple]
) -> None:
    targets, probabilities = predictions(4, multi_label=multi_label)
    found = find_mistakes(TEXTS, targets, probabilities, list("abcd"), most=6)
    assert (len(found.certain), len(found.worst)) == (3, 3)
    assert len(set(found.first(40))) == 6
    sure = [item.probability for item in found.certain]
    assert sure == sorted(sure, reverse=True)
    far = [item.true_probability or 0.0 for item in found.worst]
    assert far == sorted(far)
    assert all(item.true != item.predicted for item in (*found.certain, *found.worst))


def test_several_labels_are_named_together() -> None:
    found = find_mistakes(["one"], [[1, 1, 0]], [[0.1, 0.2, 0.4]], list("abc"))
    (item,) = found.certain
    assert (item.true, item.predicted) == ("a, b", "(none)")
    assert item.probability == pytest.approx(0.6)
    assert item.true_probability == pytest.approx(0.1)


def test_the_rule_decides_what_is_wrong() -> None:
    rule = Decision(thresholds=(0.9,))
    found = find_mistakes(["one"], [1], [[0.2, 0.8]], ["no", "yes"], rule)
    assert [(item.predicted, item.probability) for item in found.certain] == [("no", 0.2)]
    assert find_mistakes(["one"], [1], [[0.2, 0.8]], ["no", "yes"]).first(40) == []


def test_explanations_go_with_their_texts(predictions: Callable[..., tuple]) -> None:
    targets, probabilities = predictions(4)
    found = find_mistakes(TEXTS, targets, probabilities, list("abcd"), most=5)
    told = found.explained({text: explanation(text, "a") for text in found.first(40)})
    for item in (*told.certain, *told.worst):
        assert item.explanation is not None
        assert item.explanation.text == item.text
    assert np.array_equal(told.first(40), found.first(40))
