"""`TextClassifier` on rows of numbers, so that scikit-learn's own checks can run on it."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted, validate_data

from support.tiny import NEGATIVE, OTHER, POSITIVE
from textlora import TextClassifier

_WORDS = np.array([*POSITIVE, *NEGATIVE, *OTHER[:-2]])
_BINS = (-0.8, 0.0, 0.8)
_FEATURES = 8


class OfNumbers(TextClassifier):
    """Every number becomes a word, by its column and by how large it is; the rest is inherited.

    Numbers are checked by scikit-learn's own means; labels and weights by textlora's.
    """

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> OfNumbers:  # noqa: N803
        """Make texts of the numbers, and train on these."""
        super().fit(_texts(validate_data(self, X)), y, sample_weight)
        return self

    def predict_proba(self, X: Any) -> Any:  # noqa: N803
        """Make texts of the numbers, and answer these."""
        check_is_fitted(self)
        return super().predict_proba(_texts(validate_data(self, X, reset=False)))

    def __sklearn_tags__(self) -> Tags:
        """Say that this takes numbers."""
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array, tags.input_tags.one_d_array = True, False
        tags.input_tags.string = False
        return tags


def _texts(numbers: Any) -> list[str]:
    words = np.digitize(numbers[:, :_FEATURES], _BINS) + 4 * np.arange(numbers.shape[1])[:_FEATURES]
    return [" ".join(row) for row in _WORDS[words % len(_WORDS)]]
