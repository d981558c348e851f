"""What every baseline offers, and how one becomes a `CandidateResult`."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from textlora.data.labels import Targets
from textlora.data.loading import Weights
from textlora.data.tokenizing import TokenizedTexts
from textlora.metrics.comparison import CandidateResult
from textlora.metrics.scores import FloatArray


@dataclass(frozen=True)
class LabelledTexts:
    """Texts of one part, as words and as tokens, with their labels.

    Args:
        texts: as they were read.
        sequences: their token ids, prepared as the tuned classifier gets them.
        targets: class numbers `[n]`; multi-label: 0 or 1, `[n, k]`.
        weights: how much each counts in training, 1 on average; None: all the same.
    """

    texts: Sequence[str]
    sequences: TokenizedTexts
    targets: Targets
    weights: Weights | None = None


class Baseline(Protocol):
    """A classifier that is quick to train."""

    @property
    def name(self) -> str:
        """What it is called in the verdict."""
        ...

    def fit(self, train: LabelledTexts, validation: LabelledTexts) -> None:
        """Train; whatever there is to choose is chosen on validation."""
        ...

    def refit(self, rows: LabelledTexts) -> None:
        """Train once more on these rows; what was chosen stays."""
        ...

    def predict_proba(self, rows: LabelledTexts) -> FloatArray:
        """Return the probabilities `[n, k]`; the labels of `rows` are not looked at."""
        ...

    @property
    def size_bytes(self) -> int:
        """Size on disk if saved, without an encoder that stays as it is."""
        ...


def measure(
    baseline: Baseline,
    train: LabelledTexts,
    validation: LabelledTexts,
    test: LabelledTexts | None,
    *,
    all_rows: LabelledTexts | None = None,
) -> CandidateResult:
    """Train a baseline, and let it answer.

    Args:
        baseline: not trained yet.
        train: the rows that the tuned classifier was trained on.
        validation: the rows to choose by.
        test: the rows to judge by, used after every choice; None: validation once more.
        all_rows: to train on once more before that, if the tuned classifier was.
    """
    started = time.perf_counter()
    baseline.fit(train, validation)
    seconds = time.perf_counter() - started
    on_validation = baseline.predict_proba(validation)
    if all_rows is not None:
        started = time.perf_counter() - seconds
        baseline.refit(all_rows)
        seconds = time.perf_counter() - started
    return CandidateResult(
        name=baseline.name,
        validation=on_validation,
        judged=on_validation if test is None else baseline.predict_proba(test),
        seconds=seconds,
        size_bytes=baseline.size_bytes,
    )
