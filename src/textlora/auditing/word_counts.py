"""Logistic regression on TF-IDF: a second opinion that costs seconds.

It errs on other rows than a language model does, so the mean of both is a better judge of a label
than either (docs/audit.md has the figures).
"""

from __future__ import annotations

from collections.abc import Sequence

from textlora.baselines.logistic import fit_logistic
from textlora.baselines.tfidf import fit_words
from textlora.data.labels import Targets
from textlora.data.splitting import Indices
from textlora.metrics.scores import FloatArray

STRENGTH = 10.0
"""Inverse of the penalty; fixed, because a choice by held-out labels would let these in."""


def word_count_probabilities(
    texts: Sequence[str], targets: Targets, train: Indices, held_out: Indices, classes: int
) -> FloatArray:
    """Train on some rows and answer others.

    Args:
        texts: one a row.
        targets: class ids `[rows]`, or multi-label indicators `[rows, classes]`.
        train: rows to train on.
        held_out: rows to answer.
        classes: the number of classes.

    Returns:
        `[held_out, classes]`; 0 for a class without a row to train on.
    """
    vectorizer, features = fit_words([texts[row] for row in train])
    known = targets[train]
    # With one strength there is nothing to choose, so the rows to choose by do not matter.
    model = fit_logistic(features, known, features, known, classes=classes, strengths=(STRENGTH,))
    return model.predict_proba(vectorizer.transform([texts[row] for row in held_out]))
