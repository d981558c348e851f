"""Adapter after adapter on one loaded base, each trained from the same start."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from rich.console import Console
from torch import Tensor
from transformers import TrainerCallback

from textlora.config import RunConfig, SettledConfig
from textlora.data.loading import Parts
from textlora.inference.logits import score_texts
from textlora.inference.predictor import Predictor, Probabilities
from textlora.metrics.scores import FloatArray
from textlora.model.backends import Forward, prefix_of
from textlora.training.building import Classifier, prepare
from textlora.training.fitting import training_inputs
from textlora.training.job import announce
from textlora.training.start import (
    put_weights,
    start_at_states,
    starts_at_regression,
    trained_weights,
)
from textlora.training.trainer import LabelledSequences, run_trainer


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
        self, rows: LabelledSequences, *, seed: int, callbacks: Sequence[TrainerCallback] = ()
    ) -> None:
        """Train from the fresh weights.

        Args:
            rows: what to train on, and on nothing else.
            seed: of shuffling and dropout.
            callbacks: told of every step.

        Raises:
            RunError: the training diverged.
        """
        self.reset()
        if rows.states is not None:
            start_at_states(self.predictor, rows.states, rows.targets, rows.weights)
        training = self.config.training.model_copy(update={"seed": seed})
        config = self.config.model_copy(update={"training": training})
        run_trainer(self.predictor, self.forward, config, rows, callbacks=callbacks)

    def predict_proba(self, rows: LabelledSequences) -> Probabilities:
        """Return what the model, as it is now trained, makes of texts: [texts, classes]."""
        spec = self.predictor.spec
        logits = score_texts(
            self.predictor.model,
            self.forward,
            rows.sequences,
            rows.text_offsets,
            head=spec.head,
            pooling=spec.window_pooling,
        )
        return self.predictor.probabilities_of(logits)

    def reset(self) -> None:
        """Put the fresh weights back."""
        put_weights(self.predictor.model, self.fresh)


_NO_MORE_ROWS = {"class_names": False, "refit": False}


@contextmanager
def refitting(
    config: RunConfig, parts: Parts, console: Console
) -> Iterator[tuple[Refitter, Mapping[str, LabelledSequences]]]:
    """Load the base once, tokenize once, and run frozen layers below all adapters once.

    Args:
        config: every setting.
        parts: the rows; a test part is left alone. Without a validation part those of `train`
            are both trained on and answered, and are cut as texts to be answered are.
        console: where is told what is about to be trained.

    Yields:
        The refitter, and the rows of "train" and, where there is one, "validation".

    Raises:
        ConfigError: a setting does not fit the classes.
    """
    parts = replace(parts, test=None)
    # Rows come and go from one training to the next, and there is none after the last.
    config = config.model_copy(
        update={"training": config.training.model_copy(update=_NO_MORE_ROWS)}
    )
    prepared = prepare(config, parts, console)
    announce(console, prepared)
    config, tokens = prepared.config, prepared.sequences
    classifier = _with_prefix(prepared.classifier)
    states: dict[str, FloatArray] = {}
    if starts_at_regression(config):
        states["train"] = prepared.states(tokens["train"])
        prepared.states.release()
    with training_inputs(config, classifier, tokens, console) as (forward, inputs):
        refitter = Refitter.of(classifier.predictor, forward, config)
        try:
            yield (
                refitter,
                {
                    name: replace(LabelledSequences.of(rows, inputs[name]), states=states.get(name))
                    for name, rows in prepared.rows().items()
                },
            )
        finally:
            refitter.reset()


def _with_prefix(classifier: Classifier) -> Classifier:
    # One training gains a little by it, many on the same texts gain a lot: used wherever it can be.
    prefix = classifier.prefix or prefix_of(classifier.predictor.forward)
    return replace(classifier, prefix=prefix) if prefix and prefix.first_layer else classifier
