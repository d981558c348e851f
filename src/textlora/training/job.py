"""The main job, from settings to a finished run folder."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from peft import PeftModel
from rich.console import Console
from transformers import EarlyStoppingCallback, TrainerCallback
from transformers.trainer_callback import PrinterCallback

from textlora.config import RunConfig, SettledConfig
from textlora.data.loading import Parts, load_parts
from textlora.data.tokenizing import TokenizedTexts
from textlora.errors import ConfigError, TextloraError, storage_errors
from textlora.evaluation.console import labelled
from textlora.evaluation.decisions import check_rule
from textlora.evaluation.judging import judging_metric
from textlora.evaluation.records import EpochRecord
from textlora.inference.predictor import Predictor
from textlora.inspection import Inspection, inspect_parts, short_lines
from textlora.model.forward import Forward, TokenSequences
from textlora.paths import cache_dir
from textlora.run import RunFolder, write_text
from textlora.training import checkpoints, samples
from textlora.training.arguments import optimizer_of, training_arguments
from textlora.training.building import (
    Classifier,
    build_classifier,
    named_parts,
    tokenize_parts,
)
from textlora.training.class_weights import class_weights
from textlora.training.concluding import conclude
from textlora.training.diagnosis import (
    SECOND_TRY_FACTOR,
    kept_its_start,
    notices,
    trivial_loss,
)
from textlora.training.prefix import prefix_cache
from textlora.training.progress import ProgressCallback, record_of
from textlora.training.reporting import write_report
from textlora.training.results import TrainedRun, write_results
from textlora.training.settling import settle
from textlora.training.start import (
    StartCounts,
    put_weights,
    start_at_regression,
    trained_weights,
)
from textlora.training.trainer import ClassifierTrainer, LabelledSequences, validation_metrics
from textlora.training.verdict import judged_part

# The search takes seconds for thousands of rows and minutes for millions.
MOST_ROWS_FOR_NEAR = 50_000


def train(
    config: RunConfig,
    folder: RunFolder,
    *,
    console: Console | None = None,
    resume: bool = False,
    overwrite: bool = False,
    parts: Parts | None = None,
    report: bool = True,
) -> TrainedRun:
    """Train a classifier and write the run folder.

    Args:
        config: every setting.
        folder: where the run goes.
        console: where progress is shown; None for silence.
        resume: go on from the newest sound checkpoint in the folder.
        overwrite: replace a run that is in the folder.
        parts: data that is already in memory, in place of `config.data`'s sources.
        report: write plots and report, too; else `write_report` can do it later.

    Raises:
        TextloraError: anything the user can mend; nothing is left that looks finished.
    """
    console = console or Console(quiet=True)
    folder.check_free(resume=resume, overwrite=overwrite)
    parts = parts or load_parts(config.data)
    if parts.validation is None:
        raise ConfigError(
            "There are no validation rows to choose the best epoch by (data.validation_size is 0).",
            "Set data.validation_size to a share such as 0.1, or give rows with --valid.",
        )
    settled = settle(config, parts, console)
    config = settled.config
    check_settings(config, parts)
    classifier = build_classifier(config, parts)
    sequences = tokenize_parts(parts, classifier.predictor, train_windows=config.data.train_windows)
    announce(console, parts, classifier, settled.reasons)
    inspection = inspect(parts, sequences, classifier.predictor, console)
    chosen = samples.choose(config.data.sample_texts, parts)
    before = classifier.predictor.predict([sample.text for sample in chosen])
    # The folder is touched only now: a mistake in the settings or the data leaves it as it was.
    with _Failing(folder, resume, overwrite):
        write_text(folder.config, config.to_yaml())
        started = time.perf_counter()
        if config.model.head_init == "logistic_regression":
            start_at_regression(classifier.predictor, parts, sequences, settled.states)
        config, history = fit_twice_if_need_be(
            config, classifier, parts, sequences, folder, console
        )
        # With what was before a resumption.
        seconds = max(time.perf_counter() - started, history[-1].seconds)
        conclusion = conclude(
            config, classifier.predictor, parts, sequences, seconds, settled.states, console
        )
        after = conclusion.predictor.predict([sample.text for sample in chosen])
        lead = conclusion.results[judged_part(parts)].metrics
        told = notices(history, lead, training_floor(config, parts), config.training)
        run = TrainedRun(
            folder=folder,
            config=config,
            parameters=classifier.parameters,
            history=history,
            conclusion=conclusion,
            before_after=samples.compare(chosen, before, after),
            inspection=inspection,
            seconds=seconds,
            notices=told,
        )
        write_results(run, parts, classifier.untrained)
        if report:
            write_report(run, parts, sequences)
    return run


def check_settings(config: SettledConfig, parts: Parts) -> None:
    """Refuse rules and weights that do not fit the classes, before anything is trained.

    Raises:
        ConfigError: one does not.
    """
    labels, settings = parts.labels, config.evaluation
    check_rule(labels.names, labels.multi_label, settings.threshold, settings.costs)
    class_weights(config.training.class_weight, parts.train.targets, labels.names)


def announce(
    console: Console, parts: Parts, classifier: Classifier, reasons: Sequence[str] = ()
) -> None:
    """Say what is about to be trained, on what, and by which settings that followed the data."""
    rows = ", ".join(f"{len(part.table):,} {name}" for name, part in named_parts(parts).items())
    console.print(labelled("Data", f"{rows}; classes: {', '.join(parts.labels.names)}"))
    for note in parts.notes:
        console.print(labelled("", note))
    if parts.set_aside:
        console.print(labelled("", f"{len(parts.set_aside):,} rows set aside in rejected.csv"))
    if parts.dropped:
        dropped = ", ".join(f"{number:,} {name}" for name, number in parts.dropped.items())
        console.print(labelled("", f"{dropped} rows dropped: a later split has their texts, too"))
    spec = classifier.predictor.spec
    model = (
        f"{spec.backbone.name_or_path}, {spec.head.pooling} pooling, "
        f"max_length {spec.max_length}, {spec.cut_in_words}"
    )
    console.print(labelled("Model", model))
    console.print(labelled("Trainable", f"{classifier.parameters} parameters"))
    console.print(labelled("Path", classifier.path_reason))
    for number, line in enumerate(reasons):
        console.print(labelled("Settings" if number == 0 else "", line))


def inspect(
    parts: Parts, sequences: Mapping[str, TokenizedTexts], predictor: Predictor, console: Console
) -> Inspection:
    """Look at the data, and say what matters in a training."""
    rows = sum(len(part) for part in named_parts(parts).values())
    near = rows <= MOST_ROWS_FOR_NEAR
    inspection = inspect_parts(parts, sequences, max_length=predictor.spec.max_length, near=near)
    lines = short_lines(inspection)
    if not near:
        lines.append(f"Near duplicates were not searched in {rows:,} rows; textlora inspect does.")
    for number, line in enumerate(lines):
        console.print(labelled("Notice" if number == 0 else "", line, "bold yellow"))
    return inspection


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

    Returns:
        The settings of the training that counts, and its evaluations.
    """
    model = classifier.predictor.model
    start = trained_weights(model)
    history = fit(config, classifier, parts, sequences, folder, console)
    if not config.training.second_try or not kept_its_start(history):
        return config, history
    rate = config.training.learning_rate * SECOND_TRY_FACTOR
    again = {"learning_rate": rate, "second_try": False}
    training = config.training.model_copy(update=again)
    config = config.model_copy(update={"training": training})
    told = f"no epoch beat the start; once more at a learning rate of {rate:g}"
    console.print(labelled("Again", told, "bold yellow"))
    # In this order: a kill in between repeats the first try, and never mixes the two.
    checkpoints.discard_all(folder.checkpoints)
    write_text(folder.config, config.to_yaml())
    put_weights(model, start)
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
    several = predictor.spec.head.multi_label
    metric = judging_metric(config.training.metric_for_best_model, several)
    progress = ProgressCallback(console, metric=metric, multi_label=several)
    callbacks: list[TrainerCallback] = [progress]
    if config.training.early_stopping_patience is not None:
        callbacks.append(EarlyStoppingCallback(config.training.early_stopping_patience))
    starts_well = config.model.head_init == "logistic_regression"
    start = trained_weights(predictor.model)
    if starts_well:
        callbacks.append(counting := StartCounts())
    # Before the frozen layers are run, which may take minutes: it refuses what cannot be.
    arguments = training_arguments(config.training, folder.checkpoints)
    with training_inputs(config, classifier, sequences, console) as (forward, inputs):
        trainer = ClassifierTrainer(
            predictor.model,
            head=predictor.spec.head,
            forward=forward,
            window_pooling=predictor.spec.window_pooling,
            metrics=validation_metrics(predictor.spec.label_names, predictor.spec.head.multi_label),
            args=arguments,
            train_dataset=LabelledSequences(
                inputs["train"],
                parts.train.targets,
                sequences["train"].text_offsets,
                parts.train.relative_weights,
            ),
            eval_dataset=LabelledSequences(
                inputs["validation"],
                parts.validation.targets,
                sequences["validation"].text_offsets,
                parts.validation.relative_weights,
            ),
            callbacks=callbacks,
            class_weights=class_weights(
                config.training.class_weight, parts.train.targets, predictor.spec.label_names
            ),
            prefer_later=starts_well,
            optimizer=optimizer_of(config.training),
        )
        trainer.remove_callback(PrinterCallback)
        if starts_well:
            counting.trainer = trainer
        checkpoint = _checkpoint_to_resume(folder, console)
        writing = storage_errors(f"writing a checkpoint to {folder.checkpoints}")
        with progress.bar, writing, checkpoints.only_plain_values():
            trainer.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))
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


class _Failing:
    """Begins a run, and marks it as failed when its block does not end well."""

    def __init__(self, folder: RunFolder, resume: bool, overwrite: bool) -> None:
        self.folder = folder
        self.options = {"resume": resume, "overwrite": overwrite}

    def __enter__(self) -> None:
        self.folder.begin(**self.options)

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is None:
            self.folder.finish()
        elif isinstance(error, KeyboardInterrupt):
            self.folder.fail("interrupted")
        else:
            reason = error.problem if isinstance(error, TextloraError) else repr(error)
            self.folder.fail(reason)
