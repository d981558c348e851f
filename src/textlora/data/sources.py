"""Where rows come from: a file, a folder saved by `datasets`, the Hub, Python; each opened once."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from textlora.config import DataConfig
from textlora.data.formats import SUFFIXES, TableFile, format_of, open_file
from textlora.data.formats.parquet import copy_tables
from textlora.data.formats.text import unreadable
from textlora.data.hub import (
    TEST_SPLITS,
    TRAIN_SPLITS,
    VALIDATION_SPLITS,
    choose_split,
    is_saved_dataset,
    open_hub,
    open_saved,
    rows_of_dataset,
    table_of_dataset,
    take_split,
)
from textlora.data.rows import RawTable, check_rows
from textlora.data.tables import OnBadRows, ReadOptions, TextTable
from textlora.errors import ConfigError, DataError

# Suffixes that mean "a file", though not one that can be read here.
_OTHER_SUFFIXES = (
    *(".txt", ".dat", ".tab", ".xlsx", ".xls", ".ods", ".xml", ".html", ".yaml", ".yml"),
    *(".gz", ".zip", ".bz2", ".xz", ".zst", ".tar", ".arrow", ".feather", ".db", ".sqlite"),
    *(".pkl", ".pickle", ".npy", ".npz"),
)
_HUB_ID = re.compile(r"[\w][\w.-]*(/[\w][\w.-]*)?")
_ACCEPTED = f"Accepted are {SUFFIXES}, a folder saved by datasets, and a dataset id of the Hub."
_PYTHON_SOURCE = "texts"


@dataclass(frozen=True)
class Source:
    """A file, a folder saved by `datasets`, or a dataset of the Hub.

    Args:
        name: as the user named it.
        path: the file or folder; None for the Hub.
        dataset: the `datasets.Dataset` or `DatasetDict`; None for a file.
    """

    name: str
    path: Path | None = field(default=None, compare=False)
    dataset: Any = field(default=None, compare=False)

    @classmethod
    def open(cls, source: str | Path, options: ReadOptions) -> Source:
        """Find a file, or open a dataset.

        Args:
            source: a path, or the id of a dataset on the Hub. What exists on the disk is a path;
                so is what looks like one (see `looks_like_path`).
            options: configuration and revision of a Hub dataset.

        Raises:
            DataError: there is no such file or dataset, or it cannot be opened.
            StorageError: a Hub dataset cannot be written into its cache.
        """
        name = str(source)
        path = _existing(name)
        if path is not None:
            return cls(name, path, _open_folder(path, name) if path.is_dir() else None)
        if looks_like_path(name) or isinstance(source, Path):
            raise _missing_file(name)
        return cls(name, None, open_hub(name, options, None))

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits of a saved DatasetDict or a Hub dataset; none for anything else."""
        return tuple(self.dataset) if isinstance(self.dataset, Mapping) else ()

    @property
    def file(self) -> Path | None:
        """The file; None for a dataset."""
        return self.path if self.dataset is None else None

    def read(self, options: ReadOptions) -> RawTable:
        """Read the cells of the chosen columns, without looking at a row.

        Raises:
            DataError: a file cannot be read, there is no such split, or the columns are not there.
        """
        if self.file is not None:
            return self._opened(self.file, options).load(options)
        return rows_of_dataset(*self._split(options), options)

    def copy(
        self,
        to: Path,
        options: ReadOptions,
        gone: Container[int],
        column: str | None,
        change: Callable[[Any], Any],
    ) -> None:
        """Write the rows, but for some, in the format of the file; a dataset as Parquet.

        Args:
            to: the copy.
            options: how the source is read.
            gone: the lines of the rows that are left out.
            column: the column to change; None: none.
            change: returns the new cell.
        """
        if self.file is not None:
            self._opened(self.file, options).copy(to, gone, column, change)
            return
        table = table_of_dataset(self._split(options)[0])
        copy_tables([table], table.schema, to, gone, column, change)

    def _opened(self, path: Path, options: ReadOptions) -> TableFile:
        if options.split is not None:
            raise DataError(
                f"a file has no split '{options.split}'.",
                source=self.name,
                remedy="Leave the split out, or give a dataset that has splits.",
            )
        return open_file(path, self.name, options, accepted=_ACCEPTED)

    def _split(self, options: ReadOptions) -> tuple[Any, str]:
        split = options.split
        if self.path is None and split is not None and split not in self.splits:
            # Such as "train[:10%]", which only load_dataset understands.
            return open_hub(self.name, options, split), f"{self.name} ({split})"
        return take_split(self.dataset, split, self.name)


def read_table(source: str | Path, options: ReadOptions) -> TextTable:
    """Read texts, and labels if wanted, from a file, a saved dataset or the Hub.

    Args:
        source: as of `Source.open`.
        options: how to read it.

    Returns:
        The good rows in their order.

    Raises:
        DataError: the source, a column or a row cannot be used.
        StorageError: a Hub dataset cannot be written into its cache.
    """
    return check_rows(Source.open(source, options).read(options), options)


def find_file(source: str | Path) -> Path:
    """Return the file of that name.

    Raises:
        DataError: there is none; names that are near are proposed.
    """
    name = str(source)
    path = _existing(name)
    if path is None:
        raise _missing_file(name)
    if path.is_dir():
        raise DataError("this is a folder.", source=name, remedy="Give a file.")
    return path


def table_from_python(
    texts: Iterable[Any],
    labels: Iterable[Any] | None = None,
    *,
    on_bad_rows: OnBadRows = "error",
    strip_html: bool = False,
) -> TextTable:
    """Check texts and labels that are in memory already.

    Args:
        texts: list, tuple, pandas Series or NumPy array of strings.
        labels: one a text: strings, integers, or lists of strings; or None.
        on_bad_rows: "error" stops at the first bad row, "skip" sets bad rows aside.
        strip_html: remove tags and decode entities.

    Returns:
        The table; its source is "texts" and its lines are 0-based indices.

    Raises:
        DataError: the lengths differ, or a row is bad.
    """
    text_cells = _listed(texts, "texts")
    label_cells = None if labels is None else _listed(labels, "labels")
    if label_cells is not None and len(label_cells) != len(text_cells):
        raise DataError(
            f"there are {len(text_cells)} texts and {len(label_cells)} labels.",
            source=_PYTHON_SOURCE,
            remedy="Give one label a text.",
        )
    raw = RawTable(
        source=_PYTHON_SOURCE,
        text_column=None,
        label_column=None,
        lines=range(len(text_cells)),
        texts=text_cells,
        labels=label_cells,
        remedy="Mend or drop the text with this index.",
    )
    return check_rows(raw, ReadOptions(on_bad_rows=on_bad_rows, strip_html=strip_html))


def looks_like_path(name: str) -> bool:
    """Say whether a name that does not exist was meant as a path, not as a Hub id.

    A path has the suffix of a file, starts with `.`, `/` or `~`, has more than
    one slash, or has characters that no Hub id has.
    """
    suffix = Path(name).suffix.lower()
    return (
        format_of(name) is not None
        or suffix in _OTHER_SUFFIXES
        or name.startswith((".", "/", "~"))
        or _HUB_ID.fullmatch(name) is None
    )


def _existing(name: str) -> Path | None:
    try:
        path = Path(name).expanduser()
        return path if path.exists() else None
    except RuntimeError:
        return None  # "~somebody", who has no home here
    except OSError as error:
        raise unreadable(error, name) from None


def _open_folder(path: Path, name: str) -> Any:
    try:
        saved = is_saved_dataset(path)
        files = sorted(entry.name for entry in path.iterdir())
    except OSError as error:
        raise unreadable(error, name) from None
    if saved:
        return open_saved(path, name)
    inside = [file for file in files if format_of(file)]
    hint = f"Did you mean {Path(name) / inside[0]}? " if inside else ""
    raise DataError(
        "this folder was not saved by datasets' save_to_disk.",
        source=name,
        remedy=hint + _ACCEPTED,
    )


def _missing_file(name: str) -> DataError:
    try:
        path = Path(name).expanduser()
        siblings = [entry.name for entry in path.parent.iterdir()]
    except (OSError, ValueError, RuntimeError):
        return DataError(
            "there is no such file, and no such folder above it.",
            source=name,
            remedy="Check the path.",
        )
    close = difflib.get_close_matches(path.name, siblings, n=3, cutoff=0.6)
    near = " or ".join(str(Path(name).parent / sibling) for sibling in close)
    remedy = f"Did you mean {near}?" if near else "Check the path."
    return DataError("there is no such file.", source=name, remedy=remedy)


def _listed(values: Iterable[Any], what: str) -> list[Any]:
    if isinstance(values, str | bytes | Mapping):
        raise DataError(
            f"the {what} are one {type(values).__name__}, not a list.",
            source=_PYTHON_SOURCE,
            remedy="Give a list, a Series or an array.",
        )
    if getattr(values, "ndim", 1) != 1:
        raise DataError(
            f"the {what} are not one-dimensional.",
            source=_PYTHON_SOURCE,
            remedy="Give one value a text; for several labels a text, a list of lists of names.",
        )
    listed = values.tolist() if hasattr(values, "tolist") else list(values)
    # NumPy's scalars are not Python's: np.int64(1) is no int.
    return [value.tolist() if hasattr(value, "dtype") else value for value in listed]


@dataclass(frozen=True)
class Place:
    """A source and the split in it."""

    source: Source
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
    source = Source.open(data.train, options_of(data))
    train = _place(source, data.train_split, TRAIN_SPLITS)
    free = [split for split in source.splits if split != train.split]

    def named(name: str | None, split: str | None, preferred: Sequence[str]) -> Place:
        other = source if name in (None, source.name) else Source.open(str(name), options_of(data))
        return _place(other, split, (*preferred, *TEST_SPLITS))

    named_validation = is_named(data.validation, data.validation_split)
    validation = test = None
    if named_validation:
        validation = named(data.validation, data.validation_split, VALIDATION_SPLITS)
    else:
        validation = _own_split(source, free, VALIDATION_SPLITS)
    if is_named(data.test, data.test_split):
        test = named(data.test, data.test_split, TEST_SPLITS)
    elif not named_validation:
        test = _own_split(source, free, TEST_SPLITS)
    if train in (validation, test):
        raise DataError(
            "the rows to train on are named for the validation or the test, too.",
            source=source.name if train.split is None else f"{source.name} ({train.split})",
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


def place_of(source: str, split: str | None, preferred: Sequence[str], data: DataConfig) -> Place:
    """Open a source; return it with its split, chosen by preference where none is named."""
    return _place(Source.open(source, options_of(data)), split, preferred)


def _place(source: Source, split: str | None, preferred: Sequence[str]) -> Place:
    if split is None and source.splits:
        split = choose_split(source.splits, preferred, source.name)
    return Place(source, split)


def _own_split(source: Source, splits: Sequence[str], preferred: Sequence[str]) -> Place | None:
    return next((Place(source, name) for name in preferred if name in splits), None)


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
