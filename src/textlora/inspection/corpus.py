"""All rows of all parts, end to end, so that a row is one number."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from pathlib import Path

from textlora.data.tables import Label, TextTable, shown
from textlora.inspection.records import Example

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
    line = " ".join(shown(text).split())
    return line if len(line) <= _SHOWN else line[: _SHOWN - 1].rstrip() + "…"
