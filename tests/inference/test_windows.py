"""Pooling by text: probabilities as defined, order kept, one window is the identity."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from textlora.config import ComputeConfig
from textlora.data.rows import MAX_TEXT_BYTES
from textlora.inference.logits import WindowPooling, pool_logits
from textlora.inference.predictor import Predictor
from textlora.model.heads import HeadSpec, probabilities

settings.register_profile("textlora", deadline=None)
settings.load_profile("textlora")

HEADS = {
    "two units": HeadSpec("auto", "cls", "cross_entropy", 2),
    "three units": HeadSpec("auto", "cls", "cross_entropy", 3),
    "one unit": HeadSpec("linear", "cls", "bce", 2),
    "multi-label": HeadSpec("auto", "cls", "bce", 3, multi_label=True),
}
COUNTS = st.lists(st.integers(1, 5), min_size=1, max_size=8)


def drawn(counts: list[int], head: HeadSpec, seed: int, scale: float = 3.0) -> Any:
    """Logits of as many windows as the counts say, and the offsets."""
    draw = np.random.default_rng(seed)
    logits = draw.normal(scale=scale, size=(sum(counts), head.num_units)).astype(np.float32)
    return logits, np.cumsum([0, *counts])


def shares(logits: Any, head: HeadSpec) -> Any:
    return probabilities(torch.from_numpy(logits).double(), head).numpy().astype(np.float64)


@pytest.mark.parametrize("head", HEADS.values(), ids=list(HEADS))
@pytest.mark.parametrize("pooling", ["mean", "max"])
@given(counts=COUNTS, seed=st.integers(0, 1_000))
def test_the_pooled_logits_give_the_pooled_probabilities(
    counts: list[int], seed: int, head: HeadSpec, pooling: WindowPooling
) -> None:
    logits, offsets = drawn(counts, head, seed)
    found = shares(pool_logits(logits, offsets, head=head, pooling=pooling), head)
    windows = shares(logits, head)
    for text, (start, end) in enumerate(pairwise(offsets)):
        expected = getattr(windows[start:end], pooling)(axis=0)
        if not head.multi_label:
            expected = expected / expected.sum()
        np.testing.assert_allclose(found[text], expected, atol=1e-5)


@pytest.mark.parametrize("head", HEADS.values(), ids=list(HEADS))
@pytest.mark.parametrize("pooling", ["mean", "max"])
@given(counts=COUNTS, seed=st.integers(0, 1_000))
def test_a_text_of_one_window_keeps_its_logits(
    counts: list[int], seed: int, head: HeadSpec, pooling: WindowPooling
) -> None:
    logits, offsets = drawn(counts, head, seed)
    pooled = pool_logits(logits, offsets, head=head, pooling=pooling)
    for text, count in enumerate(counts):
        if count == 1:
            np.testing.assert_array_equal(pooled[text], logits[offsets[text]])
    alone = np.arange(len(logits) + 1)
    np.testing.assert_array_equal(pool_logits(logits, alone, head=head, pooling=pooling), logits)


@pytest.mark.parametrize("pooling", ["mean", "max"])
def test_one_unit_pools_as_two_do(pooling: WindowPooling) -> None:
    one, two = HEADS["one unit"], HEADS["two units"]
    logits, offsets = drawn([3, 1, 4], one, seed=0)
    both = np.concatenate([np.zeros_like(logits), logits], axis=1)
    pooled = pool_logits(both, offsets, head=two, pooling=pooling)
    np.testing.assert_allclose(
        pool_logits(logits, offsets, head=one, pooling=pooling)[:, 0],
        pooled[:, 1] - pooled[:, 0],
        atol=1e-5,
    )


@pytest.mark.parametrize("head", HEADS.values(), ids=list(HEADS))
@pytest.mark.parametrize("pooling", ["mean", "max"])
def test_sure_windows_stay_finite(head: HeadSpec, pooling: WindowPooling) -> None:
    logits, offsets = drawn([4, 4], head, seed=1, scale=500.0)
    assert np.isfinite(pool_logits(logits, offsets, head=head, pooling=pooling)).all()


@pytest.mark.parametrize("offsets", [[0, 2, 2, 4], [0, 2], [1, 4], [0, 5]])
def test_offsets_that_do_not_fit(offsets: list[int]) -> None:
    head = HEADS["two units"]
    with pytest.raises(ValueError, match="do not fit"):
        pool_logits(np.zeros((4, 2), np.float32), np.array(offsets), head=head, pooling="mean")


LONG = ["good " * 150, "a film", "bad " * 30 + "good " * 100, "the plot was dull " * 40, "fine"]


@pytest.fixture(scope="module")
def reading(finished: Any) -> Callable[..., Predictor]:
    """Return a function that loads the finished run and lets it read in windows."""

    def _load(path: Any = "auto", **changes: Any) -> Predictor:
        predictor = Predictor.load(finished.folder.path, ComputeConfig(path=path, precision="fp32"))
        windows = {"long_texts": "windows", "window_stride": 8, "max_windows": 64, **changes}
        return replace(predictor, spec=replace(predictor.spec, **windows))

    return _load


def test_windows_on_both_paths(reading: Callable[..., Predictor]) -> None:
    fast, plain = reading("fast"), reading("plain")
    assert [fast.forward.name, plain.forward.name] == ["fast", "plain"]
    np.testing.assert_allclose(fast.predict_proba(LONG), plain.predict_proba(LONG), atol=1e-5)


@pytest.mark.parametrize("pooling", ["mean", "max"])
def test_a_text_alone_equals_the_same_text_among_others(
    pooling: str, reading: Callable[..., Predictor]
) -> None:
    predictor = reading(window_pooling=pooling)
    together = predictor.predict_proba(LONG)
    alone = np.concatenate([predictor.predict_proba([text]) for text in LONG])
    np.testing.assert_allclose(together, alone, atol=1e-6)
    np.testing.assert_allclose(predictor.predict_proba(LONG[::-1])[::-1], together, atol=1e-6)


def test_short_texts_are_answered_as_without_windows(
    reading: Callable[..., Predictor], finished: Any
) -> None:
    without = Predictor.load(finished.folder.path, ComputeConfig(precision="fp32"))
    short = [LONG[1], LONG[4]]
    np.testing.assert_array_equal(reading().predict_proba(short), without.predict_proba(short))


def test_the_answer_hears_the_end_of_a_long_text(reading: Callable[..., Predictor]) -> None:
    text = "awful " * 62 + "good " * 400
    predictor = reading()
    cut = {"long_texts": "truncate", "truncation_side": "right"}
    truncating = replace(predictor, spec=replace(predictor.spec, **cut))
    assert truncating.predict([text])[0].label == "Negative"
    assert predictor.predict([text])[0].label == "Positive"


def test_progress_counts_texts(reading: Callable[..., Predictor]) -> None:
    done: list[int] = []
    reading().predict_proba(LONG, done.append)
    assert sum(done) == len(LONG)


def test_the_longest_text_is_bounded(reading: Callable[..., Predictor]) -> None:
    text = "it was good and lovely, " * 41_000
    assert 0.98 * MAX_TEXT_BYTES < len(text) < MAX_TEXT_BYTES
    predictor = reading()
    sequences = predictor.sequences([text, "a film"])
    assert np.diff(sequences.text_offsets).tolist() == [64, 1]
    assert sequences.truncated.tolist() == [True, False]
    assert predictor.predict([text])[0].label == "Positive"
