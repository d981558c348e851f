"""The label audit, from settings to a folder of suspects, by out-of-fold probabilities."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.console import Console

from textlora.auditing.suspects import (
    LabelIssues,
    Suspect,
    find_issues,
    label_text,
    rank_suspects,
    require_cleanlab,
    word_count_probabilities,
    write_suspects,
)
from textlora.config import RunConfig
from textlora.data.labels import LabelSet, Targets
from textlora.data.loading import Part, Parts, load_parts
from textlora.data.splitting import Indices, text_groups
from textlora.data.tables import csv_text, write_rejected
from textlora.errors import ConfigError, DataError
from textlora.files import check_free, whole_folder, write_json, write_text
from textlora.metrics.classification import ClassificationMetrics, classification_metrics
from textlora.recipes import Recipe, load_recipe
from textlora.report.wording import duration
from textlora.training.progress import ProgressCallback
from textlora.training.refitting import refitting


def quick_recipe() -> Recipe:
    """Return settings for small adapters that are trained often."""
    with resources.as_file(resources.files(__package__ or "") / "quick.yaml") as path:
        return load_recipe(str(path))


SUSPECTS = "suspects.csv"

Probabilities = npt.NDArray[np.float64]
FitPredict = Callable[[Indices, Indices], npt.NDArray[Any]]
"""Trains on the rows of the first argument, returns `[rows, classes]` for those of the second."""


def make_folds(
    texts: Sequence[str],
    targets: Targets,
    count: int,
    seed: int,
    *,
    names: Sequence[str],
    source: str,
) -> Indices:
    """Deal rows into folds, with the classes in the same proportion in each.

    Rows with the same text go into the same fold, or the model would have seen the text and,
    mostly, the same wrong label. Multi-label rows are dealt without regard to their classes.

    Args:
        texts: one a row.
        targets: class ids `[rows]`, or multi-label indicators `[rows, classes]`.
        count: how many folds.
        seed: the same seed gives the same folds.
        names: the class names, for messages.
        source: where the rows come from, for messages.

    Returns:
        The fold of every row, `[rows]`, from 0 to count - 1.

    Raises:
        ConfigError: fewer than two folds.
        DataError: a class has fewer different texts than there are folds.
    """
    from sklearn import model_selection

    if count < 2:
        raise ConfigError(f"--folds {count}: at least two are needed.", "5 is usual.")
    group = text_groups(texts)
    all_different = len(np.unique(group)) == len(group)
    _refuse_small_classes(group, targets, count, names, source)
    how: dict[str, Any] = {"n_splits": count, "shuffle": True, "random_state": seed}
    splitter: Any
    if targets.ndim == 2:
        splitter = model_selection.GroupKFold(**how)
    elif all_different:
        splitter = model_selection.StratifiedKFold(**how)
    else:
        splitter = model_selection.StratifiedGroupKFold(**how)
    of_row = np.full(len(group), -1, np.int64)
    # Where every text is another, groups would be ignored, with a warning.
    groups = None if all_different and targets.ndim == 1 else group
    for fold, (_, held_out) in enumerate(splitter.split(group, targets, groups)):
        of_row[held_out] = fold
    return of_row


def cross_fit(fit_predict: FitPredict, folds: Indices, classes: int) -> Probabilities:
    """Return the probabilities `[rows, classes]` that each row gets from the other folds.

    Args:
        fit_predict: trains a fresh model on rows, and answers others.
        folds: the fold of every row, `[rows]`.
        classes: the number of classes.
    """
    answers = np.full((len(folds), classes), np.nan)
    for fold in np.unique(folds):
        held_out = np.flatnonzero(folds == fold)
        answers[held_out] = fit_predict(np.flatnonzero(folds != fold), held_out)
    return answers


def _refuse_small_classes(
    group: Indices, targets: Targets, count: int, names: Sequence[str], source: str
) -> None:
    different = np.unique(group)
    if len(different) < count:
        raise _too_few(f"there are {len(different)} different texts", count, source)
    if targets.ndim == 2:
        return
    for number in np.unique(targets):
        texts = len(np.unique(group[targets == number]))
        if texts < count:
            found = f"the class '{names[int(number)]}' has {texts} different texts"
            raise _too_few(found, count, source)


def _too_few(found: str, count: int, source: str) -> DataError:
    return DataError(
        f"{found}, fewer than the {count} folds.",
        source=source,
        remedy="Take fewer --folds, or give more rows.",
    )


@dataclass(frozen=True)
class Audit:
    """A finished audit.

    Args:
        part: the rows.
        labels: the classes.
        folds: the fold of every row, `[rows]`: which were answered together.
        probabilities: out-of-fold, `[rows, classes]`.
        metrics: the out-of-fold answers against the given labels.
        issues: what cleanlab says of every row.
        suspects: rows in doubt, the surest first.
        seconds: time of all trainings and answers.
    """

    part: Part
    labels: LabelSet
    folds: Indices
    probabilities: Probabilities
    metrics: ClassificationMetrics
    issues: LabelIssues
    suspects: list[Suspect]
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as plain values that JSON can hold."""
        flagged = [suspect for suspect in self.suspects if suspect.flagged]
        pairs = Counter((one.given_label, one.suggested_label) for one in flagged)
        return {
            "rows": len(self.part),
            "labels": list(self.labels.names),
            "multi_label": self.labels.multi_label,
            "folds": len(np.unique(self.folds)),
            "out_of_fold_accuracy": self.metrics.accuracy,
            "out_of_fold_macro_f1": self.metrics.macro_f1,
            "suspects": len(self.suspects),
            "flagged": len(flagged),
            "flagged_pairs": [
                {"given": given, "suggested": suggested, "rows": rows}
                for (given, suggested), rows in pairs.most_common()
            ],
            "seconds": round(self.seconds, 1),
        }


def audit(
    config: RunConfig,
    out: Path,
    *,
    folds: int = 5,
    word_counts: bool = True,
    console: Console | None = None,
) -> Audit:
    """Find labels that are likely to be wrong, and write them down.

    Args:
        config: every setting; all rows of `data.train` are audited.
        out: the folder to make; it is absent or complete.
        folds: how many small adapters are trained, each on all folds but one.
        word_counts: whether TF-IDF + logistic regression has a say, half and half.
        console: where progress is shown; None for silence.

    Raises:
        TextloraError: anything the user can mend; nothing is left behind.
    """
    console = console or Console(quiet=True)
    require_cleanlab()
    check_free(out)
    parts = rows_to_audit(config)
    dealt = make_folds(
        parts.train.table.texts,
        parts.train.targets,
        folds,
        config.data.seed,
        names=parts.labels.names,
        source=parts.train.table.source,
    )
    started = time.perf_counter()
    probabilities = adapter_answers(config, parts, dealt, console)
    if word_counts:
        probabilities = (probabilities + word_count_answers(parts, dealt)) / 2
    done = judge(parts, dealt, probabilities, time.perf_counter() - started)
    with whole_folder(out, "writing the audit") as folder:
        write_suspects(done.suspects, folder / SUSPECTS)
        write_text(folder / "out_of_fold.csv", _out_of_fold_csv(done))
        write_json(folder / "audit.json", done.to_dict())
        write_rows_and_settings(folder, parts, config)
    return done


def rows_to_audit(config: RunConfig) -> Parts:
    """Read the rows to be audited; nothing is split off."""
    data = config.data.model_copy(update={"validation_size": 0, "test_size": 0})
    parts = load_parts(data)
    return replace(parts, validation=None, test=None)


def adapter_answers(
    config: RunConfig, parts: Parts, folds: Indices, console: Console
) -> Probabilities:
    """Return what adapters that did not see a row make of it, `[rows, classes]`.

    Args:
        config: every setting.
        parts: the rows, all in `train`.
        folds: the fold of every row, `[rows]`.
        console: where progress is shown.
    """
    with refitting(config, parts, console) as (refitter, inputs):
        rows = inputs["train"]

        def fit_predict(train: Indices, held_out: Indices) -> Any:
            progress, started = ProgressCallback(console), time.perf_counter()
            with progress.bar:
                refitter.fit(rows.select(train), seed=config.training.seed, callbacks=[progress])
            answers = refitter.predict_proba(rows.select(held_out))
            console.print(
                f"Fold       {len(train):,} rows trained on, {len(held_out):,} answered, "
                f"{duration(time.perf_counter() - started)}",
                highlight=False,
            )
            return answers

        return cross_fit(fit_predict, folds, parts.labels.num_labels)


def word_count_answers(parts: Parts, folds: Indices) -> Probabilities:
    """Return what TF-IDF + logistic regression makes of rows that it did not see."""
    part, classes = parts.train, parts.labels.num_labels

    def fit_predict(train: Indices, held_out: Indices) -> Any:
        return word_count_probabilities(part.table.texts, part.targets, train, held_out, classes)

    return cross_fit(fit_predict, folds, classes)


def judge(parts: Parts, folds: Indices, probabilities: Probabilities, seconds: float) -> Audit:
    """Hold out-of-fold probabilities against the given labels.

    Args:
        parts: the rows, all in `train`.
        folds: the fold of every row, `[rows]`: which were answered together.
        probabilities: `[rows, classes]`.
        seconds: how long they took.
    """
    part, labels = parts.train, parts.labels
    if not labels.multi_label:
        probabilities = probabilities / probabilities.sum(axis=1, keepdims=True)
    issues = find_issues(part.targets, probabilities)
    return Audit(
        part=part,
        labels=labels,
        folds=folds,
        probabilities=probabilities,
        metrics=classification_metrics(
            part.targets, probabilities, labels.names, multi_label=labels.multi_label
        ),
        issues=issues,
        suspects=rank_suspects(part, labels, probabilities, issues),
        seconds=seconds,
    )


def write_rows_and_settings(folder: Path, parts: Parts, config: RunConfig) -> None:
    """Write what an audit or a curve was made by, and the rows that were set aside."""
    write_text(folder / "config.yaml", config.to_yaml())
    if parts.set_aside:
        write_rejected(parts.set_aside, folder / "rejected.csv")


def _out_of_fold_csv(done: Audit) -> str:
    names = [f"probability_{name}" for name in done.labels.names]
    flags = np.where(done.issues.flagged, "yes", "no")
    rows = (
        [
            line,
            int(done.folds[row]) + 1,
            label_text(done.labels, done.part.targets[row]),
            *(f"{value:.4f}" for value in done.probabilities[row]),
            f"{done.issues.quality[row]:.4f}",
            flags[row],
        ]
        for row, line in enumerate(done.part.table.lines)
    )
    return csv_text([["line", "fold", "given_label", *names, "label_quality", "flagged"], *rows])
