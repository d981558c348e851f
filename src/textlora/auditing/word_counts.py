"""Logistic regression on TF-IDF: a second opinion that costs seconds.

It errs on other rows than a language model does, so the mean of both is a better judge of a label
than either (docs/audit.md has the figures).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from textlora.data.labels import Targets
from textlora.data.splitting import Indices

# Single signs count as words too, so that no text is without any.
_WORD = r"(?u)\w+|[^\w\s]"


def word_count_probabilities(
    texts: Sequence[str], targets: Targets, train: Indices, held_out: Indices, classes: int
) -> npt.NDArray[np.float64]:
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
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.pipeline import make_pipeline

    model: Any = LogisticRegression(C=10, max_iter=1000)
    if targets.ndim == 2:
        model = OneVsRestClassifier(model)
    pipeline = make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=_WORD), model
    )
    known = targets[train].astype(np.int64)
    pipeline.fit([texts[row] for row in train], known)
    found = pipeline.predict_proba([texts[row] for row in held_out])
    answers = np.zeros((len(held_out), classes))
    answers[:, np.arange(classes) if targets.ndim == 2 else model.classes_] = found
    return answers
