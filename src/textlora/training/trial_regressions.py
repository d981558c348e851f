"""What the logistic regressions before and after a training take, measured on some of its rows."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from textlora.baselines.frozen import FrozenEncoder
from textlora.baselines.protocol import Baseline, LabelledTexts
from textlora.baselines.tfidf import TfidfLogisticRegression
from textlora.config import SettledConfig
from textlora.data.loading import Part, Parts
from textlora.data.splitting import random_subset
from textlora.data.tokenizing import TokenizedTexts
from textlora.inference.frozen_states import FrozenStates
from textlora.training.trial import select_sequences
from textlora.training.verdict import metric_of

_MOST_ROWS = 600


@dataclass(frozen=True)
class RegressionCost:
    """Seconds of the regressions over all rows.

    Args:
        frozen: that on the frozen encoder's states, once texts are encoded.
        words: that on words.
        encoded: parts whose texts were encoded while the settings were chosen.
    """

    frozen: float
    words: float
    encoded: frozenset[str] = frozenset()

    def seconds(self, config: SettledConfig, encoding: Mapping[str, float]) -> tuple[float, float]:
        """Return the seconds before the training, and those of the baselines after it.

        Args:
            config: every setting.
            encoding: seconds for which a part is encoded.
        """
        starts = config.model.head_init == "logistic_regression"
        encoding = {**encoding, **dict.fromkeys(self.encoded, 0.0)}
        held_out = encoding["train"] + encoding["validation"]
        before = held_out + self.frozen if starts else 0.0
        if not config.evaluation.baselines:
            return before, 0.0
        # What was encoded for the start is kept.
        rest = encoding.get("test", 0.0) + (0.0 if starts else held_out)
        return before, rest + self.frozen + self.words


def regression_cost(
    config: SettledConfig,
    parts: Parts,
    sequences: Mapping[str, TokenizedTexts],
    states: FrozenStates,
) -> RegressionCost:
    """Fit both on at most some hundred rows; the time grows with the rows.

    Args:
        config: every setting.
        parts: the data, with a validation part.
        sequences: token ids by part.
        states: the frozen encoder.
    """
    starts = config.model.head_init == "logistic_regression"
    assert parts.validation is not None  # noqa: S101 - the estimate has asked
    train = _some(parts.train, sequences["train"])
    validation = _some(parts.validation, sequences["validation"])
    if not (starts or config.evaluation.baselines) or _of_one_class(train):
        return RegressionCost(0.0, 0.0)
    encoded = frozenset(name for name, one in sequences.items() if states.knows(one))
    share, classes = len(train.texts) / len(parts.train), parts.labels.num_labels
    metric = metric_of(config, parts)
    for part in (train, validation):
        states(part.sequences)
    states.release()

    def seconds(baseline: Baseline) -> float:
        started = time.perf_counter()
        baseline.fit(train, validation)
        return (time.perf_counter() - started) / share

    words = 0.0
    if config.evaluation.baselines:
        words = seconds(TfidfLogisticRegression(classes, metric))
    return RegressionCost(seconds(FrozenEncoder(states, classes, metric)), words, encoded)


def _some(part: Part, sequences: TokenizedTexts) -> LabelledTexts:
    rows = random_subset(len(part), _MOST_ROWS, seed=0)
    first = sequences.text_offsets[rows]
    texts = [part.table.texts[int(row)] for row in rows]
    return LabelledTexts(texts, select_sequences(sequences, first), part.targets[rows])


def _of_one_class(rows: LabelledTexts) -> bool:
    return rows.targets.ndim == 1 and len(np.unique(rows.targets)) < 2
