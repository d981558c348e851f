"""The training itself: from a classifier that is ready to its best weights."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from torch import Tensor

from textlora.baselines import FrozenEncoder, LabelledTexts
from textlora.config import RunConfig, SettledConfig
from textlora.data.loading import Parts
from textlora.data.tokenizing import TokenizedTexts
from textlora.errors import storage_errors
from textlora.files import cache_dir
from textlora.inference.logits import DEFAULT_TOKEN_BUDGET, Logits, length_batches
from textlora.inference.predictor import Predictor
from textlora.metrics.records import EpochRecord
from textlora.metrics.statistics import Metric
from textlora.model.backends import Forward, TokenSequences
from textlora.report.progress import progress_bar
from textlora.report.terminal import labelled
from textlora.report.wording import count, duration, refitted_in_words, size
from textlora.training import checkpoints
from textlora.training.arguments import class_weights, shortened
from textlora.training.building import Classifier, Prepared, tokenize_part
from textlora.training.deciding import kept_its_start, second_try_of, trivial_loss
from textlora.training.progress import ProgressCallback
from textlora.training.settling import may_refit, taught
from textlora.training.start import (
    put_weights,
    start_at_layer,
    start_at_regression,
    starts_at_regression,
    trained_weights,
)
from textlora.training.trainer import LabelledSequences, run_trainer
from textlora.training.verdict import metric_of

if TYPE_CHECKING:
    from textlora.model.backends.frozen_layers import PrefixForward, PrefixStates


@dataclass(frozen=True)
class Refit:
    """What there is to know once a classifier was trained on all rows.

    Args:
        rows: all of them, for what else is to be trained on the same.
        epochs: how long it took.
        validation: logits of the validation rows before they were trained on, [texts, units].
    """

    rows: LabelledTexts
    epochs: float
    validation: Logits

    @property
    def told(self) -> str:
        """What a reader of the metrics must know."""
        return refitted_in_words(self.epochs, len(self.rows.texts))


@dataclass(frozen=True)
class Fitted:
    """A trained classifier, and how it became what it is.

    Args:
        prepared: what it was trained on (names of classes among the rows), and its settings: those
            of the training that counts. Its classifier's model has the best weights.
        history: the evaluations during training.
        seconds: training time, evaluations included.
        refitted: how it was trained once more on all rows; None: it was not.
    """

    prepared: Prepared
    history: list[EpochRecord]
    seconds: float
    refitted: Refit | None = None

    @property
    def config(self) -> SettledConfig:
        """The settings of the training that counts."""
        return self.prepared.config

    @property
    def predictor(self) -> Predictor:
        """The trained classifier, as yet without a temperature and a rule."""
        return self.prepared.classifier.predictor

    @property
    def trivial_loss(self) -> float:
        """The training loss below which something was learnt."""
        parts = self.prepared.parts
        names, targets = parts.labels.names, parts.train.targets
        weights = class_weights(self.config.training.class_weight, targets, names)
        return trivial_loss(targets, len(names), weights)


def fit(
    prepared: Prepared,
    console: Console,
    *,
    checkpoints_folder: Path,
    on_settings: Callable[[SettledConfig], None] = lambda config: None,
) -> Fitted:
    """Train: from the regression, with a second try if need be, and once more on all rows.

    Args:
        prepared: the classifier and its data, validation rows among them.
        console: where progress is shown.
        checkpoints_folder: where checkpoints are kept, and gone on from where there are sound ones.
        on_settings: told of the settings of a second try, before it begins.

    Raises:
        RunError: the training diverged.
        StorageError: there is no room for a checkpoint.
    """
    started = time.perf_counter()
    predictor, plain = prepared.classifier.predictor, prepared
    fresh = trained_weights(predictor.model)
    prepared = prepared.taught()
    rows, metric = prepared.rows(), metric_of(prepared.config, prepared.parts)
    regression = None
    if starts_at_regression(prepared.config):
        regression = start_at_regression(predictor, rows, prepared.states, metric)
    history = _fit_best(prepared, rows, metric, checkpoints_folder, console)
    if prepared.config.training.second_try and kept_its_start(history):
        prepared = replace(prepared, config=second_try_of(prepared.config))
        rate = prepared.config.training.learning_rate
        told = f"no epoch beat the start; once more at a learning rate of {rate:g}"
        console.print(labelled("Again", told, "bold yellow"))
        # In this order: a kill in between repeats the first try, and never mixes the two.
        checkpoints.discard_all(checkpoints_folder)
        on_settings(prepared.config)
        history = _fit_best(prepared, rows, metric, checkpoints_folder, console)
    # With what was before a resumption.
    seconds = max(time.perf_counter() - started, history[-1].seconds)
    refitted = None
    # Only where training got beyond its start.
    if may_refit(prepared.config, prepared.parts) and not kept_its_start(history):
        started = time.perf_counter()
        plain = replace(plain, config=prepared.config)
        refitted = _refit(plain, fresh, regression, history, metric, console)
        seconds += time.perf_counter() - started
    return Fitted(prepared, history, seconds, refitted)


def _fit_best(
    prepared: Prepared,
    rows: Mapping[str, LabelledTexts],
    metric: Metric,
    folder: Path,
    console: Console,
) -> list[EpochRecord]:
    """Train, and keep the best checkpoint's weights, or the start's if none was better."""
    predictor, several = prepared.classifier.predictor, prepared.parts.labels.multi_label
    progress = ProgressCallback(console, metric=metric, multi_label=several)
    start = trained_weights(predictor.model)
    checkpoint = _checkpoint_to_resume(folder, console)
    inputs = training_inputs(prepared.config, prepared.classifier, prepared.sequences, console)
    with inputs as (forward, sequences), progress.bar:
        history = run_trainer(
            predictor,
            forward,
            prepared.config,
            LabelledSequences.of(rows["train"], sequences["train"]),
            LabelledSequences.of(rows["validation"], sequences["validation"]),
            folder=folder,
            checkpoint=checkpoint,
            callbacks=[progress],
        )
    if kept_its_start(history):
        put_weights(predictor.model, start)
    return history


def _refit(
    prepared: Prepared,
    fresh: Mapping[str, Tensor],
    regression: FrozenEncoder | None,
    history: Sequence[EpochRecord],
    metric: Metric,
    console: Console,
) -> Refit:
    """Train on the rows of train and validation together, from fresh weights.

    Args:
        prepared: the classifier, which was trained, and the rows as they are in the table.
        fresh: the trained parameters before any training, by name.
        regression: where the head began; None: at random. It is fitted to all rows.
        history: evaluations of the training before: the best one says how long this one takes.
        metric: what is judged by.
        console: where progress is shown.
    """
    config, parts = prepared.config, prepared.parts
    predictor = prepared.classifier.predictor
    validation = predictor.logits(prepared.sequences["validation"])
    rows = all_rows(config, predictor, parts)
    epochs = next(record.epoch for record in history if record.best)
    told = f"{epochs:g} epochs on all {len(rows.texts):,} rows, those of validation among them"
    console.print(labelled("All rows", told))
    put_weights(predictor.model, fresh)
    if regression is not None:
        regression.refit(rows)
        start_at_layer(predictor, regression, rows)
        regression.states.release()
    progress = ProgressCallback(console, metric=metric, multi_label=parts.labels.multi_label)
    inputs = training_inputs(config, prepared.classifier, {"train": rows.sequences}, console)
    with inputs as (forward, sequences), progress.bar:
        run_trainer(
            predictor,
            forward,
            config.model_copy(update={"training": shortened(config.training, epochs)}),
            LabelledSequences.of(rows, sequences["train"]),
            callbacks=[progress],
        )
    return Refit(rows, epochs, validation)


def all_rows(config: SettledConfig, predictor: Predictor, parts: Parts) -> LabelledTexts:
    """Return the rows of train and validation together, as they are trained on."""
    assert parts.validation is not None  # noqa: S101 - there is no training without
    part = taught(parts.train.joined(parts.validation), parts.labels.names, config)
    tokens = tokenize_part(part, predictor, whole=config.data.train_windows)
    return LabelledTexts(part.table.texts, tokens, part.targets, part.relative_weights)


def _checkpoint_to_resume(folder: Path, console: Console) -> Path | None:
    checkpoint, unsound = checkpoints.newest_sound(folder)
    for path in unsound:
        console.print(labelled("Resume", f"{path.name} is incomplete and is not used"))
    checkpoints.discard(unsound)
    if checkpoint is not None:
        checkpoints.check_contents(checkpoint)
        console.print(labelled("Resume", f"from {checkpoint.name}"))
    return checkpoint


@contextmanager
def training_inputs(
    config: RunConfig,
    classifier: Classifier,
    sequences: Mapping[str, TokenizedTexts],
    console: Console,
) -> Iterator[tuple[Forward, Mapping[str, TokenSequences]]]:
    """Yield what the training runs, and on what, by part."""
    if classifier.prefix is None:
        yield classifier.predictor.forward, sequences
        return
    with prefix_cache(
        classifier.prefix,
        sequences,
        ram_gb=config.compute.prefix_ram_gb,
        folder=cache_dir() / "prefix",
        console=console,
    ) as states:
        yield classifier.prefix, states


_GB = 1_000_000_000


@contextmanager
def prefix_cache(
    forward: PrefixForward,
    sequences: Mapping[str, TokenizedTexts],
    *,
    ram_gb: float,
    folder: Path,
    console: Console,
) -> Iterator[dict[str, PrefixStates]]:
    """Run the frozen layers once over the rows to train and to validate on.

    Args:
        forward: which layers are frozen, and how they are run.
        sequences: token ids, by part; "validation" may be missing, and is empty then.
        ram_gb: up to this size the states stay in memory.
        folder: where a larger file goes; it has no name there, and goes with this block.
        console: where progress and cost are shown.

    Yields:
        The states of the parts "train" and "validation"; they are gone after the block.

    Raises:
        StorageError: the folder cannot be written, or has no room.
    """
    texts = [*sequences["train"], *sequences.get("validation", ())]
    lengths = [len(text) for text in texts]
    started = time.perf_counter()
    with (
        storage_errors(f"writing the prefix cache in {folder}"),
        progress_bar(console, f"running {_below(forward)} once", len(texts)) as progress,
    ):
        states = forward.run_frozen(
            texts,
            list(length_batches(lengths, forward.cost, DEFAULT_TOKEN_BUDGET)),
            ram_bytes=ram_gb * _GB,
            folder=folder,
            progress=progress,
        )
    try:
        _tell(console, forward, states, time.perf_counter() - started)
        train, validation = states.split(len(sequences["train"]))
        yield {"train": train, "validation": validation}
    finally:
        states.close()


def _tell(console: Console, forward: PrefixForward, states: PrefixStates, seconds: float) -> None:
    below, layers = _below(forward), forward.layers
    place = "on disk" if states.rows.on_disk else "in memory"
    ran = f"{below} of {layers} run once over {count(len(states))} sequences, without dropout"
    console.print(labelled("Prefix", ran))
    cost = f"{size(states.rows.values.nbytes)} {place}, built in {duration(seconds)}"
    saved = f"each epoch skips {forward.first_layer} of {layers} layers"
    console.print(labelled("", f"{cost}; {saved}"))


def _below(forward: PrefixForward) -> str:
    last = forward.first_layer - 1
    return "layer 0" if last == 0 else f"layers 0 to {last}"
