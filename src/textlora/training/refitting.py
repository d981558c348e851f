"""Adapter after adapter on one loaded base, each trained from the same start."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from rich.console import Console
from torch import Tensor
from transformers import TrainerCallback

from textlora.config import RunConfig, SettledConfig
from textlora.data.loading import Part, Parts
from textlora.data.splitting import Indices
from textlora.inference.predictor import Predictor, Probabilities
from textlora.inference.scoring import Offsets, score_texts
from textlora.metrics.scores import FloatArray
from textlora.model.backends import Forward, TokenSequences
from textlora.model.backends.fast import FastForward
from textlora.model.backends.frozen_layers import PrefixForward
from textlora.model.heads import probabilities
from textlora.training.building import Classifier, build_classifier, tokenize_parts
from textlora.training.fitting import fit_to_the_end, labelled_rows, training_inputs
from textlora.training.job import announce, check_settings
from textlora.training.settling import settle
from textlora.training.start import (
    put_weights,
    start_at_states,
    starts_at_regression,
    trained_weights,
)


@dataclass(frozen=True)
class SelectedSequences:
    """Some of many token sequences, in an order of their own.

    Args:
        sequences: all of them.
        chosen: positions of those meant, int64 `[chosen]`.
    """

    sequences: TokenSequences
    chosen: Indices

    def __len__(self) -> int:
        return len(self.chosen)

    def __getitem__(self, index: int, /) -> Any:
        return self.sequences[int(self.chosen[index])]


@dataclass(frozen=True)
class Texts:
    """Texts as a `Forward` takes them, one or more sequences each.

    Args:
        sequences: of all texts, those of a text together.
        text_offsets: the first sequence of each text, and the end, `[texts + 1]`.
        states: of the frozen encoder, `[texts, hidden]`, where the head starts from a regression
            on them.
    """

    sequences: TokenSequences
    text_offsets: Offsets
    states: FloatArray | None = None

    def __len__(self) -> int:
        """Return the number of texts."""
        return len(self.text_offsets) - 1

    def select(self, rows: Indices) -> Texts:
        """Return the texts at `rows`, in that order; nothing is copied."""
        starts, counts = self.text_offsets[rows], np.diff(self.text_offsets)[rows]
        offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        chosen = np.arange(offsets[-1]) + np.repeat(starts - offsets[:-1], counts)
        states = None if self.states is None else self.states[rows]
        return Texts(SelectedSequences(self.sequences, chosen), offsets, states)


@dataclass(frozen=True)
class Refitter:
    """Trains adapter and head as often as asked, on one base that is loaded once.

    Every training begins with the same fresh weights and ends with those after the last step:
    nothing is chosen on the way, so no row but those it is given has any influence.

    Args:
        predictor: the classifier with its fresh adapter and head.
        forward: how batches are run in training.
        config: every setting; those of evaluations on the way have no meaning here.
        fresh: the trained parameters before any training, by name.
    """

    # There is no second try: whether one is needed is seen on validation rows, of which an audit
    # has none, and with which a curve measures.

    predictor: Predictor
    forward: Forward
    config: SettledConfig
    fresh: Mapping[str, Tensor]

    @classmethod
    def of(cls, predictor: Predictor, forward: Forward, config: SettledConfig) -> Refitter:
        """Remember a classifier that is not trained yet."""
        return cls(predictor, forward, config, trained_weights(predictor.model))

    def fit(
        self,
        texts: Texts,
        part: Part,
        *,
        seed: int,
        callbacks: Sequence[TrainerCallback] = (),
    ) -> None:
        """Train from the fresh weights.

        Args:
            texts: what to train on, and on nothing else.
            part: their targets and weights, in the same order.
            seed: of shuffling and dropout.
            callbacks: told of every step.

        Raises:
            RunError: the training diverged.
        """
        self.reset()
        if texts.states is not None:
            start_at_states(self.predictor, texts.states, part)
        training = self.config.training.model_copy(update={"seed": seed})
        fit_to_the_end(
            self.config.model_copy(update={"training": training}),
            self.predictor,
            self.forward,
            labelled_rows(texts.sequences, texts.text_offsets, part),
            callbacks=callbacks,
        )

    def predict_proba(self, texts: Texts) -> Probabilities:
        """Return what the model, as it is now trained, makes of texts: [texts, classes]."""
        spec = self.predictor.spec
        logits = score_texts(
            self.predictor.model,
            self.forward,
            texts.sequences,
            texts.text_offsets,
            head=spec.head,
            pooling=spec.window_pooling,
        )
        answers: Probabilities = probabilities(torch.from_numpy(logits), spec.head).numpy()
        return answers

    def reset(self) -> None:
        """Put the fresh weights back."""
        put_weights(self.predictor.model, self.fresh)


_NO_MORE_ROWS = {"class_names": False, "refit": False}


@contextmanager
def refitting(
    config: RunConfig, parts: Parts, console: Console
) -> Iterator[tuple[Refitter, Mapping[str, Texts]]]:
    """Load the base once, tokenize once, and run frozen layers below all adapters once.

    Args:
        config: every setting.
        parts: the rows; a test part is left alone. Without a validation part those of `train`
            are both trained on and answered, and are cut as texts to be answered are.
        console: where is told what is about to be trained.

    Yields:
        The refitter, and the texts of "train" and, where there is one, "validation".

    Raises:
        ConfigError: a setting does not fit the classes.
    """
    parts = replace(parts, test=None)
    # Rows come and go from one training to the next, and there is none after the last.
    config = config.model_copy(
        update={"training": config.training.model_copy(update=_NO_MORE_ROWS)}
    )
    settled = settle(config, parts, console)
    check_settings(settled.config, parts)
    classifier = _with_prefix(build_classifier(settled.config, parts))
    windows = config.data.train_windows or parts.validation is None
    tokens = tokenize_parts(parts, classifier.predictor, train_windows=windows)
    announce(console, parts, classifier, settled.reasons)
    states: dict[str, FloatArray] = {}
    if starts_at_regression(settled.config):
        states["train"] = settled.states(tokens["train"])
        settled.states.release()
    with training_inputs(config, classifier, tokens, console) as (forward, inputs):
        refitter = Refitter.of(classifier.predictor, forward, settled.config)
        try:
            texts = {
                name: Texts(inputs[name], tokens[name].text_offsets, states.get(name))
                for name in tokens
            }
            yield refitter, texts
        finally:
            refitter.reset()


def _with_prefix(classifier: Classifier) -> Classifier:
    # One training gains a little by it, many on the same texts gain a lot: used wherever it can be.
    forward = classifier.predictor.forward
    if classifier.prefix is not None or not isinstance(forward, FastForward):
        return classifier
    prefix = PrefixForward.above_frozen(forward)
    return replace(classifier, prefix=prefix) if prefix.first_layer else classifier
