"""The shares of the classes, whatever the text says."""

from __future__ import annotations

import numpy as np

from textlora.baselines.protocol import LabelledTexts
from textlora.metrics.scores import FloatArray, one_hot


class MajorityClass:
    """Answers every text with the most frequent class of the training rows.

    Args:
        classes: how many classes there are.
    """

    name = "Majority class"

    def __init__(self, classes: int) -> None:
        self.classes = classes

    def fit(self, train: LabelledTexts, validation: LabelledTexts) -> None:
        """Count the classes; there is nothing to choose."""
        rows = one_hot(np.asarray(train.targets, dtype=np.int64), self.classes)
        self._shares = np.average(rows, axis=0, weights=train.weights)

    def refit(self, rows: LabelledTexts) -> None:
        """Count the classes of these rows."""
        self.fit(rows, rows)

    def predict_proba(self, rows: LabelledTexts) -> FloatArray:
        """Return the classes' shares `[n, k]`, the same for every text."""
        return np.tile(self._shares, (len(rows.targets), 1))

    @property
    def size_bytes(self) -> int:
        """The shares."""
        return int(self._shares.nbytes)
