"""Metrics against scikit-learn's, and accuracy by length."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn import metrics as reference

from support.examples import examples
from textlora.metrics.classification import (
    ClassificationMetrics,
    Interval,
    classification_metrics,
    wilson_interval,
)
from textlora.metrics.decisions import Decision, predicted_labels
from textlora.metrics.subsets import accuracy_by_length

CLOSE = pytest.approx
FEW = examples(30)


@st.composite
def single_label(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    classes, rows = draw(st.integers(2, 5)), draw(st.integers(1, 25))
    present = draw(st.integers(1, classes))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    targets = random.integers(0, present, rows)
    return targets, random.dirichlet(np.ones(classes), rows)


@st.composite
def several_labels(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, float]:
    classes, rows = draw(st.integers(1, 5)), draw(st.integers(1, 25))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    targets = (random.random((rows, classes)) < draw(st.floats(0, 1))).astype(int)
    return targets, random.random((rows, classes)), draw(st.floats(0.1, 0.9))


def names(probabilities: np.ndarray) -> list[str]:
    return [f"class {number}" for number in range(probabilities.shape[1])]


def exactly(value: float) -> object:
    return CLOSE(value, rel=1e-9, abs=1e-9)


def assert_averages(found: ClassificationMetrics, truth: np.ndarray, guess: np.ndarray) -> None:
    macro = reference.precision_recall_fscore_support(
        truth, guess, average="macro", zero_division=0
    )
    assert (found.macro_precision, found.macro_recall, found.macro_f1) == exactly(macro[:3])
    each = reference.precision_recall_fscore_support(
        truth, guess, labels=range(len(found.labels)), average=None, zero_division=0
    )
    for entry, *expected in zip(found.per_class, *each, strict=True):
        assert [entry.precision, entry.recall, entry.f1, entry.support] == exactly(expected)


def assert_interval(found: ClassificationMetrics) -> None:
    expected = binomtest(found.correct, found.rows).proportion_ci(0.95, method="wilson")
    interval = found.accuracy_interval
    assert (interval.low, interval.high) == exactly((expected.low, expected.high))
    assert interval.low <= found.accuracy + 1e-12
    assert found.accuracy <= interval.high + 1e-12


@FEW
@given(single_label())
def test_single_label_agrees_with_scikit_learn(case: tuple[np.ndarray, np.ndarray]) -> None:
    truth, scores = case
    classes = scores.shape[1]
    found = classification_metrics(truth, scores, names(scores))
    guess = scores.argmax(axis=1)
    assert found.accuracy == exactly(reference.accuracy_score(truth, guess))
    assert_interval(found)
    assert_averages(found, truth, guess)
    assert found.log_loss == exactly(reference.log_loss(truth, scores, labels=range(classes)))
    matrix = reference.confusion_matrix(truth, guess, labels=range(classes))
    assert np.array_equal(found.confusion_matrix, matrix)
    if len({*truth, *guess}) > 1:
        assert found.mcc == exactly(reference.matthews_corrcoef(truth, guess))
    else:
        assert found.mcc == 0
    if len(set(truth)) < classes:
        assert found.roc_auc is None
    elif classes == 2:
        assert found.roc_auc == exactly(reference.roc_auc_score(truth, scores[:, 1]))
    else:
        expected = reference.roc_auc_score(truth, scores, multi_class="ovr", average="macro")
        assert found.roc_auc == exactly(expected)


@FEW
@given(several_labels())
def test_multi_label_agrees_with_scikit_learn(case: tuple[np.ndarray, np.ndarray, float]) -> None:
    truth, scores, threshold = case
    rule = Decision(thresholds=(threshold,) * truth.shape[1])
    found = classification_metrics(truth, scores, names(scores), multi_label=True, decision=rule)
    guess = (scores >= threshold).astype(int)
    assert found.accuracy == exactly((truth == guess).all(axis=1).mean())
    assert_interval(found)
    for number, entry in enumerate(found.per_class):
        alone = reference.f1_score(truth[:, number], guess[:, number], zero_division=0)
        assert entry.f1 == exactly(alone)
    if truth.shape[1] > 1:  # scikit-learn takes a single column for binary targets
        assert_averages(found, truth, guess)
        micro = reference.f1_score(truth, guess, average="micro", zero_division=0)
        assert found.micro_f1 == exactly(micro)
    each = [
        reference.log_loss(truth[:, label], scores[:, label], labels=[0, 1])
        for label in range(truth.shape[1])
    ]
    assert found.log_loss == exactly(np.mean(each))
    assert found.confusion_matrix is None
    if all(0 < column.sum() < len(column) for column in truth.T):
        assert found.roc_auc == exactly(reference.roc_auc_score(truth, scores, average="macro"))
    else:
        assert found.roc_auc is None


@FEW
@given(single_label(), several_labels())
def test_figures_survive_json(single: tuple, several: tuple) -> None:
    for found in (
        classification_metrics(*single, names(single[1])),
        classification_metrics(*several[:2], names(several[1]), multi_label=True),
    ):
        assert ClassificationMetrics.from_dict(json.loads(json.dumps(found.to_dict()))) == found
        assert ClassificationMetrics.from_dict(found.to_dict()) == found


def test_known_interval() -> None:
    interval = wilson_interval(3488, 4000)
    assert (interval.low, interval.high) == CLOSE((0.8613, 0.8820), abs=1e-4)


def test_float32_probabilities_cause_no_warning() -> None:
    scores = np.full((3, 3), 1 / 3, dtype=np.float16)
    assert classification_metrics([0, 1, 2], scores, list("abc")).log_loss == CLOSE(np.log(3))


def test_sure_and_wrong_is_finite() -> None:
    found = classification_metrics([0, 1], [[0.0, 1.0], [1.0, 0.0]], ["a", "b"])
    assert np.isfinite(found.log_loss)
    assert found.accuracy == 0
    assert found.mcc == -1


def test_predicted_labels() -> None:
    scores = np.array([[0.5, 0.5], [0.2, 0.8]])
    assert predicted_labels(scores).tolist() == [0, 1]
    assert predicted_labels(scores, multi_label=True).tolist() == [[1, 1], [0, 1]]
    assert predicted_labels(scores, True, 0.7).tolist() == [[0, 0], [0, 1]]


@pytest.mark.parametrize(
    ("targets", "probabilities", "multi_label"),
    [
        ([0, 1], [[0.5, 0.5]], False),
        ([0, 2], [[0.5, 0.5]] * 2, False),
        ([-1], [[0.5, 0.5]], False),
        ([0], [[0.5, 0.4, 0.1]], False),
        ([], np.empty((0, 2)), False),
        ([0], [[np.nan, 1.0]], False),
        ([0], [[0.1, 0.2]], False),
        ([0], [[-0.5, 1.5]], False),
        ([0], [[0.5, 0.5]], True),
        ([[0, 2]], [[0.5, 0.5]], True),
    ],
)
def test_what_does_not_fit_is_refused(
    targets: list, probabilities: list, multi_label: bool
) -> None:
    with pytest.raises(ValueError, match=r"expected|class number|probabilit"):
        classification_metrics(targets, probabilities, ["a", "b"], multi_label=multi_label)


ROWS = st.lists(st.tuples(st.integers(0, 2_000), st.integers(0, 2), st.integers(0, 2)), max_size=60)


def test_the_buckets_of_512_tokens() -> None:
    lengths = [3, 128, 129, 256, 257, 384, 385, 512, 513, 9_000]
    buckets = accuracy_by_length(lengths, [0] * 10, [0, 1] * 5, max_length=512)
    edges = [(0, 128), (129, 256), (257, 384), (385, 512), (513, None)]
    assert [(bucket.low, bucket.high) for bucket in buckets] == edges
    assert [(bucket.rows, bucket.accuracy) for bucket in buckets] == [(2, 0.5)] * 5
    assert buckets[0].interval == wilson_interval(1, 2)


def test_buckets_without_texts_are_left_out() -> None:
    (only,) = accuracy_by_length([70, 80], [0, 1], [0, 1], max_length=64)
    assert (only.low, only.high, only.rows, only.accuracy) == (65, None, 2, 1.0)
    assert accuracy_by_length([], [], [], max_length=64) == ()


@given(rows=ROWS, max_length=st.integers(1, 1_024))
def test_every_text_is_in_the_bucket_of_its_length(
    rows: list[tuple[int, int, int]], max_length: int
) -> None:
    lengths, targets, predicted = ([row[column] for row in rows] for column in range(3))
    buckets = accuracy_by_length(lengths, targets, predicted, max_length=max_length)
    assert sum(bucket.rows for bucket in buckets) == len(rows)
    for bucket in buckets:
        high = np.inf if bucket.high is None else bucket.high
        inside = [t == p for n, t, p in rows if bucket.low <= n <= high]
        assert bucket.rows == len(inside) > 0
        assert bucket.accuracy == pytest.approx(np.mean(inside))
        assert bucket.high is None or bucket.high <= max_length


def test_multi_label_texts_need_every_label_right() -> None:
    targets, predicted = [[0, 1], [1, 1], [0, 0]], [[0, 1], [1, 0], [0, 0]]
    (bucket,) = accuracy_by_length([5, 6, 7], targets, predicted, max_length=512)
    assert bucket.accuracy == pytest.approx(2 / 3)


def test_json() -> None:
    (bucket,) = accuracy_by_length(np.array([5]), np.array([1]), np.array([1]), max_length=512)
    values = json.loads(json.dumps(bucket.to_dict()))
    assert values["interval"] == vars(bucket.interval)
    assert type(bucket)(**{**values, "interval": Interval(**values["interval"])}) == bucket


def test_shapes_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match="do not fit together"):
        accuracy_by_length([5, 6], [1], [1], max_length=512)
    with pytest.raises(ValueError, match="do not fit together"):
        accuracy_by_length([5], [1], [[1, 0]], max_length=512)
