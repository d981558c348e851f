"""Files as they are, for an inspection: what training would refuse is kept and told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from textlora.config import DataConfig
from textlora.data.hub import TEST_SPLITS, TRAIN_SPLITS
from textlora.data.reading import read_raw
from textlora.data.rows import NoLabelsError, collect_rows, refuse_unlabelled, settle_labels
from textlora.data.sources import Place, Plan, options_of, place_of, plan_sources
from textlora.data.tables import Label, ReadOptions, TextTable
from textlora.errors import DataError
from textlora.inspection.corpus import TEST, TRAIN, VALIDATION
from textlora.inspection.records import Finding


@dataclass(frozen=True)
class Files:
    """The tables of an inspection.

    Args:
        plan: where the parts of the training come from.
        places: the source of each table, by the name of its part.
        tables: the rows that can be used, by the name of their part.
        problems: why the labels of a table cannot be used as they are, by part.
    """

    plan: Plan
    places: Mapping[str, Place]
    tables: Mapping[str, TextTable]
    problems: Mapping[str, DataError]

    @property
    def will_be_split(self) -> bool:
        """Whether rows will be split off the training rows."""
        sizes = {VALIDATION: self.plan.validation_size, TEST: self.plan.test_size}
        return any(size and name not in self.tables for name, size in sizes.items())

    def findings(self) -> list[Finding]:
        """Return the tables whose labels cannot be used."""
        return [
            Finding("labels", "error", len(self.tables[name]), problem.problem, problem.remedy)
            for name, problem in self.problems.items()
        ]


def read_files(data: DataConfig, further: Sequence[str] = ()) -> Files:
    """Read the parts of a training, and further files beside them.

    Args:
        data: the settings; bad rows are set aside whatever they say.
        further: more sources; each becomes a part with the name of its file.

    Raises:
        DataError: a source cannot be opened, or has no column of texts.
    """
    plan = plan_sources(data)
    named = {TRAIN: plan.train, VALIDATION: plan.validation, TEST: plan.test}
    places = {name: place for name, place in named.items() if place is not None}
    for source in further:
        place = place_of(source, None, (*TRAIN_SPLITS, *TEST_SPLITS), data)
        places[_free_name(source, places)] = place
    tables, problems = {}, {}
    for name, place in places.items():
        table, problem = _read_loosely(place.source, options_of(data, place.split))
        tables[name] = table
        if problem is not None:
            problems[name] = problem
    return Files(plan, places, _of_one_kind(tables), problems)


def _free_name(source: str, taken: Mapping[str, Place]) -> str:
    stem = Path(source).stem or source
    number, name = 2, stem
    while name in taken:
        name, number = f"{stem}-{number}", number + 1
    return name


def _read_loosely(source: str, options: ReadOptions) -> tuple[TextTable, DataError | None]:
    options = replace(options, on_bad_rows="skip")
    try:
        raw = read_raw(source, options)
    except DataError as problem:
        if options.label_column is not None:
            raise
        # Perhaps just the labels are the matter: texts can be looked at without.
        try:
            raw = read_raw(source, replace(options, labelled=False))
        except DataError:
            raise problem from None
        return collect_rows(raw, options), problem
    try:
        refuse_unlabelled(raw)
        table = collect_rows(raw, options)
        return replace(table, labels=settle_labels(table, raw)), None
    except NoLabelsError as problem:
        return collect_rows(replace(raw, labels=None), options), problem
    except DataError as problem:
        labels: list[Label] = [
            one if isinstance(one, tuple) else str(one) for one in table.labels or []
        ]
        return replace(table, labels=labels), problem


def _of_one_kind(tables: Mapping[str, TextTable]) -> dict[str, TextTable]:
    """Make all labels texts where some are numbers and some are not."""
    labels: list[Label] = [label for table in tables.values() for label in table.labels or []]
    if all(isinstance(label, int) for label in labels):
        return dict(tables)
    several = any(isinstance(label, tuple) for label in labels)

    def as_text(label: Label) -> Label:
        if isinstance(label, tuple):
            return label
        return (str(label),) if several else str(label)

    return {
        name: table
        if table.labels is None
        else replace(table, labels=[as_text(label) for label in table.labels])
        for name, table in tables.items()
    }
