"""Made-up predictions."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


def draw_predictions(
    classes: int, rows: int = 60, multi_label: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Return targets and probabilities of plausible quality."""
    import numpy as np

    random = np.random.default_rng(classes)
    if multi_label:
        targets = (random.random((rows, classes)) < 0.4).astype(int)
        noise = random.normal(size=(rows, classes))
        return targets, 1 / (1 + np.exp(-(4 * targets - 2 + noise)))
    targets = random.integers(0, classes, rows)
    scores = np.exp(2 * np.eye(classes)[targets] + random.normal(size=(rows, classes)))
    return targets, scores / scores.sum(axis=1, keepdims=True)
