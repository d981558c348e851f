"""Logistic regression on the pooled states of the encoder as it came."""

from __future__ import annotations

from typing import Any

from sklearn.preprocessing import StandardScaler

from textlora.baselines.logistic import LogisticModel, fit_logistic, unscaled
from textlora.baselines.protocol import LabelledTexts
from textlora.inference.frozen_states import FrozenStates
from textlora.metrics.scores import FloatArray
from textlora.metrics.statistics import Metric

STRENGTHS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3)


class FrozenEncoder:
    """Mean-pooled states of the untouched encoder, scaled, then logistic regression.

    Args:
        states: encodes texts by the untouched encoder.
        classes: how many classes there are.
        metric: by which the penalty is chosen.
    """

    name = "Frozen encoder + logistic regression"
    _model: LogisticModel

    def __init__(self, states: FrozenStates, classes: int, metric: Metric = "accuracy") -> None:
        self.states = states
        self.classes = classes
        self.metric = metric
        self._scaler: Any = StandardScaler()

    def fit(self, train: LabelledTexts, validation: LabelledTexts) -> None:
        """Encode both parts and learn weights; the penalty is chosen on validation."""
        self._model = fit_logistic(
            self._scaler.fit_transform(self.states(train.sequences)),
            train.targets,
            self._scaler.transform(self.states(validation.sequences)),
            validation.targets,
            classes=self.classes,
            strengths=STRENGTHS,
            metric=self.metric,
            weights=train.weights,
        )

    def refit(self, rows: LabelledTexts) -> None:
        """Learn weights on these rows, with the penalty that was chosen."""
        features = self._scaler.fit_transform(self.states(rows.sequences))
        self._model = self._model.refitted(features, rows.targets, rows.weights)

    def predict_proba(self, rows: LabelledTexts) -> FloatArray:
        """Return the probabilities `[n, k]`."""
        return self._model.predict_proba(self._scaler.transform(self.states(rows.sequences)))

    def linear_layer(self) -> tuple[FloatArray, FloatArray]:
        """Return weights `[units, hidden]` and biases `[units]` on the states as they are.

        One unit for two classes, else one a class.
        """
        return unscaled(*self._model.linear_layer(), self._scaler)

    @property
    def size_bytes(self) -> int:
        """Mean and scale of each feature, and the regression's weights."""
        scaling = self._scaler.mean_.nbytes + self._scaler.scale_.nbytes
        return int(scaling) + self._model.size_bytes
