"""Which end of a long text to keep: the one with which the frozen encoder does better.

Reviews end with their verdict, news begin with their headline: no side is right for both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from textlora.baselines.logistic import cross_validated_log_loss
from textlora.data.cutting import Side, Truncation
from textlora.data.labels import Targets
from textlora.data.splitting import random_subset
from textlora.data.tokenizing import TokenizedTexts, tokenize
from textlora.inference.frozen_states import FrozenStates
from textlora.metrics.scores import FloatArray
from textlora.paths import cache_dir

# Fewer long texts than this tell nothing, and matter little.
FEWEST_LONG, LEAST_SHARE = 20, 0.02
MOST_ROWS = 2_000


def side_losses(
    texts: Sequence[str], targets: Targets, states: FrozenStates, cut: Truncation
) -> dict[Side, float]:
    """Return what the long texts cost when truncated on either side; empty if they are too few.

    The cost is the cross-validated log loss, on the texts that are truncated, of logistic
    regression on the frozen encoder's states.

    Args:
        texts: to train on.
        targets: their class numbers `[n]`, or 0/1 `[n, k]`.
        states: the frozen encoder with its tokenizer.
        cut: how long texts may be.
    """
    rows = random_subset(len(texts), MOST_ROWS, seed=0)
    left = _tokenized([texts[row] for row in rows], states, replace(cut, side="left"))
    long = np.flatnonzero(left.truncated)
    if len(long) < max(FEWEST_LONG, LEAST_SHARE * len(rows)):
        return {}
    right = _tokenized([texts[row] for row in rows[long]], states, replace(cut, side="right"))
    features: dict[Side, FloatArray] = {"left": states(left), "right": states(left).copy()}
    features["right"][long] = states(right)
    return {
        side: cross_validated_log_loss(each, targets[rows], judged=long)
        for side, each in features.items()
    }


def _tokenized(texts: Sequence[str], states: FrozenStates, cut: Truncation) -> TokenizedTexts:
    return tokenize(texts, states.tokenizer, cut=cut, cache_dir=cache_dir() / "tokens")
