"""From the settings to the train, validation and test parts of a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from textlora.config import DataConfig
from textlora.data.hub import TEST_SPLITS, TRAIN_SPLITS, VALIDATION_SPLITS, choose_split
from textlora.data.labels import LabelSet, Targets
from textlora.data.reading import read_table, split_names
from textlora.data.rows import NoLabelsError
from textlora.data.splitting import Indices, random_subset, rows_of_share, stratified_split
from textlora.data.tables import ReadOptions, RejectedRow, TextTable
from textlora.errors import ConfigError, DataError


@dataclass(frozen=True)
class Part:
    """Rows with their labels as numbers.

    Args:
        table: texts, labels and lines.
        targets: class ids `[rows]`, or multi-label indicators `[rows, classes]`.
    """

    table: TextTable
    targets: Targets

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.table)

    def select(self, indices: Indices) -> Part:
        """Return the rows at `indices`, in that order."""
        return Part(self.table.select(indices.tolist()), self.targets[indices])


@dataclass(frozen=True)
class Parts:
    """All data of a run.

    Args:
        train: rows to train on.
        validation: rows to choose the best checkpoint by; None if nobody wants any.
        test: rows for the final figures; None if there are none.
        labels: the classes.
        rejected: rows set aside, from all sources.
    """

    train: Part
    validation: Part | None
    test: Part | None
    labels: LabelSet
    rejected: list[RejectedRow]


@dataclass(frozen=True)
class _Place:
    """A source and the split in it."""

    source: str
    split: str | None


@dataclass(frozen=True)
class _Plan:
    """Where each part comes from; a size above 0 means: split it off the training rows."""

    train: _Place
    validation: _Place | None
    test: _Place | None
    validation_size: float
    test_size: float


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
    plan = _plan(data)
    test, test_size = None, plan.test_size
    if plan.test is not None:
        try:
            test = _read(plan.test, data)
        except NoLabelsError:
            if _is_named(data.test, data.test_split):
                raise
            # Benchmarks publish test splits without labels: they cannot test anything here.
            test_size = data.test_size
    sizes = {"validation_size": plan.validation_size, "test_size": test_size}
    return parts_from_tables(
        _read(plan.train, data),
        None if plan.validation is None else _read(plan.validation, data),
        test,
        data.model_copy(update=sizes),
    )


def parts_from_tables(
    train: TextTable, validation: TextTable | None, test: TextTable | None, data: DataConfig
) -> Parts:
    """Label tables, split off what is missing, and draw subsets.

    Args:
        train: labelled rows.
        validation: labelled rows; None: `data.validation_size` of the training rows.
        test: labelled rows; None: `data.test_size` of the training rows.
        data: sizes (0: no such part), seed, subsets and label names are used.

    Returns:
        The parts.

    Raises:
        DataError: the labels cannot be used, or a class is too small for a split.
    """
    labels = LabelSet.from_table(train, data.label_names)
    tables = [table for table in (train, validation, test) if table is not None]
    rejected = [row for table in tables for row in table.rejected]
    rest = Part(train, labels.encode(train))
    validation_part = _labelled(validation, labels)
    test_part = _labelled(test, labels)
    if test_part is None and data.test_size:
        count = rows_of_share(data.test_size, len(train))
        rest, test_part = _split_off(rest, count, data.seed, labels)
    if validation_part is None and data.validation_size:
        count = rows_of_share(data.validation_size, len(train))
        rest, validation_part = _split_off(rest, count, data.seed, labels)
    return Parts(
        _train_subset(rest, data),
        _eval_subset(validation_part, data),
        _eval_subset(test_part, data),
        labels,
        rejected,
    )


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
    place = _place(source, data.test_split, (*TEST_SPLITS, *VALIDATION_SPLITS), data)
    table = _read(place, data)
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
    place = _place(source, data.test_split, (*TEST_SPLITS, *TRAIN_SPLITS), data)
    return _read(place, data, labelled=False)


def _plan(data: DataConfig) -> _Plan:
    if data.train is None:
        raise ConfigError("data.train is not set.", "Name the data to train on.")
    own = split_names(data.train, _options(data))
    train_split = data.train_split or (choose_split(own, TRAIN_SPLITS, data.train) if own else None)
    train = _Place(data.train, train_split)
    free = [split for split in own if split != train_split]

    named_validation = _is_named(data.validation, data.validation_split)
    validation = _named(data, data.validation, data.validation_split, VALIDATION_SPLITS)
    if not named_validation:
        validation = _own_split(data.train, free, VALIDATION_SPLITS)
    named_test = _is_named(data.test, data.test_split)
    test = _named(data, data.test, data.test_split, TEST_SPLITS)
    if not named_test and not named_validation:
        test = _own_split(data.train, free, TEST_SPLITS)
    for place in (validation, test):
        if place == train:
            raise DataError(
                "these are the rows to train on, and no measure of what was learnt.",
                source=place.source if place.split is None else f"{place.source} ({place.split})",
                remedy="Give other rows with --valid or --test, or leave these out for a split.",
            )
    no_test = test is not None or named_validation
    return _Plan(
        train,
        validation,
        test,
        validation_size=0 if validation is not None else data.validation_size,
        test_size=0 if no_test else data.test_size,
    )


def _is_named(source: str | None, split: str | None) -> bool:
    return source is not None or split is not None


def _named(
    data: DataConfig, source: str | None, split: str | None, preferred: Sequence[str]
) -> _Place | None:
    if source is None and split is None:
        return None
    return _place(source or str(data.train), split, (*preferred, *TEST_SPLITS), data)


def _own_split(source: str, splits: Sequence[str], preferred: Sequence[str]) -> _Place | None:
    return next((_Place(source, name) for name in preferred if name in splits), None)


def _place(source: str, split: str | None, preferred: Sequence[str], data: DataConfig) -> _Place:
    if split is None:
        own = split_names(source, _options(data))
        split = choose_split(own, preferred, source) if own else None
    return _Place(source, split)


def _options(data: DataConfig, split: str | None = None, labelled: bool = True) -> ReadOptions:
    return ReadOptions(
        text_column=data.text_column,
        label_column=data.label_column if labelled else None,
        delimiter=data.delimiter,
        encoding=data.encoding,
        label_separator=data.label_separator,
        on_bad_rows=data.on_bad_rows,
        strip_html=data.strip_html,
        split=split,
        dataset_config=data.dataset_config,
        dataset_revision=data.dataset_revision,
        labelled=labelled,
    )


def _read(place: _Place, data: DataConfig, labelled: bool = True) -> TextTable:
    return read_table(place.source, _options(data, place.split, labelled))


def _labelled(table: TextTable | None, labels: LabelSet) -> Part | None:
    return None if table is None else Part(table, labels.encode(table))


def _split_off(part: Part, count: int, seed: int, labels: LabelSet) -> tuple[Part, Part]:
    split = stratified_split(
        part.targets, count, seed, names=labels.names, source=part.table.source
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
