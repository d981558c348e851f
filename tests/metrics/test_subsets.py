"""Withheld answers: coverage, accuracy and the area under the risk-coverage curve."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.examples import examples
from textlora.metrics.decisions import Decision
from textlora.metrics.subsets import DecisionFigures, coverage_curve, selective
from textlora.report.wording import figures_in_words

FEW = examples(30)


@st.composite
def answers(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Which answers are right, and how sure they are, with ties."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    rows = draw(st.integers(1, 60))
    return random.random(rows) < 0.7, np.round(random.random(rows), draw(st.integers(1, 5)))


@FEW
@given(answers())
def test_every_point_is_a_least_confidence(case: tuple[np.ndarray, np.ndarray]) -> None:
    right, sure = case
    curve = coverage_curve(right, sure)
    for least, coverage, accuracy in zip(
        curve.confidence, curve.coverage, curve.accuracy, strict=True
    ):
        left = selective(right, sure, least)
        assert (left.coverage, left.accuracy) == pytest.approx((coverage, accuracy))
        assert left.answered == (sure >= least).sum()
    assert curve.coverage[-1] == 1
    assert curve.accuracy[-1] == pytest.approx(right.mean())
    risks = [1 - right[sure >= one].mean() for one in sure]
    assert curve.aurc == pytest.approx(np.mean(risks))


@FEW
@given(answers(), st.integers(0, 2**32 - 1))
def test_the_order_of_the_rows_has_no_say(case: tuple[np.ndarray, np.ndarray], seed: int) -> None:
    right, sure = case
    order = np.random.default_rng(seed).permutation(len(right))
    shuffled, curve = coverage_curve(right[order], sure[order]), coverage_curve(right, sure)
    assert shuffled.coverage == curve.coverage
    assert shuffled.accuracy == pytest.approx(curve.accuracy)
    assert shuffled.aurc == pytest.approx(curve.aurc)


def test_the_best_order_has_the_least_area() -> None:
    right = np.array([True] * 6 + [False] * 4)
    sure = np.linspace(0.9, 0.1, 10)
    best, worst = coverage_curve(right, sure).aurc, coverage_curve(right, sure[::-1]).aurc
    assert best == pytest.approx(sum(n / (6 + n) for n in range(1, 5)) / 10)
    assert worst > 0.4 > best


def test_many_rows_are_thinned_and_both_ends_stay() -> None:
    random = np.random.default_rng(0)
    right, sure = random.random(5000) < 0.8, random.random(5000)
    curve = coverage_curve(right, sure, points=50)
    assert len(curve.coverage) == 50
    assert (curve.coverage[0], curve.coverage[-1]) == (1 / 5000, 1.0)
    assert curve.aurc == coverage_curve(right, sure).aurc


def test_nothing_is_sure_enough() -> None:
    left = selective(np.array([True]), np.array([0.6]), 0.9)
    assert (left.answered, left.coverage, left.accuracy) == (0, 0.0, None)


@pytest.mark.parametrize(
    ("targets", "probabilities", "rule", "words"),
    [
        ([0, 1], [[0.9, 0.1], [0.6, 0.4]], Decision(), []),
        (
            [0, 1],
            [[0.9, 0.1], [0.6, 0.4]],
            Decision(min_confidence=0.8),
            ["50.0 % of the texts answered, 100.0 % of these right"],
        ),
        ([0], [[0.6, 0.4]], Decision(min_confidence=0.8), ["No answer is as sure as 80.0 %"]),
        (
            [0, 1],
            [[0.9, 0.1], [0.6, 0.4]],
            Decision(costs=((0, 1), (4, 0)), min_confidence=0.0),
            ["Mean cost of an answer 0.000 (the most probable class: 2.000)", "100.0 %"],
        ),
        ([[0, 1]], [[0.1, 0.7]], Decision(min_confidence=0.5), ["100.0 % of the texts"]),
    ],
)
def test_figures_of_a_rule(
    targets: list, probabilities: list, rule: Decision, words: list[str]
) -> None:
    figures = DecisionFigures.of(targets, probabilities, rule)
    assert DecisionFigures.from_dict(json.loads(json.dumps(figures.to_dict()))) == figures
    said = figures_in_words(figures)
    assert len(said) == len(words)
    for sentence, part in zip(said, words, strict=True):
        assert part in sentence
