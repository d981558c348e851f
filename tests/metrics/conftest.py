"""What the tests of the metrics share."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from support.draws import draw_predictions


@pytest.fixture(scope="session")
def predictions() -> Callable[..., tuple[np.ndarray, np.ndarray]]:
    """A function that draws (targets, probabilities) of plausible quality."""
    return draw_predictions
