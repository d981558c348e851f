"""Accuracy by length: every text in one bucket, and the counts of each."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from textlora.evaluation.length_buckets import accuracy_by_length
from textlora.evaluation.metrics import Interval, wilson_interval

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
