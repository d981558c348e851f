"""The training itself: from a classifier that is ready to its best weights, by the Trainer."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from peft import PeftModel
from rich.console import Console
from torch import nn
from transformers import EarlyStoppingCallback, TrainerCallback, TrainingArguments
from transformers.trainer_callback import PrinterCallback

from textlora.config import RunConfig, SettledConfig, SettledTraining
from textlora.data.loading import Part, Parts
from textlora.data.tokenizing import TokenizedTexts
from textlora.errors import storage_errors
from textlora.fast.frozen_layers import PrefixStates
from textlora.files import cache_dir
from textlora.inference.predictor import Predictor
from textlora.inference.scoring import DEFAULT_TOKEN_BUDGET, Offsets, length_batches
from textlora.metrics.records import EpochRecord
from textlora.model.forward import Forward, TokenSequences
from textlora.model.frozen_layers import PrefixForward
from textlora.report.progress import progress_bar
from textlora.report.terminal import labelled
from textlora.report.wording import count, duration, size
from textlora.run import RunFolder, write_text
from textlora.training import checkpoints
from textlora.training.arguments import class_weights, optimizer_of, training_arguments
from textlora.training.building import Classifier
from textlora.training.deciding import validation_metrics
from textlora.training.diagnosis import kept_its_start, second_try_of, trivial_loss
from textlora.training.progress import ProgressCallback, record_of
from textlora.training.start import (
    StartCounts,
    put_weights,
    starts_at_regression,
    trained_head,
    trained_weights,
)
from textlora.training.trainer import (
    ClassifierTrainer,
    DroppedTokens,
    LabelledSequences,
    OthersEveryEpoch,
)
from textlora.training.verdict import metric_of

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


def contrastive_part(
    predictor: Predictor, training: SettledTraining
) -> tuple[float, nn.Module] | None:
    """Return the weight of the contrastive loss and the head that it looks into, if it is on."""
    if not training.contrastive_weight:
        return None
    return training.contrastive_weight, trained_head(predictor.model)


def labelled_rows(
    sequences: TokenSequences, text_offsets: Offsets, part: Part
) -> LabelledSequences:
    """Return the sequences of a part's texts with its targets and its rows' weights.

    Args:
        sequences: of all texts, those of a text together.
        text_offsets: the first sequence of each text, and the end, `[texts + 1]`.
        part: the same texts.
    """
    return LabelledSequences(sequences, part.targets, text_offsets, part.relative_weights)


@contextmanager
def classifier_trainer(
    config: SettledConfig,
    predictor: Predictor,
    forward: Forward,
    arguments: TrainingArguments,
    *,
    train: LabelledSequences,
    validation: LabelledSequences | None,
    callbacks: Sequence[TrainerCallback],
) -> Iterator[ClassifierTrainer]:
    """Yield the Trainer that these settings ask for, and leave the model as it was trained.

    Args:
        config: every setting.
        predictor: the classifier with its adapter.
        forward: how batches are run in training.
        arguments: of the same settings.
        train: rows to train on.
        validation: rows to choose by; None: nothing is chosen.
        callbacks: told of every step.

    Raises:
        ConfigError: a class weight names no class.
    """
    spec, training = predictor.spec, config.training
    callbacks = list(callbacks)
    if training.token_dropout:
        dropped = DroppedTokens(train.sequences, training.token_dropout, arguments.seed)
        train = replace(train, sequences=dropped)
        callbacks.append(OthersEveryEpoch(dropped))
    trainer = ClassifierTrainer(
        predictor.model,
        head=spec.head,
        forward=forward,
        window_pooling=spec.window_pooling,
        metrics=validation_metrics(predictor, config.evaluation),
        args=arguments,
        train_dataset=train,
        eval_dataset=validation,
        callbacks=callbacks,
        class_weights=class_weights(training.class_weight, train.targets, spec.label_names),
        contrastive=contrastive_part(predictor, training),
        prefer_later=starts_at_regression(config),
        optimizer=optimizer_of(training),
    )
    trainer.remove_callback(PrinterCallback)
    try:
        yield trainer
    finally:
        if trainer.head_input is not None:
            trainer.head_input.close()


def fit_to_the_end(
    config: SettledConfig,
    predictor: Predictor,
    forward: Forward,
    rows: LabelledSequences,
    *,
    callbacks: Sequence[TrainerCallback] = (),
) -> None:
    """Train from the weights as they are; those after the last step stay.

    Nothing is chosen on the way and nothing is written, so no row but those given has any
    influence.

    Args:
        config: every setting; those of evaluations on the way have no meaning here.
        predictor: the classifier with its adapter.
        forward: how batches are run in training.
        rows: to train on.
        callbacks: told of every step.

    Raises:
        RunError: the training diverged.
    """
    # The Trainer makes its folder, though nothing is written into it.
    with (
        tempfile.TemporaryDirectory() as folder,
        classifier_trainer(
            config,
            predictor,
            forward,
            training_arguments(config.training, Path(folder), choose_best=False),
            train=rows,
            validation=None,
            callbacks=callbacks,
        ) as trainer,
    ):
        trainer.train()
    predictor.model.eval()


def training_floor(config: SettledConfig, parts: Parts) -> float:
    """Return the training loss below which something was learnt."""
    names = parts.labels.names
    weights = class_weights(config.training.class_weight, parts.train.targets, names)
    return trivial_loss(parts.train.targets, len(names), weights)


def fit_twice_if_need_be(
    config: SettledConfig,
    classifier: Classifier,
    parts: Parts,
    sequences: dict[str, TokenizedTexts],
    folder: RunFolder,
    console: Console,
) -> tuple[SettledConfig, list[EpochRecord]]:
    """Train; where that did not get beyond its start, once more at a lower learning rate.

    `fit` has put the start's weights back by then, so that the second try begins there, too.

    Returns:
        The settings of the training that counts, and its evaluations.
    """
    history = fit(config, classifier, parts, sequences, folder, console)
    if not config.training.second_try or not kept_its_start(history):
        return config, history
    config = second_try_of(config)
    rate = config.training.learning_rate
    told = f"no epoch beat the start; once more at a learning rate of {rate:g}"
    console.print(labelled("Again", told, "bold yellow"))
    # In this order: a kill in between repeats the first try, and never mixes the two.
    checkpoints.discard_all(folder.checkpoints)
    write_text(folder.config, config.to_yaml())
    return config, fit(config, classifier, parts, sequences, folder, console)


def fit(
    config: SettledConfig,
    classifier: Classifier,
    parts: Parts,
    sequences: dict[str, TokenizedTexts],
    folder: RunFolder,
    console: Console,
) -> list[EpochRecord]:
    """Train, keep the best checkpoint's weights in the model, and return the evaluations."""
    predictor = classifier.predictor
    assert parts.validation is not None  # noqa: S101 - train has asked
    assert isinstance(predictor.model, PeftModel)  # noqa: S101
    metric, several = metric_of(config, parts), parts.labels.multi_label
    progress = ProgressCallback(console, metric=metric, multi_label=several)
    callbacks: list[TrainerCallback] = [progress]
    if config.training.early_stopping_patience is not None:
        callbacks.append(EarlyStoppingCallback(config.training.early_stopping_patience))
    start = trained_weights(predictor.model)
    counting = StartCounts() if starts_at_regression(config) else None
    if counting is not None:
        callbacks.append(counting)
    # Before the frozen layers are run, which may take minutes: it refuses what cannot be.
    arguments = training_arguments(config.training, folder.checkpoints)
    with training_inputs(config, classifier, sequences, console) as (forward, inputs):
        train, validation = (
            labelled_rows(inputs[name], sequences[name].text_offsets, part)
            for name, part in (("train", parts.train), ("validation", parts.validation))
        )
        with classifier_trainer(
            config,
            predictor,
            forward,
            arguments,
            train=train,
            validation=validation,
            callbacks=callbacks,
        ) as trainer:
            if counting is not None:
                counting.trainer = trainer
            checkpoint = _checkpoint_to_resume(folder, console)
            resumed = None if checkpoint is None else str(checkpoint)
            writing = storage_errors(f"writing a checkpoint to {folder.checkpoints}")
            with progress.bar, writing, checkpoints.only_plain_values():
                trainer.train(resume_from_checkpoint=resumed)
    history = _history(trainer)
    if kept_its_start(history):
        put_weights(predictor.model, start)
    predictor.model.eval()
    return history


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


def _checkpoint_to_resume(folder: RunFolder, console: Console) -> Path | None:
    checkpoint, unsound = checkpoints.newest_sound(folder.checkpoints)
    for path in unsound:
        console.print(labelled("Resume", f"{path.name} is incomplete and is not used"))
    checkpoints.discard(unsound)
    if checkpoint is not None:
        checkpoints.check_contents(checkpoint)
        console.print(labelled("Resume", f"from {checkpoint.name}"))
    return checkpoint


def _history(trainer: ClassifierTrainer) -> list[EpochRecord]:
    records = [record_of(entry) for entry in trainer.state.log_history if "eval_loss" in entry]
    best = trainer.state.best_global_step
    return [replace(record, best=record.step == best) for record in records]
