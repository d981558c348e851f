"""The main job, from settings to a finished run folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from rich.console import Console

from textlora.config import RunConfig, SampleText, SettledConfig
from textlora.data.labels import LabelSet
from textlora.data.loading import Parts, load_parts
from textlora.errors import ConfigError, TextloraError
from textlora.files import RunFolder, write_text
from textlora.inference.predictor import Prediction
from textlora.inspection import Inspection, inspect_parts, short_lines
from textlora.metrics.decisions import label_text
from textlora.metrics.records import BeforeAfter
from textlora.report.progress import LongWork
from textlora.report.terminal import labelled
from textlora.training.building import Prepared, named_parts, prepare
from textlora.training.concluding import conclude
from textlora.training.deciding import notices
from textlora.training.fitting import fit
from textlora.training.reporting import write_report
from textlora.training.results import TrainedRun, write_results
from textlora.training.verdict import judged_part

SHOWN_ROWS = 5


@dataclass(frozen=True)
class Sample:
    """A text and the name of its right class, if known."""

    text: str
    expected: str | None


def choose(texts: Sequence[SampleText], parts: Parts) -> list[Sample]:
    """Return the configured texts, or else the first validation rows."""
    if texts:
        return [Sample(text.text, _class_name(text.labels, parts.labels)) for text in texts]
    if parts.validation is None:
        return []
    table = parts.validation.table
    expected = [
        label_text([str(_class_name([one], parts.labels)) for one in label])
        if isinstance(label, tuple)
        else _class_name([label], parts.labels)
        for label in (table.labels or [])[:SHOWN_ROWS]
    ]
    return [
        Sample(text, name) for text, name in zip(table.texts[:SHOWN_ROWS], expected, strict=True)
    ]


def compare(
    samples: Sequence[Sample], before: Sequence[Prediction], after: Sequence[Prediction]
) -> list[BeforeAfter]:
    """Set the answers before and after training side by side."""
    return [
        BeforeAfter(
            text=sample.text,
            before_label=first.shown,
            before_probability=first.probability,
            after_label=second.shown,
            after_probability=second.probability,
            expected=sample.expected,
            before_labels=_most_probable_first(first),
        )
        for sample, first, second in zip(samples, before, after, strict=True)
    ]


def _most_probable_first(prediction: Prediction) -> list[str]:
    label = prediction.label
    if not isinstance(label, list):
        return []
    return sorted(label, key=lambda name: -prediction.probabilities[name])


def _class_name(names: Sequence[str | int], labels: LabelSet) -> str | None:
    wanted = {str(name).lower() for name in names}
    for name, value in zip(labels.names, labels.values, strict=True):
        if {name.lower(), str(value).lower()} & wanted:
            return name
    return None


# The search takes seconds for thousands of rows and minutes for millions.
MOST_ROWS_FOR_NEAR = 50_000
NAMED_CLASSES = 10


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
    if parts is None:
        with LongWork(console, "reading the data"):
            parts = load_parts(config.data)
    if parts.validation is None:
        raise ConfigError(
            "There are no validation rows to choose the best epoch by (data.validation_size is 0).",
            "Set data.validation_size to a share such as 0.1, or give rows with --valid.",
        )
    prepared = prepare(config, parts, console)
    announce(console, prepared)
    inspection = inspect(prepared, console)
    samples = choose(config.data.sample_texts, parts)
    texts = [sample.text for sample in samples]
    before = prepared.classifier.predictor.predict(texts)
    # The folder is touched only now: a mistake in the settings or the data leaves it as it was.
    with _Failing(folder, resume, overwrite):
        write_settings(folder, prepared.config)
        fitted = fit(
            prepared,
            console,
            checkpoints_folder=folder.checkpoints,
            on_settings=partial(write_settings, folder),
        )
        conclusion = conclude(fitted, console)
        lead = conclusion.results[judged_part(parts)].metrics
        run = TrainedRun(
            folder=folder,
            config=fitted.config,
            parameters=prepared.classifier.parameters,
            history=fitted.history,
            conclusion=conclusion,
            before_after=compare(samples, before, conclusion.predictor.predict(texts)),
            inspection=inspection,
            seconds=fitted.seconds,
            notices=notices(fitted.history, lead, fitted.trivial_loss, fitted.config.training),
            refitted=fitted.refitted,
        )
        write_results(run, parts, prepared.classifier.untrained)
        if report:
            write_report(run, parts, prepared.sequences)
    return run


def write_settings(folder: RunFolder, config: SettledConfig) -> None:
    """Write the settings of a run, by which it is resumed and repeated."""
    write_text(folder.config, config.to_yaml())


def announce(console: Console, prepared: Prepared) -> None:
    """Say what is about to be trained, on what, and by which settings that followed the data."""
    parts, classifier = prepared.parts, prepared.classifier
    rows = ", ".join(f"{len(part.table):,} {name}" for name, part in named_parts(parts).items())
    console.print(labelled("Data", f"{rows}; {_classes_in_words(parts.labels.names)}"))
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
    for number, line in enumerate(prepared.reasons):
        console.print(labelled("Settings" if number == 0 else "", line))


def _classes_in_words(names: Sequence[str]) -> str:
    if len(names) <= NAMED_CLASSES:
        return f"classes: {', '.join(names)}"
    return f"{len(names)} classes: {', '.join(names[:NAMED_CLASSES])}, …"


def inspect(prepared: Prepared, console: Console) -> Inspection:
    """Look at the data, and say what matters in a training."""
    rows = sum(len(part) for part in named_parts(prepared.parts).values())
    near = rows <= MOST_ROWS_FOR_NEAR
    longest = prepared.classifier.predictor.spec.max_length
    with LongWork(console, "comparing texts"):
        inspection = inspect_parts(
            prepared.parts, prepared.sequences, max_length=longest, near=near
        )
    lines = short_lines(inspection)
    if not near:
        lines.append(f"Near duplicates were not searched in {rows:,} rows; textlora inspect does.")
    for number, line in enumerate(lines):
        console.print(labelled("Notice" if number == 0 else "", line, "bold yellow"))
    return inspection


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
