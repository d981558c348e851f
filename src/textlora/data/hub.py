"""Datasets with splits: folders saved by `datasets`, and datasets on the Hub."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from textlora.data.formats.parquet import raw_table
from textlora.data.formats.text import first_line
from textlora.data.rows import RawTable
from textlora.data.tables import ReadOptions, find_columns
from textlora.errors import DataError, storage_errors

TRAIN_SPLITS = ("train",)
VALIDATION_SPLITS = ("validation", "valid", "dev")
TEST_SPLITS = ("test",)

_COMMIT = re.compile("[0-9a-f]{40}")
_WAYS_OUT = (
    "Give a local file, or a folder saved by datasets' save_to_disk; or set HF_HOME to a cache "
    "that has the dataset, or HF_ENDPOINT to a mirror that you can reach."
)


def is_saved_dataset(path: Path) -> bool:
    """Say whether a folder was written by `save_to_disk`."""
    return (path / "dataset_dict.json").is_file() or (path / "state.json").is_file()


def open_saved(path: Path, source: str) -> Any:
    """Open a folder saved by `datasets`.

    Returns:
        A `datasets.Dataset` or `datasets.DatasetDict`, memory-mapped.

    Raises:
        DataError: the folder is damaged.
    """
    import datasets

    try:
        return datasets.load_from_disk(str(path))
    except (OSError, ValueError, KeyError, TypeError) as error:
        # pyarrow's own errors are ValueErrors or OSErrors.
        raise DataError(
            f"the saved dataset cannot be opened ({first_line(error)}).",
            source=source,
            remedy="Save it again with datasets' save_to_disk.",
        ) from None


def open_hub(name: str, options: ReadOptions, split: str | None) -> Any:
    """Load a dataset of the Hugging Face Hub, or from its cache.

    Args:
        name: the id, `owner/name`.
        options: configuration name and revision.
        split: one split, or None for all of them.

    Returns:
        A `datasets.Dataset`, or a `datasets.DatasetDict` if no split is named.

    Raises:
        DataError: there is no such dataset, configuration, revision or split, or
            the Hub is out of reach and the cache does not have it.
        StorageError: the cache cannot be written.
    """
    import datasets
    from datasets.exceptions import DatasetNotFoundError, DatasetsError

    try:
        with storage_errors(f"downloading {name} into the cache of datasets"):
            loaded = datasets.load_dataset(
                name, name=options.dataset_config, split=split, revision=options.dataset_revision
            )
    except DatasetNotFoundError as error:
        raise DataError(
            f"there is no file or folder of this name, and no such dataset on the Hub "
            f"({first_line(error)}).",
            source=name,
            remedy="Check the name and the revision; for a private dataset, set HF_TOKEN.",
        ) from None
    except (ValueError, DatasetsError, KeyError) as error:
        raise DataError(
            f"the dataset cannot be loaded ({first_line(error)}).",
            source=name,
            remedy="Check data.dataset_config, data.dataset_revision and the split's name.",
        ) from None
    except Exception as error:
        # Which one is raised depends on the versions of datasets, huggingface_hub and httpx.
        if not _is_network_error(error):
            raise
        raise DataError(
            f"there is no file or folder of this name, and the Hub cannot be reached for a "
            f"dataset of this name ({first_line(error)}).",
            source=name,
            remedy=_WAYS_OUT,
        ) from None
    _refuse_other_revision(loaded, name, options.dataset_revision)
    return loaded


def choose_split(splits: Sequence[str], preferred: Sequence[str], source: str) -> str:
    """Return the first preferred split that exists, or the only one there is.

    Raises:
        DataError: none is preferred and there are several.
    """
    for name in preferred:
        if name in splits:
            return name
    if len(splits) == 1:
        return splits[0]
    raise DataError(
        f"none of its splits ({', '.join(splits)}) is called {' or '.join(preferred)}.",
        source=source,
        remedy="Name the split: --set data.train_split=… (validation_split, test_split).",
    )


def rows_of_dataset(dataset: Any, source: str, options: ReadOptions) -> RawTable:
    """Take the chosen columns out of a `datasets.Dataset`; the lines are 1-based row numbers.

    Raises:
        DataError: it lacks the columns.
    """
    columns = find_columns(dataset.column_names, options, source)
    table = table_of_dataset(dataset.select_columns(columns.chosen))
    feature = dataset.features.get(columns.label)
    names = getattr(getattr(feature, "feature", feature), "names", None)
    return raw_table(table, source, columns, list(names) if names else None)


def table_of_dataset(dataset: Any) -> Any:
    """Return a dataset as a `pyarrow.Table`, which follows the indices of a shuffled one."""
    return dataset.with_format("arrow")[:]


def take_split(dataset: Any, split: str | None, source: str) -> tuple[Any, str]:
    """Return one split of an opened dataset, and the name of the source with the split.

    Args:
        dataset: a Dataset or DatasetDict.
        split: the split; None chooses train, or the only one.
        source: the source's name, for messages.

    Raises:
        DataError: there is no such split.
    """
    if not isinstance(dataset, Mapping):
        if split is None or split == str(dataset.split):
            return dataset, source
        raise _no_split(split, [str(dataset.split)] if dataset.split else [], source)
    if split is None:
        split = choose_split(list(dataset), TRAIN_SPLITS, source)
    if split not in dataset:
        raise _no_split(split, list(dataset), source)
    return dataset[split], f"{source} ({split})"


def _no_split(split: str, splits: Sequence[str], source: str) -> DataError:
    has = f"it has {', '.join(splits)}" if splits else "it has no splits"
    return DataError(
        f"there is no split '{split}'; {has}.",
        source=source,
        remedy="Name one of its splits, or none.",
    )


def _refuse_other_revision(loaded: Any, name: str, revision: str | None) -> None:
    """Refuse a revision that was not asked for.

    Without a connection `datasets` takes the newest revision in its cache,
    whatever was asked for.
    """
    if revision is None:
        return
    found = _cached_commit(next(iter(loaded.values())) if isinstance(loaded, Mapping) else loaded)
    if found is not None and found != _commit_of(name, revision):
        raise DataError(
            f"the revision '{revision}' is not in the cache (there is {found}), and the Hub "
            "cannot be reached.",
            source=name,
            remedy=_WAYS_OUT,
        )


def _cached_commit(dataset: Any) -> str | None:
    # The cache is <owner___name>/<config>/<version>/<commit>/<file>.arrow.
    folders = {Path(file["filename"]).parent.name for file in dataset.cache_files}
    commits = [folder for folder in folders if _COMMIT.fullmatch(folder)]
    return commits[0] if commits else None


def _commit_of(name: str, revision: str) -> str | None:
    """Return the commit that a revision had when the Hub was last asked."""
    from huggingface_hub.constants import HF_HUB_CACHE

    if _COMMIT.fullmatch(revision):
        return revision
    reference = Path(HF_HUB_CACHE) / f"datasets--{name.replace('/', '--')}" / "refs" / revision
    try:
        return reference.read_text(encoding="utf-8").strip()
    except OSError:
        return None


def _is_network_error(error: Exception) -> bool:
    modules = {kind.__module__.split(".")[0] for kind in type(error).__mro__}
    return isinstance(error, OSError) or bool(modules & {"httpx", "requests", "huggingface_hub"})
