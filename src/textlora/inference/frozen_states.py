"""What the encoder as it came makes of texts: where the head starts, and what a baseline sees."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import AbstractContextManager

import numpy as np
import torch
from torch import nn
from transformers import PreTrainedTokenizerBase

from textlora.config import ComputeConfig
from textlora.data.tokenizing import TokenizedTexts
from textlora.inference.scoring import Progress, score
from textlora.metrics.scores import FloatArray
from textlora.model.backends import Forward, choose_forward
from textlora.model.encoders import Backbone, resize_embeddings
from textlora.model.heads import HeadSpec, PooledClassifier

# What the head sees. The mean over the tokens says more of a text than the [CLS] state, which
# in most encoders nothing has trained to hold a meaning.
_STATES = HeadSpec("linear", "mean", "cross_entropy", num_labels=2)

ProgressBar = Callable[[int], AbstractContextManager[Progress]]
"""Makes a bar for a number of sequences."""


class FrozenStates:
    """Mean-pooled states of the untouched encoder; each set of texts is encoded once.

    The encoder is loaded anew: training may have changed the one under the adapter (trained
    biases, an initialisation that takes a part out of the weights). It is loaded when it is
    first needed, and let go by `release`.

    Args:
        backbone: the pretrained encoder.
        tokenizer: its tokenizer.
        compute: how the arithmetic is done.
        progress: makes a bar that is shown while texts are encoded.
    """

    def __init__(
        self,
        backbone: Backbone,
        tokenizer: PreTrainedTokenizerBase,
        compute: ComputeConfig,
        progress: ProgressBar,
    ) -> None:
        self.backbone, self.tokenizer, self.compute = backbone, tokenizer, compute
        self.progress = progress
        self._known: dict[str, FloatArray] = {}
        self._loaded: tuple[nn.Module, Forward] | None = None

    def __call__(self, sequences: TokenizedTexts) -> FloatArray:
        """Return the mean state of each text `[n, hidden]`, over its windows where it has many."""
        key = _key(sequences)
        if key not in self._known:
            self._known[key] = self._encode(sequences)
        return self._known[key]

    def knows(self, sequences: TokenizedTexts) -> bool:
        """Say whether these texts were encoded before."""
        return _key(sequences) in self._known

    def release(self) -> None:
        """Let the encoder go; the states stay."""
        self._loaded = None

    def _encode(self, sequences: TokenizedTexts) -> FloatArray:
        if self._loaded is None:
            self._loaded = self._load()
        encoder, forward = self._loaded
        with self.progress(len(sequences)) as progress:
            states = score(encoder, forward, sequences, progress=progress)
        windows = np.diff(sequences.text_offsets)
        summed = np.add.reduceat(states.astype(np.float64), sequences.text_offsets[:-1], axis=0)
        pooled: FloatArray = summed / windows[:, None]
        return pooled

    def _load(self) -> tuple[nn.Module, Forward]:
        encoder = self.backbone.load_encoder()
        resize_embeddings(encoder, self.tokenizer)
        model = PooledClassifier(encoder, _STATES)
        model.classifier = nn.Identity()  # type: ignore[assignment]
        model.requires_grad_(False)
        if torch.cuda.is_available():
            model.to("cuda")
        pad = int(self.tokenizer.pad_token_id)  # type: ignore[arg-type]
        return model, choose_forward(model, _STATES, pad, self.compute).forward


def _key(sequences: TokenizedTexts) -> str:
    digest = hashlib.sha256()
    for array in (sequences.tokens, sequences.offsets, sequences.text_offsets):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
