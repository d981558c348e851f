"""The inspection of files: read, compare, count tokens, measure, put into words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from textlora.config import DataConfig
from textlora.data.loading import Parts, parts_from_tables
from textlora.data.tables import Label, TextTable
from textlora.data.tokenizing import tokenize
from textlora.data.truncation import Truncation
from textlora.errors import ModelError, TextloraError
from textlora.inspection.copies import respelled
from textlora.inspection.corpus import TEST, TRAIN, VALIDATION, Files, read_files
from textlora.inspection.facts import Facts
from textlora.inspection.findings import Estimate, Inspection, Lengths
from textlora.inspection.inspecting import describe, inspect_tables, measure_lengths
from textlora.report.progress import LongWork


@dataclass(frozen=True)
class Tokens:
    """How the chosen model turns texts into tokens.

    Args:
        tokenizer: its tokenizer.
        max_length: tokens a text may have in this training.
        longest_allowed: tokens that the model takes at most.
    """

    tokenizer: Any
    max_length: int
    longest_allowed: int


@dataclass(frozen=True)
class FileInspection:
    """What was read, what was found, and how it is told.

    Args:
        files: the tables as they were read.
        facts: what was found in their rows.
        inspection: the same in words.
    """

    files: Files
    facts: Facts
    inspection: Inspection


def inspect_files(
    data: DataConfig,
    further: Sequence[str] = (),
    *,
    near: bool = True,
    load_tokens: Callable[[], Tokens],
    measure: Callable[[Parts], Estimate] | None = None,
    cache_dir: Path | None = None,
    console: Console | None = None,
) -> FileInspection:
    """Inspect the files of a training, whether or not it could be trained on them.

    Args:
        data: the settings of the training's data.
        further: more sources to compare with.
        near: search near duplicates, too.
        load_tokens: loads the tokenizer; where it cannot, lengths are left out, and it is said.
        measure: measures what training takes; None: nothing is measured.
        cache_dir: folder of token ids of earlier runs.
        console: where it is said what is being done.

    Raises:
        DataError: a source cannot be opened, or has no column of texts.
    """
    console = console or Console(quiet=True)
    left_out: list[str] = []
    with LongWork(console, "reading"):
        files = read_files(data, further)
    with LongWork(console, "comparing texts"):
        facts = inspect_tables(files.tables, label_names=_label_names(data, files), near=near)
    lengths, limit = None, None
    try:
        with LongWork(console, "counting tokens"):
            tokens = load_tokens()
            lengths = _lengths(files.tables, tokens, data, cache_dir)
            limit = tokens.longest_allowed
    except ModelError as error:
        left_out.append(f"Lengths and estimate: {error}")
    estimate = None
    if measure is not None and lengths is not None:
        try:
            with LongWork(console, "measuring a few training steps"):
                estimate = measure(_parts(files, facts, data))
        except TextloraError as error:
            left_out.append(f"Estimate: {error}")
    inspection = describe(
        facts,
        lengths,
        longest_allowed=limit,
        will_be_split=files.will_be_split,
        estimate=estimate,
        more=files.findings(),
        left_out=left_out,
    )
    return FileInspection(files, facts, inspection)


def _lengths(
    tables: Mapping[str, TextTable], tokens: Tokens, data: DataConfig, cache_dir: Path | None
) -> Lengths | None:
    cut = Truncation(tokens.max_length, "right", data.head_share)
    sequences = {
        name: tokenize(table.texts, tokens.tokenizer, cut=cut, cache_dir=cache_dir)
        for name, table in tables.items()
    }
    lengths = measure_lengths(sequences, tokens.max_length)
    if lengths is None or data.long_texts == "truncate":
        return lengths
    return replace(lengths, truncated=0)


def _parts(files: Files, facts: Facts, data: DataConfig) -> Parts:
    """Return the parts as training would have them once the labels are spelled alike.

    Raises:
        DataError: training would refuse them all the same.
    """
    for problem in files.problems.values():
        raise problem
    sizes = {"validation_size": files.plan.validation_size, "test_size": files.plan.test_size}
    train, validation, test = (
        None if name not in files.tables else _respelled(files.tables[name], facts)
        for name in (TRAIN, VALIDATION, TEST)
    )
    assert train is not None  # noqa: S101 - plan_sources has asked
    return parts_from_tables(train, validation, test, data.model_copy(update=sizes))


def _respelled(table: TextTable, facts: Facts) -> TextTable:
    labels = [respelled(label, facts.spelling) for label in table.labels or []]
    return replace(table, labels=[label for label in labels if label is not None])


def _label_names(data: DataConfig, files: Files) -> dict[Label, str]:
    names = data.label_names or files.tables[TRAIN].label_names or ()
    # A column of numbers with one odd label in it is read as texts.
    return {**dict(enumerate(names)), **{str(i): name for i, name in enumerate(names)}}
