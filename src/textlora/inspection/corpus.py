"""What an inspection looks at: all rows of all parts, end to end, also those training refuses."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate
from pathlib import Path

from textlora.config import DataConfig
from textlora.data.hub import TEST_SPLITS, TRAIN_SPLITS
from textlora.data.rows import NoLabelsError, collect_rows, refuse_unlabelled, settle_labels
from textlora.data.sources import Place, Plan, Source, options_of, place_of, plan_sources
from textlora.data.tables import Label, ReadOptions, TextTable, shown
from textlora.errors import DataError
from textlora.report.view import Example, Finding

TRAIN, VALIDATION, TEST = "train", "validation", "test"
_SHOWN = 90


@dataclass(frozen=True)
class Corpus:
    """The parts, in the order in which a text is given up: what train shares with test goes.

    Args:
        names: what each part is called; the test part, if there is one, is the last.
        tables: the rows of each part.
        label_names: what a label is called where the data hold numbers.
    """

    names: tuple[str, ...]
    tables: tuple[TextTable, ...]
    label_names: Mapping[Label, str]

    @classmethod
    def of(
        cls, tables: Mapping[str, TextTable], label_names: Mapping[Label, str] | None = None
    ) -> Corpus:
        """Return the tables as a corpus, with the test part moved to the end."""
        names = sorted(tables, key=lambda name: name == TEST)  # stable
        return cls(tuple(names), tuple(tables[name] for name in names), label_names or {})

    def __len__(self) -> int:
        """Return the number of rows of all parts."""
        return self.starts[-1]

    @cached_property
    def starts(self) -> list[int]:
        """The first row of each part, and the end."""
        return [0, *accumulate(len(table) for table in self.tables)]

    @cached_property
    def texts(self) -> list[str]:
        """The texts of all rows."""
        return [text for table in self.tables for text in table.texts]

    @cached_property
    def labels(self) -> list[Label | None]:
        """The labels of all rows; None in a part without labels."""
        found: list[Label | None] = []
        for table in self.tables:
            found += [None] * len(table) if table.labels is None else table.labels
        return found

    @property
    def labelled(self) -> bool:
        """Whether every part has labels."""
        return all(table.labels is not None for table in self.tables)

    def part_of(self, row: int) -> int:
        """Return the number of the part that a row is in."""
        return bisect_right(self.starts, row) - 1

    def rows_of(self, part: int) -> range:
        """Return the rows of a part."""
        return range(self.starts[part], self.starts[part + 1])

    def line_of(self, row: int) -> int:
        """Return the line of a row in its source."""
        part = self.part_of(row)
        return self.tables[part].lines[row - self.starts[part]]

    @cached_property
    def short_sources(self) -> dict[str, str]:
        """What each source is called beside a line."""
        return short_names([table.source for table in self.tables])

    def place_of(self, row: int) -> str:
        """Return where a row is, in words: "test.csv line 7"."""
        source = self.tables[self.part_of(row)].source
        return f"{self.short_sources[source]} line {self.line_of(row)}"

    def example(self, row: int, note: str = "") -> Example:
        """Return a row as an example."""
        part = self.part_of(row)
        table = self.tables[part]
        return Example(
            self.names[part], table.source, self.line_of(row), clipped(self.texts[row]), note
        )

    def called(self, label: Label | None) -> str:
        """Return what a label is called."""
        if isinstance(label, tuple):
            return ", ".join(self.called(member) for member in label) or "no label"
        return self.label_names.get(label, str(label)) if label is not None else "no label"


def short_names(sources: Iterable[str]) -> dict[str, str]:
    """Return sources without their folders, unless two would then have the same name."""
    different = set(sources)
    names = {source: Path(source).name or source for source in different}
    unique = len(set(names.values())) == len(different)
    return names if unique else {source: source for source in different}


def clipped(text: str) -> str:
    """Return the start of a text, on one line."""
    return shown(" ".join(shown(text).split()), _SHOWN)


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


def _read_loosely(source: Source, options: ReadOptions) -> tuple[TextTable, DataError | None]:
    options = replace(options, on_bad_rows="skip")
    try:
        raw = source.read(options)
    except DataError as problem:
        if options.label_column is not None:
            raise
        # Perhaps just the labels are the matter: texts can be looked at without.
        try:
            raw = source.read(replace(options, labelled=False))
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
