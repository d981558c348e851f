"""Where the parts of a run come from: files, splits, or the training rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textlora.config import DataConfig
from textlora.data.hub import TEST_SPLITS, TRAIN_SPLITS, VALIDATION_SPLITS, choose_split
from textlora.data.reading import split_names
from textlora.data.tables import ReadOptions
from textlora.errors import ConfigError, DataError


@dataclass(frozen=True)
class Place:
    """A source and the split in it."""

    source: str
    split: str | None


@dataclass(frozen=True)
class Plan:
    """Where each part comes from; a size above 0 means: split it off the training rows."""

    train: Place
    validation: Place | None
    test: Place | None
    validation_size: float
    test_size: float


def plan_sources(data: DataConfig) -> Plan:
    """Decide where each part comes from.

    Args:
        data: the settings.

    Returns:
        The named sources; else the splits that the training data have of their own;
        else a size to split off.

    Raises:
        ConfigError: no training data are named.
        DataError: a part would be the training rows themselves, or a source has
            splits none of which can be chosen.
    """
    if data.train is None:
        raise ConfigError("data.train is not set.", "Name the data to train on.")
    own = split_names(data.train, options_of(data))
    train_split = data.train_split or (choose_split(own, TRAIN_SPLITS, data.train) if own else None)
    train = Place(data.train, train_split)
    free = [split for split in own if split != train_split]

    named_validation = is_named(data.validation, data.validation_split)
    validation = _named(data, data.validation, data.validation_split, VALIDATION_SPLITS)
    if not named_validation:
        validation = _own_split(data.train, free, VALIDATION_SPLITS)
    named_test = is_named(data.test, data.test_split)
    test = _named(data, data.test, data.test_split, TEST_SPLITS)
    if not named_test and not named_validation:
        test = _own_split(data.train, free, TEST_SPLITS)
    if train in (validation, test):
        raise DataError(
            "the rows to train on are named for the validation or the test, too.",
            source=train.source if train.split is None else f"{train.source} ({train.split})",
            remedy="Give other rows with --valid and --test, or leave these out for a split.",
        )
    no_test = test is not None or named_validation
    return Plan(
        train,
        validation,
        test,
        validation_size=0 if validation is not None else data.validation_size,
        test_size=0 if no_test else data.test_size,
    )


def is_named(source: str | None, split: str | None) -> bool:
    """Say whether the user named a part, by its source or by its split."""
    return source is not None or split is not None


def _named(
    data: DataConfig, source: str | None, split: str | None, preferred: Sequence[str]
) -> Place | None:
    if source is None and split is None:
        return None
    return place_of(source or str(data.train), split, (*preferred, *TEST_SPLITS), data)


def _own_split(source: str, splits: Sequence[str], preferred: Sequence[str]) -> Place | None:
    return next((Place(source, name) for name in preferred if name in splits), None)


def place_of(source: str, split: str | None, preferred: Sequence[str], data: DataConfig) -> Place:
    """Return a source with its split, chosen by preference where none is named."""
    if split is None:
        own = split_names(source, options_of(data))
        split = choose_split(own, preferred, source) if own else None
    return Place(source, split)


def options_of(data: DataConfig, split: str | None = None, labelled: bool = True) -> ReadOptions:
    """Return what the settings say about reading one source."""
    return ReadOptions(
        text_column=data.text_column,
        label_column=data.label_column if labelled else None,
        delimiter=data.delimiter,
        header=data.header,
        encoding=data.encoding,
        label_separator=data.label_separator,
        on_bad_rows=data.on_bad_rows,
        strip_html=data.strip_html,
        split=split,
        dataset_config=data.dataset_config,
        dataset_revision=data.dataset_revision,
        labelled=labelled,
    )
