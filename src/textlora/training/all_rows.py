"""Once more on all rows: what was set apart to choose by is trained on in the end.

As `refit` of scikit-learn's GridSearchCV: validation has chosen the number of epochs, the
temperature and the rule by then. Its figures stay those of the classifier that had not seen it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.console import Console
from torch import Tensor
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from textlora.baselines.protocol import LabelledTexts
from textlora.config import SettledConfig
from textlora.data.loading import Part, Parts
from textlora.data.tokenizing import TokenizedTexts, tokenize
from textlora.inference.frozen_states import FrozenStates
from textlora.inference.predictor import Predictor
from textlora.inference.scoring import Logits
from textlora.metrics.history import EpochRecord
from textlora.paths import cache_dir
from textlora.report.terminal import labelled
from textlora.training.building import Classifier
from textlora.training.class_names import with_names
from textlora.training.diagnosis import kept_its_start
from textlora.training.fitting import fit_to_the_end, labelled_rows, training_inputs
from textlora.training.progress import ProgressCallback
from textlora.training.start import put_weights, start_at_states, starts_at_regression
from textlora.training.verdict import metric_of


@dataclass(frozen=True)
class Refit:
    """What there is to know once a classifier was trained on all rows.

    Args:
        rows: all of them, for what else is to be trained on the same.
        validation: logits of the validation rows before they were trained on, [texts, units].
    """

    rows: LabelledTexts
    validation: Logits


def may_refit(config: SettledConfig, parts: Parts) -> bool:
    """Return whether there will be a last training: never on the rows that are judged by.

    Nor on validation rows that were named: who keeps them apart wants them apart.
    """
    return config.training.refit and parts.validation_split_off and parts.test is not None


def is_refitted(config: SettledConfig, parts: Parts, history: Sequence[EpochRecord]) -> bool:
    """Return whether there is one: only where training got beyond its start."""
    return may_refit(config, parts) and not kept_its_start(history)


def refit(
    config: SettledConfig,
    classifier: Classifier,
    parts: Parts,
    sequences: Mapping[str, TokenizedTexts],
    fresh: Mapping[str, Tensor],
    history: Sequence[EpochRecord],
    states: FrozenStates,
    console: Console,
) -> Refit:
    """Train on the rows of train and validation together, from fresh weights.

    Args:
        config: every setting.
        classifier: the classifier, which was trained.
        parts: the data.
        sequences: token ids by part.
        fresh: the trained parameters before any training, by name.
        history: evaluations of the training before: the best one says how long this one takes.
        states: the frozen encoder.
        console: where progress is shown.
    """
    predictor = classifier.predictor
    assert parts.validation is not None  # noqa: S101 - is_refitted has asked
    validation = predictor.logits(sequences["validation"])
    rows = parts.train.joined(parts.validation)
    epochs = next(record.epoch for record in history if record.best)
    told = f"once more on all {len(rows):,} rows, those of validation among them, {epochs:g} epochs"
    console.print(labelled("All rows", told))
    put_weights(predictor.model, fresh)
    taught = with_names(rows, parts.labels.names) if config.training.class_names else rows
    tokens = _tokens(taught, predictor, config)
    if starts_at_regression(config):
        start_at_states(predictor, states(tokens), taught)
        states.release()
    several = parts.labels.multi_label
    progress = ProgressCallback(console, metric=metric_of(config, parts), multi_label=several)
    inputs = training_inputs(config, classifier, {"train": tokens}, console)
    with inputs as (forward, of_part), progress.bar:
        fit_to_the_end(
            config,
            predictor,
            forward,
            labelled_rows(of_part["train"], tokens.text_offsets, taught),
            callbacks=[progress, StopAfter(epochs)],
        )
    return Refit(all_rows(config, predictor, parts), validation)


def all_rows(config: SettledConfig, predictor: Predictor, parts: Parts) -> LabelledTexts:
    """Return the rows of train and validation together."""
    assert parts.validation is not None  # noqa: S101 - there is no training without
    part = parts.train.joined(parts.validation)
    tokens = _tokens(part, predictor, config)
    return LabelledTexts(part.table.texts, tokens, part.targets, part.relative_weights)


class StopAfter(TrainerCallback):
    """Ends a training after so many epochs of a schedule that would go on."""

    def __init__(self, epochs: float) -> None:
        self.epochs = epochs

    def on_step_end(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: object,
    ) -> None:
        """Ask whether it is time."""
        # Epochs are sums of steps' shares, a little less than what they stand for.
        if state.epoch is not None and state.epoch > self.epochs - 1e-6:
            control.should_training_stop = True


def _tokens(part: Part, predictor: Predictor, config: SettledConfig) -> TokenizedTexts:
    spec = predictor.spec
    cut = spec.cut if config.data.train_windows else spec.truncation
    cache = cache_dir() / "tokens"
    return tokenize(part.table.texts, predictor.tokenizer, cut=cut, cache_dir=cache)
