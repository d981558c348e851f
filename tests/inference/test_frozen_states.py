"""The untouched encoder: what it makes of texts, and that it does so once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from support.frozen import frozen_states
from support.tiny import Reviews
from textlora.data.tokenizing import TokenizedTexts, tokenize
from textlora.data.truncation import Truncation, Windows

Tiny = Callable[[str], Path]


def tokens_of(texts: list[str], states: Any, cut: Any = None) -> TokenizedTexts:
    cut = cut or Truncation(32, "right", 0.5)
    return tokenize(texts, states.tokenizer, cut=cut, cache_dir=None)


@pytest.mark.parametrize("path", ["fast", "plain"])
def test_the_mean_of_the_last_hidden_states(path: str, reviews: Reviews, tiny: Tiny) -> None:
    """Of all tokens, and of all windows of a text."""
    states = frozen_states(tiny("bert"), path=path)
    encoder = states.backbone.load_encoder().eval()
    texts = [*reviews.texts[:3], "it was good " * 10]
    sequences = tokens_of(texts, states, Windows(12, 2, 8))
    assert len(sequences) > len(texts)
    means = []
    for sequence in sequences:
        ids = torch.tensor(np.array(sequence))[None].long()
        with torch.no_grad():
            means.append(encoder(input_ids=ids).last_hidden_state[0].mean(dim=0).numpy())
    expected = [np.mean(means[a:b], axis=0) for a, b in pairwise(sequences.text_offsets)]
    np.testing.assert_allclose(states(sequences), expected, atol=1e-5)


def test_texts_are_encoded_once(reviews: Reviews, tiny: Tiny) -> None:
    """Equal tokens are known again, whoever made them; others are not taken for them."""
    told: list[int] = []
    states = frozen_states(tiny("distilbert"), told.append)
    first = states(tokens_of(reviews.texts[:6], states))
    assert sum(told) == 6
    again = states(tokens_of(reviews.texts[:6], states))
    states.release()
    after = states(tokens_of(reviews.texts[:6], states))
    assert sum(told) == 6
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(first, after)
    other = states(tokens_of(reviews.texts[6:10], states))
    assert sum(told) == 10
    assert other.shape == (4, first.shape[1])


def test_the_same_tokens_in_other_windows_are_other_texts(tiny: Tiny) -> None:
    states = frozen_states(tiny("distilbert"))
    whole = tokens_of(["it was good", "it was bad"], states)
    together = replace(whole, text_offsets=np.array([0, 2]))
    assert len(states(whole)) == 2
    np.testing.assert_allclose(states(together)[0], states(whole).mean(axis=0), atol=1e-6)


def test_the_encoder_is_the_one_that_came(reviews: Reviews, tiny: Tiny) -> None:
    """What training does to a model in memory changes nothing, before and after a release."""
    states = frozen_states(tiny("distilbert"))
    trained = states.backbone.load_encoder()
    before = states(tokens_of(reviews.texts[:3], states))
    with torch.no_grad():
        for weight in trained.parameters():
            weight.add_(1.0)
    states.release()
    fresh = frozen_states(tiny("distilbert"))
    np.testing.assert_array_equal(fresh(tokens_of(reviews.texts[:3], fresh)), before)
    longer = states(tokens_of(reviews.texts[:4], states))
    np.testing.assert_allclose(longer[:3], before, atol=1e-5)
