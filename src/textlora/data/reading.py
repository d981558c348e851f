"""Read a table of texts from wherever it is, and decide where each part of a run comes from."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from textlora.config import DataConfig
from textlora.data.columnar import read_parquet, rows_of_dataset
from textlora.data.decoding import unreadable
from textlora.data.delimited import read_delimited
from textlora.data.hub import (
    TEST_SPLITS,
    TRAIN_SPLITS,
    VALIDATION_SPLITS,
    choose_split,
    is_saved_dataset,
    open_hub,
    open_saved,
    take_split,
)
from textlora.data.jsonlines import read_jsonlines
from textlora.data.rows import RawTable, check_rows
from textlora.data.tables import OnBadRows, ReadOptions, TextTable
from textlora.errors import ConfigError, DataError

__all__ = ["ReadOptions", "read_table", "split_names", "table_from_python"]

_READERS: dict[str, Callable[[Path, str, ReadOptions], RawTable]] = {
    ".csv": read_delimited,
    ".tsv": read_delimited,
    ".jsonl": read_jsonlines,
    ".ndjson": read_jsonlines,
    ".json": read_jsonlines,
    ".parquet": read_parquet,
}
# Suffixes that mean "a file", though not one that can be read here.
_OTHER_SUFFIXES = (
    *(".txt", ".dat", ".tab", ".xlsx", ".xls", ".ods", ".xml", ".html", ".yaml", ".yml"),
    *(".gz", ".zip", ".bz2", ".xz", ".zst", ".tar", ".arrow", ".feather", ".db", ".sqlite"),
    *(".pkl", ".pickle", ".npy", ".npz"),
)
_HUB_ID = re.compile(r"[\w][\w.-]*(/[\w][\w.-]*)?")
_ACCEPTED = (
    "Accepted are .csv, .tsv, .jsonl, .ndjson, .json (one object a line), .parquet, "
    "a folder saved by datasets, and a dataset id of the Hub."
)
_PYTHON_SOURCE = "texts"


def read_table(source: str | Path, options: ReadOptions) -> TextTable:
    """Read texts, and labels if wanted, from a file, a saved dataset or the Hub.

    Args:
        source: a path, or the id of a dataset on the Hub. What exists on the disk
            is a path; so is what looks like one (see `looks_like_path`).
        options: how to read it.

    Returns:
        The good rows in their order.

    Raises:
        DataError: the source, a column or a row cannot be used.
        StorageError: a Hub dataset cannot be written into its cache.
    """
    return check_rows(read_raw(source, options), options)


def read_raw(source: str | Path, options: ReadOptions) -> RawTable:
    """Read the cells of the chosen columns, without looking at a row.

    Args:
        source: as in `read_table`.
        options: how to read it.

    Raises:
        DataError: the source cannot be read, or lacks the columns.
        StorageError: a Hub dataset cannot be written into its cache.
    """
    name = str(source)
    path = _existing(name)
    if path is not None and not path.is_dir():
        _refuse_split_of_file(name, options.split)
        return _reader(path, name)(path, name, options)
    return rows_of_dataset(*open_dataset(source, options), options)


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


def open_dataset(source: str | Path, options: ReadOptions) -> tuple[Any, str]:
    """Open a folder saved by `datasets`, or a dataset of the Hub.

    Args:
        source: the folder, or the id.
        options: split, configuration and revision.

    Returns:
        The `datasets.Dataset` and its name for messages.

    Raises:
        DataError: there is no such dataset, or no such split.
        StorageError: a Hub dataset cannot be written into its cache.
    """
    name = str(source)
    path = _existing(name)
    if path is not None:
        return take_split(_open_folder(path, name), options.split, name)
    if looks_like_path(name) or isinstance(source, Path):
        raise _missing_file(name)
    opened = open_hub(name, options, options.split)
    if options.split is not None:
        return opened, f"{name} ({options.split})"
    return take_split(opened, options.split, name)


def split_names(source: str | Path, options: ReadOptions) -> tuple[str, ...]:
    """Return the splits of a saved DatasetDict or a Hub dataset; none for anything else.

    Raises:
        DataError: the source cannot be opened.
    """
    name = str(source)
    path = _existing(name)
    if path is None:
        if looks_like_path(name):
            raise _missing_file(name)
        opened = open_hub(name, options, None)
    elif path.is_dir():
        opened = _open_folder(path, name)
    else:
        return ()
    return tuple(opened) if isinstance(opened, Mapping) else ()


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
        suffix in _READERS
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
    inside = [file for file in files if Path(file).suffix.lower() in _READERS]
    hint = f"Did you mean {Path(name) / inside[0]}? " if inside else ""
    raise DataError(
        "this folder was not saved by datasets' save_to_disk.",
        source=name,
        remedy=hint + _ACCEPTED,
    )


def _reader(path: Path, name: str) -> Callable[[Path, str, ReadOptions], RawTable]:
    suffix = path.suffix.lower()
    if suffix not in _READERS:
        what = f"the file type {suffix}" if suffix else "a file without a suffix"
        raise DataError(f"{what} is not known.", source=name, remedy=_ACCEPTED)
    return _READERS[suffix]


def _refuse_split_of_file(name: str, split: str | None) -> None:
    if split is not None:
        raise DataError(
            f"a file has no split '{split}'.",
            source=name,
            remedy="Leave the split out, or give a dataset that has splits.",
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
