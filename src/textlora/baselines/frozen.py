"""Logistic regression on the pooled states of the encoder as it came."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from sklearn.preprocessing import StandardScaler
from torch import nn
from transformers import PreTrainedTokenizerBase

from textlora.baselines.logistic import LogisticModel, fit_logistic
from textlora.baselines.protocol import LabelledTexts
from textlora.config import ComputeConfig
from textlora.data.tokenizing import TokenizedTexts
from textlora.evaluation.scores import FloatArray
from textlora.inference.scoring import Progress, score
from textlora.model.backbones import Backbone, resize_embeddings
from textlora.model.choose import choose_forward
from textlora.model.heads import HeadSpec, PooledClassifier

STRENGTHS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3)
# What the head sees. The mean over the tokens says more of a text than the [CLS] state, which
# in most encoders nothing has trained to hold a meaning.
_STATES = HeadSpec("linear", "mean", "cross_entropy", num_labels=2)


class FrozenEncoder:
    """Mean-pooled states of the untouched encoder, scaled, then logistic regression.

    The encoder is loaded anew: training may have changed the one under the adapter (trained
    biases, an initialisation that takes a part out of the weights).

    Args:
        backbone: the pretrained encoder.
        tokenizer: its tokenizer.
        compute: how the arithmetic is done.
        classes: how many classes there are.
        progress: called with the number of sequences encoded after every batch.
    """

    name = "Frozen encoder + logistic regression"
    _model: LogisticModel

    def __init__(
        self,
        backbone: Backbone,
        tokenizer: PreTrainedTokenizerBase,
        compute: ComputeConfig,
        classes: int,
        progress: Progress | None = None,
    ) -> None:
        self.classes = classes
        self.progress = progress
        encoder = backbone.load_encoder()
        resize_embeddings(encoder, tokenizer)
        self._encoder = PooledClassifier(encoder, _STATES)
        self._encoder.classifier = nn.Identity()  # type: ignore[assignment]
        self._encoder.requires_grad_(False)
        if torch.cuda.is_available():
            self._encoder.to("cuda")
        pad = int(tokenizer.pad_token_id)  # type: ignore[arg-type]
        self._forward = choose_forward(self._encoder, _STATES, pad, compute).forward
        self._scaler: Any = StandardScaler()
        self._known: dict[int, tuple[TokenizedTexts, FloatArray]] = {}

    def fit(self, train: LabelledTexts, validation: LabelledTexts) -> None:
        """Encode both parts and learn weights; the penalty is chosen on validation."""
        self._model = fit_logistic(
            self._scaler.fit_transform(self.states(train.sequences)),
            train.targets,
            self._scaler.transform(self.states(validation.sequences)),
            validation.targets,
            classes=self.classes,
            strengths=STRENGTHS,
        )

    def predict_proba(self, rows: LabelledTexts) -> FloatArray:
        """Return the probabilities `[n, k]`."""
        return self._model.predict_proba(self._scaler.transform(self.states(rows.sequences)))

    def states(self, sequences: TokenizedTexts) -> FloatArray:
        """Return the mean state of each text `[n, hidden]`, over its windows where it has many.

        They are kept, so that a part is encoded once.
        """
        known = self._known.get(id(sequences))
        if known is not None and known[0] is sequences:
            return known[1]
        states = score(self._encoder, self._forward, sequences, progress=self.progress)
        windows = np.diff(sequences.text_offsets)
        summed = np.add.reduceat(states.astype(np.float64), sequences.text_offsets[:-1], axis=0)
        pooled: FloatArray = summed / windows[:, None]
        self._known[id(sequences)] = sequences, pooled
        return pooled

    @property
    def size_bytes(self) -> int:
        """Mean and scale of each feature, and the regression's weights."""
        scaling = self._scaler.mean_.nbytes + self._scaler.scale_.nbytes
        return int(scaling) + self._model.size_bytes
