"""Rules: the best threshold, the least expected cost, and settings that do not fit."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit
from sklearn import metrics as reference

from support.examples import examples
from textlora.errors import ConfigError
from textlora.metrics import scores
from textlora.metrics.decisions import (
    Decision,
    best_threshold,
    check_rule,
    choose_decision,
    cost_matrix,
    f1,
    label_text,
    label_thresholds,
)
from textlora.metrics.scores import probability_of, right_rows
from textlora.report.wording import rule_in_words

FEW = examples(30)
SCORES = {
    "accuracy": reference.accuracy_score,
    "f1": lambda *pair: reference.f1_score(*pair, average="macro", labels=[0, 1], zero_division=0),
    "mcc": reference.matthews_corrcoef,
}


@st.composite
def two_classes(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Class numbers `[n]` with a row of each, and probabilities `[n, 2]` with ties."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    rows, digits = draw(st.integers(2, 30)), draw(st.integers(1, 6))
    truth = random.permutation([0, 1, *random.integers(0, 2, rows - 2)])
    yes = np.round(random.random(rows), digits).astype(np.float32)
    return truth, np.stack([1 - yes, yes], axis=1)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")
@pytest.mark.parametrize("metric", ["accuracy", "f1", "mcc"])
@FEW
@given(case=two_classes())
def test_no_threshold_is_better(metric: Any, case: tuple[np.ndarray, np.ndarray]) -> None:
    truth, probable = case
    score, yes = SCORES[metric], probable[:, 1].astype(np.float64)
    rule = choose_decision(probable, truth, ["no", "yes"], threshold=metric)
    found = score(truth, rule.labels(probable))
    tried = [*np.unique(yes), 0.5]
    if yes.max() < 1:  # above a probability of 1 there is no threshold
        tried.append(1.0)
    best = max(score(truth, (yes >= threshold).astype(int)) for threshold in tried)
    assert found == pytest.approx(best, abs=1e-9)
    assert rule.thresholds is not None
    assert 0 <= rule.thresholds[0] <= 1
    if score(truth, (yes >= 0.5).astype(int)) >= best - 1e-12:
        assert rule.thresholds == (0.5,)  # nothing to gain: nothing is changed


def labels(seed: int, rows: int, shares: list[float]) -> tuple[np.ndarray, np.ndarray]:
    """Truth and probabilities that say something of it, but too little of rare labels."""
    random = np.random.default_rng(seed)
    truth = (random.random((rows, len(shares))) < shares).astype(np.int64)
    logits = 2 * truth - 2.5 + random.normal(size=truth.shape) + np.log(shares) / 2
    return truth, expit(logits)


def macro_f1_of(truth: np.ndarray, predicted: np.ndarray) -> float:
    return float(reference.f1_score(truth, predicted, average="macro", zero_division=0))


@FEW
@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.sampled_from(["accuracy", "f1", "mcc"]))
def test_thresholds_of_labels_are_probabilities(seed: int, classes: int, metric: Any) -> None:
    random = np.random.default_rng(seed)
    truth, probable = random.integers(0, 2, (20, classes)), random.random((20, classes))
    rule = choose_decision(probable, truth, list("abcde")[:classes], threshold=metric)
    assert rule.thresholds is not None
    assert all(0 < each < 1 for each in rule.thresholds)


def test_a_label_with_many_rows_gets_its_own_threshold() -> None:
    truth, probable = labels(0, 20_000, [0.3, 0.1])
    found = label_thresholds(probable, truth == 1, f1)
    for number in range(2):
        alone = best_threshold(probable[:, number], truth[:, number] == 1, f1)
        assert found[number] == pytest.approx(alone, rel=0.01)


def test_labels_with_few_rows_take_from_the_others() -> None:
    """On rows that had no say, shrunk thresholds are better than one half and than their own."""
    shares = [0.2, 0.1, 0.05, *[0.01] * 12]
    gains = []
    for seed in range(5):
        truth, probable = labels(seed, 300, shares)
        fresh, fresh_probable = labels(seed + 100, 5_000, shares)
        shrunk = label_thresholds(probable, truth == 1, f1)
        columns = zip(probable.T, truth.T == 1, strict=True)
        alone = np.array([best_threshold(*column, f1) for column in columns])
        figures = [
            (macro_f1_of(fresh, guess), scores.micro_f1(fresh, guess.astype(np.int64)))
            for guess in (fresh_probable >= shrunk, fresh_probable >= alone, fresh_probable >= 0.5)
        ]
        gains.append(np.subtract(figures[0], figures[1:]))
    assert (np.mean(gains, axis=0) > 0.01).all()


def test_a_label_never_seen_gets_a_threshold_from_the_others() -> None:
    truth, probable = labels(0, 400, [0.3, 0.2, 0.2])
    truth[:, 2] = 0
    low = label_thresholds(probable / 2, truth == 1, f1)[2]
    high = label_thresholds(probable, truth == 1, f1)[2]
    assert 0 < low < high < 0.5


def test_what_is_right_already_stays_right() -> None:
    truth = np.random.default_rng(0).integers(0, 2, (50, 4))
    rule = choose_decision(0.1 + 0.8 * truth, truth, list("abcd"), threshold="f1")
    assert (rule.labels(0.1 + 0.8 * truth, multi_label=True) == truth).all()


@FEW
@given(st.integers(0, 2**32 - 1), st.integers(2, 5))
def test_costs_choose_the_least_expected_cost(seed: int, classes: int) -> None:
    random = np.random.default_rng(seed)
    probable = random.dirichlet(np.ones(classes), 20)
    matrix = random.random((classes, classes)) * 5
    rule = Decision(costs=tuple(map(tuple, matrix.tolist())))
    for row, answer in zip(probable, rule.labels(probable), strict=True):
        expected = [sum(row[t] * matrix[t][a] for t in range(classes)) for a in range(classes)]
        assert expected[answer] == pytest.approx(min(expected))


@FEW
@given(st.integers(0, 2**32 - 1), st.integers(2, 5))
def test_equal_costs_are_no_rule_at_all(seed: int, classes: int) -> None:
    probable = np.random.default_rng(seed).dirichlet(np.ones(classes), 20)
    names = [str(number) for number in range(classes)]
    rule = choose_decision(probable, np.zeros(20, int), names, costs={})
    np.testing.assert_array_equal(rule.labels(probable), Decision().labels(probable))


def test_a_costly_miss_lowers_the_threshold() -> None:
    """Elkan: with false positives at 1 and misses at 4, "yes" from 1 / (1 + 4) on."""
    rule = choose_decision([[0.5, 0.5]], [0], ["no", "yes"], costs={"yes": {"no": 4}})
    assert rule.labels([[0.81, 0.19], [0.79, 0.21]]).tolist() == [0, 1]
    assert rule.mean_cost([1, 0, 1], np.array([0, 1, 1])) == pytest.approx(5 / 3)
    assert Decision().mean_cost([1], np.array([0])) is None


def test_costs_by_name() -> None:
    assert cost_matrix({"b": {"a": 3, "b": 0.5}}, ["a", "b", "c"]) == (
        (0, 1, 1),
        (3, 0.5, 1),
        (1, 1, 0),
    )


def test_confidence_is_that_of_the_answer() -> None:
    assert Decision().confidences([[0.3, 0.7], [0.6, 0.4]]).tolist() == [0.7, 0.6]
    assert Decision(thresholds=(0.2,)).confidences([[0.7, 0.3]]).tolist() == [0.3]
    several = Decision(thresholds=(0.8, 0.2))
    found = several.confidences([[0.9, 0.3], [0.7, 0.1]], multi_label=True)
    assert found.tolist() == pytest.approx([0.3, 0.3])


def test_right_is_right_in_every_label() -> None:
    assert right_rows([0, 1], np.array([0, 0])).tolist() == [True, False]
    assert right_rows([[0, 1], [1, 1]], np.array([[0, 1], [0, 1]])).tolist() == [True, False]


@pytest.mark.parametrize(
    ("names", "multi_label", "settings", "problem"),
    [
        (["a", "b", "c"], False, {"threshold": "f1"}, "the data has 3 classes"),
        (["a", "b"], True, {"costs": {"a": {"b": 2}}}, "the data is multi-label"),
        (["a", "b"], False, {"costs": {"a": {"x": 2}}}, "'x' is no class"),
        (["a", "b"], False, {"costs": {"x": {"a": 2}}}, "'x' is no class"),
    ],
)
def test_rules_that_do_not_fit(
    names: list[str], multi_label: bool, settings: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ConfigError, match=problem):
        check_rule(names, multi_label, **{"threshold": "default", "costs": None, **settings})
    targets = np.zeros((1, len(names)), int) if multi_label else np.zeros(1, int)
    with pytest.raises(ConfigError, match=problem):
        choose_decision(np.full((1, len(names)), 0.5), targets, names, **settings)


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (Decision(), None),
        (Decision(thresholds=(0.372,)), "The answer is yes from a probability of 37.2 % on"),
        (Decision(thresholds=(0.3, 0.6)), "own probability on: no 30.0 %, yes 60.0 %"),
        (Decision(costs=((0, 1), (2, 0))), "least expected cost"),
        (Decision(min_confidence=0.8), "less sure than 80.0 %"),
    ],
)
def test_rules_survive_json_and_have_words(rule: Decision, words: str | None) -> None:
    assert Decision.from_dict(json.loads(json.dumps(asdict(rule)))) == rule
    said = rule_in_words(rule, ["no", "yes"])
    assert said is None if words is None else words in (said or "")


def test_how_probable_labels_are() -> None:
    probabilities = np.array([[0.2, 0.8], [0.7, 0.3]])
    assert probability_of([1, 1], probabilities).tolist() == [0.8, 0.3]
    assert probability_of([[0, 1], [0, 0]], probabilities) == pytest.approx([0.8, 0.3])


def test_a_label_as_text() -> None:
    assert [label_text(each) for each in ("a", ["a", "b"], ())] == ["a", "a, b", "(none)"]
