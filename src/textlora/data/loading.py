"""From the settings to the train, validation and test parts of a run."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from textlora.config import DataConfig
from textlora.data.classes import (
    ClassRules,
    named,
    reasons_in_words,
    rows_of,
    rules_for_rare,
    settle_part,
)
from textlora.data.hub import TEST_SPLITS, TRAIN_SPLITS, VALIDATION_SPLITS
from textlora.data.labels import LabelSet, Targets
from textlora.data.rows import NoLabelsError, check_rows
from textlora.data.sources import Place, is_named, options_of, place_of, plan_sources
from textlora.data.splitting import (
    Indices,
    copied_in,
    random_subset,
    rows_of_share,
    stratified_split,
    text_groups,
)
from textlora.data.tables import RejectedRow, TextTable
from textlora.errors import DataError

Weights = npt.NDArray[np.float64]
"""How much each row counts, `[rows]`."""


@dataclass(frozen=True)
class Part:
    """Rows with their labels as numbers.

    Args:
        table: texts, labels and lines.
        targets: class ids `[rows]`, or multi-label indicators `[rows, classes]`.
        weights: how much each row counts in the loss, positive `[rows]`; None: all the same.
    """

    table: TextTable
    targets: Targets
    weights: Weights | None = None

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.table)

    def select(self, indices: Indices) -> Part:
        """Return the rows at `indices`, in that order."""
        weights = None if self.weights is None else self.weights[indices]
        return Part(self.table.select(indices.tolist()), self.targets[indices], weights)

    def joined(self, other: Part) -> Part:
        """Return the rows and, after them, those of a part of the same classes."""
        weights = None
        if self.weights is not None or other.weights is not None:
            weights = np.concatenate([_counted(self), _counted(other)])
        targets = np.concatenate([self.targets, other.targets])
        return Part(self.table.joined(other.table), targets, weights)

    @property
    def relative_weights(self) -> Weights | None:
        """The weights, scaled to 1 on average, so that they leave the size of the loss alone."""
        return None if self.weights is None else self.weights / self.weights.mean()


@dataclass(frozen=True)
class Parts:
    """All data of a run.

    Args:
        train: rows to train on.
        validation: rows to choose the best checkpoint by; None if nobody wants any.
        test: rows for the final figures; None if there are none.
        labels: the classes.
        rejected: rows that cannot be used, from all sources.
        outside: rows set aside because of their class.
        notes: what was done to classes, a sentence each without full stop.
        dropped: rows left out because a later split has their text, by the name of their split.
        validation_split_off: whether the validation rows were among the training rows.
    """

    train: Part
    validation: Part | None
    test: Part | None
    labels: LabelSet
    rejected: list[RejectedRow]
    outside: list[RejectedRow] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    dropped: dict[str, int] = field(default_factory=dict)
    validation_split_off: bool = False

    @property
    def set_aside(self) -> list[RejectedRow]:
        """All rows that are not used, for rejected.csv."""
        return self.rejected + self.outside


def load_parts(data: DataConfig) -> Parts:
    """Read, check, split and label the data of a run.

    A part that is named is read. A dataset with splits of its own gives its
    validation and its test split. What is missing then is split off the training
    rows: first the test part, then the validation part. When the validation data
    are named and no test data are, there is no test part.

    Args:
        data: the settings.

    Returns:
        The parts, after subsets are drawn.

    Raises:
        ConfigError: no training data are named.
        DataError: a source, a column, a row or a label cannot be used.
    """
    plan = plan_sources(data)
    train = _read(plan.train, data)
    validation = None if plan.validation is None else _read(plan.validation, data)
    test, test_size = None, plan.test_size
    if plan.test is not None:
        try:
            test = _read(plan.test, data)
        except NoLabelsError:
            if is_named(data.test, data.test_split):
                raise
            # Benchmarks publish test splits without labels: they cannot test anything here.
            test_size = data.test_size
    sizes = {"validation_size": plan.validation_size, "test_size": test_size}
    return parts_from_tables(train, validation, test, data.model_copy(update=sizes))


def parts_from_tables(
    train: TextTable,
    validation: TextTable | None,
    test: TextTable | None,
    data: DataConfig,
    *,
    labels: LabelSet | None = None,
    weights: Weights | None = None,
) -> Parts:
    """Label tables, split off what is missing, and draw subsets.

    Args:
        train: labelled rows.
        validation: labelled rows; None: `data.validation_size` of the training rows.
        test: labelled rows; None: `data.test_size` of the training rows.
        data: sizes (0: no such part), seed, subsets and label names are used.
        labels: the classes, where they are known; None: those of the training rows.
        weights: how much each training row counts, positive; None: all the same.

    Returns:
        The parts.

    Raises:
        DataError: the labels cannot be used, a class is too small for a split, or no label tells
            the rows to train on apart.
    """
    tables = [table for table in (train, validation, test) if table is not None]
    rejected = [row for table in tables for row in table.rejected]
    rules = rules_for_rare(train, data)
    kept, outside = rules.apply(train)
    if weights is not None:
        weights = weights[np.isin(train.lines, kept.lines)]
    train = kept
    notes = [rules.note] if rules.note else []
    labels = labels or LabelSet.from_table(
        train,
        data.label_names,
        merged=rules.renamed,
        keep_unused=data.min_rows_per_class is None,
    )

    def labelled(name: str, table: TextTable | None) -> Part | None:
        if table is None:
            return None
        skip = data.on_unknown_classes == "skip"
        table, gone = settle_part(table, rules, labels.values, skip_unknown=skip)
        if gone:
            outside.extend(gone)
            notes.append(f"{name}: {rows_of(len(gone))} set aside: {reasons_in_words(gone)}")
        return Part(table, labels.encode(table))

    parts = Parts(
        Part(train, labels.encode(train), weights),
        labelled("validation", validation),
        labelled("test", test),
        labels,
        rejected,
        outside,
        notes,
    )
    if data.drop_leaks:
        parts = drop_leaks(parts)
    parts = _with_split_off(parts, data)
    if data.drop_leaks:
        # Again: a split of mostly one text cannot but tear its copies apart.
        parts = drop_leaks(parts)
    drawn = _train_subset(parts.train, data)
    _refuse_same_labels(drawn, labels)
    return replace(
        parts,
        train=drawn,
        validation=_eval_subset(parts.validation, data),
        test=_eval_subset(parts.test, data),
    )


def _refuse_same_labels(train: Part, labels: LabelSet) -> None:
    """Refuse texts of which each has the same of several labels: there is nothing to learn."""
    if not labels.multi_label or (train.targets != train.targets[0]).any():
        return
    given = [repr(name) for name, has in zip(labels.names, train.targets[0], strict=True) if has]
    raise DataError(
        f"all texts to train on have the same labels: {named(given)}."
        if given
        else "no text to train on has a label.",
        source=train.table.source,
        column=train.table.label_column,
        remedy="Give texts that differ in their labels: of each label some that have it and some "
        "that do not.",
    )


def drop_leaks(parts: Parts) -> Parts:
    """Leave out the rows whose text a later split has, too.

    The test split stays as it is: what it shares with train or validation goes there, and what
    validation shares with train goes in train.

    Args:
        parts: the splits.

    Returns:
        The splits without these rows, and how many they were.

    Raises:
        DataError: a class or the validation split would have no row left.
    """
    dropped = dict(parts.dropped)

    def without(name: str, part: Part, *later: Part | None) -> Part:
        gone = copied_in(part.table.texts, *(one.table.texts for one in later if one is not None))
        dropped[name] = dropped.get(name, 0) + int(gone.sum())
        return part.select(np.flatnonzero(~gone)) if gone.any() else part

    train = without("train", parts.train, parts.validation, parts.test)
    _refuse_lost_classes(parts, train)
    validation = parts.validation
    if validation is not None:
        source = validation.table.source
        validation = without("validation", validation, parts.test)
        if not len(validation):
            raise DataError(
                "every validation text is in the test rows, too; --drop-leaks leaves none.",
                source=source,
                remedy="Give other rows with --valid, or leave it out for a split.",
            )
    return replace(parts, train=train, validation=validation, dropped=dropped)


def _refuse_lost_classes(parts: Parts, train: Part) -> None:
    before, after = (_rows_by_class(part, parts.labels) for part in (parts.train, train))
    lost = [parts.labels.names[one] for one in np.flatnonzero((before > 0) & (after == 0))]
    if lost:
        raise DataError(
            f"--drop-leaks leaves no training row of {', '.join(map(repr, lost))}: all their "
            "texts are in the validation or test rows, too.",
            source=train.table.source,
            remedy="Give these classes more rows, or train without --drop-leaks "
            "(data.drop_leaks=false).",
        )


def _rows_by_class(part: Part, labels: LabelSet) -> Indices:
    if labels.multi_label:
        return np.asarray(part.targets.sum(axis=0), np.int64)
    return np.bincount(part.targets.astype(np.int64), minlength=labels.num_labels)


def _with_split_off(parts: Parts, data: DataConfig) -> Parts:
    """Return the parts with those split off that were not given."""
    total, rest = len(parts.train), parts.train
    validation, test = parts.validation, parts.test
    if test is None and data.test_size:
        count = _rows_to_hold_out(data.test_size, total, parts.train)
        rest, test = _split_off(rest, count, data.seed, parts.labels)
    if validation is None and data.validation_size:
        count = _rows_to_hold_out(data.validation_size, total, parts.train)
        rest, validation = _split_off(rest, count, data.seed, parts.labels)
        parts = replace(parts, validation_split_off=True)
    return replace(parts, train=rest, validation=validation, test=test)


def _counted(part: Part) -> Weights:
    return np.ones(len(part)) if part.weights is None else part.weights


def load_labelled(source: str, data: DataConfig, labels: LabelSet) -> Part:
    """Read labelled rows for the evaluation of a finished run.

    Args:
        source: file, saved folder or Hub dataset id; of a dataset with splits, the
            test split is taken (or `data.test_split`), else the validation split.
        data: the run's settings: columns, encoding, HTML stripping, bad rows.
        labels: the run's classes.

    Returns:
        The rows; those set aside are in `table.rejected`.

    Raises:
        DataError: the source, a row or a label cannot be used.
    """
    place = place_of(source, data.test_split, (*TEST_SPLITS, *VALIDATION_SPLITS), data)
    skip = data.on_unknown_classes == "skip"
    rules = ClassRules(renamed=labels.merged)
    table, gone = settle_part(_read(place, data), rules, labels.values, skip_unknown=skip)
    table = replace(table, rejected=table.rejected + gone)
    return Part(table, labels.encode(table))


def load_texts(source: str, data: DataConfig) -> TextTable:
    """Read texts without labels, for prediction.

    Args:
        source: file, saved folder or Hub dataset id; of a dataset with splits, the
            test split is taken (or `data.test_split`), else the train split.
        data: the run's settings: text column, encoding, HTML stripping, bad rows.

    Returns:
        The texts in their order.

    Raises:
        DataError: the source or a row cannot be used.
    """
    place = place_of(source, data.test_split, (*TEST_SPLITS, *TRAIN_SPLITS), data)
    return _read(place, data, labelled=False)


def _read(place: Place, data: DataConfig, labelled: bool = True) -> TextTable:
    options = options_of(data, place.split, labelled)
    return check_rows(place.source.read(options), options)


def _rows_to_hold_out(size: float, total: int, part: Part) -> int:
    count = rows_of_share(size, total)
    # A share says how much is wanted, not that a small table with many classes is refused.
    if size < 1 and part.targets.ndim == 1:
        return max(count, len(np.unique(part.targets)))
    return count


def _split_off(part: Part, count: int, seed: int, labels: LabelSet) -> tuple[Part, Part]:
    split = stratified_split(
        part.targets,
        count,
        seed,
        groups=text_groups(part.table.texts),
        names=labels.names,
        source=part.table.source,
    )
    return part.select(split.keep), part.select(split.held_out)


def _train_subset(part: Part, data: DataConfig) -> Part:
    if data.subset is None:
        return part
    chosen = part.select(random_subset(len(part), data.subset, data.seed))
    if chosen.targets.ndim == 1 and len(np.unique(chosen.targets)) < 2:
        raise DataError(
            f"the {len(chosen)} rows drawn at random are all of one class.",
            source=part.table.source,
            remedy="Draw more rows with data.subset, or use another data.seed.",
        )
    return chosen


def _eval_subset(part: Part | None, data: DataConfig) -> Part | None:
    if part is None or data.subset_eval is None:
        return part
    return part.select(random_subset(len(part), data.subset_eval, data.seed))
