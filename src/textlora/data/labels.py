"""The classes of a run: their order, their names, and labels as numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from textlora.data.tables import Label, TextTable
from textlora.errors import DataError

MAX_CLASSES = 1_000
"""More distinct labels are taken for a wrong column (an id, a title, a score)."""

_FEW_ROWS = 10

Targets = npt.NDArray[np.int64] | npt.NDArray[np.float32]
"""Class ids `[rows]` as int64, or multi-label indicators `[rows, classes]` as float32."""


@dataclass(frozen=True)
class LabelSet:
    """The classes of a run, in the order of their ids.

    Args:
        names: what each class is called in reports and in `id2label`.
        multi_label: whether several classes, or none, can apply to a text.
        values: what each class is in the data: an integer or a string.
    """

    names: tuple[str, ...]
    multi_label: bool
    values: tuple[Label, ...]

    @classmethod
    def from_table(cls, table: TextTable, label_names: Sequence[str] | None = None) -> LabelSet:
        """Find the classes of a training table.

        Args:
            table: the labelled rows, before any split.
            label_names: names of the classes 0, 1, 2 …, for labels that are numbers;
                None: those the table knows.

        Returns:
            The classes: integers in numerical, strings in alphabetical order. With
            names, every named class is in, even one without a row.

        Raises:
            DataError: fewer than two classes; a class with one row; so many labels
                that it looks like the wrong column; names that do not fit.
        """
        labels = _labels_of(table)
        multi_label = any(isinstance(label, tuple) for label in labels)
        rows = [_members(label) for label in labels]
        counts = Counter(value for row in rows for value in row)
        _check_counts(counts, rows, table)
        names = label_names if label_names is not None else table.label_names
        if names is not None and all(_is_number(value, multi_label) for value in counts):
            return cls._named(names, counts, multi_label, table)
        values = tuple(sorted(counts, key=lambda value: (isinstance(value, str), value)))
        return cls(tuple(str(value) for value in values), multi_label, values)

    @classmethod
    def from_dict(cls, saved: dict[str, Any]) -> LabelSet:
        """Return the set that `to_dict` described."""
        return cls(tuple(saved["names"]), bool(saved["multi_label"]), tuple(saved["values"]))

    @classmethod
    def _named(
        cls, names: Sequence[str], counts: Counter[Any], multi_label: bool, table: TextTable
    ) -> LabelSet:
        # Lists of labels are lists of strings, even where they hold class numbers.
        values: tuple[Label, ...] = tuple(str(i) if multi_label else i for i in range(len(names)))
        strange = next((value for value in counts if value not in values), None)
        if strange is not None:
            raise DataError(
                f"the label {strange!r} has no name; there are {len(names)} names, for the "
                f"integer labels from 0 to {len(names) - 1}.",
                source=table.source,
                line=_first_line(table, strange),
                column=table.label_column,
                remedy="Leave data.label_names out, or give one name for every integer label.",
            )
        if len(set(names)) < len(names):
            raise DataError(
                f"two classes have the same name ({', '.join(names)}).",
                source=table.source,
                remedy="Give every class a name of its own in data.label_names.",
            )
        return cls(tuple(names), multi_label, values)

    @property
    def num_labels(self) -> int:
        """The number of classes."""
        return len(self.names)

    @property
    def id2label(self) -> dict[int, str]:
        """Names by class id, as a model's config wants them."""
        return dict(enumerate(self.names))

    @property
    def label2id(self) -> dict[str, int]:
        """Class ids by name, as a model's config wants them."""
        return {name: index for index, name in enumerate(self.names)}

    def to_dict(self) -> dict[str, Any]:
        """Return the set as values that JSON and YAML can hold."""
        return {
            "names": list(self.names),
            "multi_label": self.multi_label,
            "values": list(self.values),
        }

    def encode(self, table: TextTable) -> Targets:
        """Return the labels of a table as numbers.

        Args:
            table: labelled rows.

        Returns:
            Class ids `[rows]` as int64; multi-label: `[rows, classes]` as float32 of 0 and 1.

        Raises:
            DataError: the table has no labels, or one that the training data did not have.
        """
        labels = _labels_of(table)
        if not self.multi_label:
            return np.array([self._id(label, table) for label in labels], np.int64)
        targets = np.zeros((len(labels), self.num_labels), np.float32)
        for row, label in enumerate(labels):
            for member in _members(label):
                targets[row, self._id(member, table)] = 1
        return targets

    def decode(self, targets: npt.NDArray[Any]) -> list[Label]:
        """Return class ids, or multi-label indicators, as the labels they stand for."""
        if not self.multi_label:
            return [self.values[int(index)] for index in targets]
        return [
            tuple(str(self.values[index]) for index in np.flatnonzero(row > 0.5)) for row in targets
        ]

    @cached_property
    def _ids(self) -> dict[Label, int]:
        return {value: index for index, value in enumerate(self.values)}

    def _id(self, label: Label, table: TextTable) -> int:
        found = self._ids.get(label)
        if found is None and isinstance(label, int):
            # A text file in which all labels look like integers is read as integers, even
            # where the training file had others too and was read as strings.
            found = self._ids.get(str(label))
        if found is None:
            raise self._unknown(label, table)
        return found

    def _unknown(self, label: Label, table: TextTable) -> DataError:
        # One odd label turns a whole column of integers into strings: name the odd one.
        spelled = {str(value) for value in self.values}
        members = (one for row in table.labels or [] for one in _members(row))
        label = next((one for one in members if str(one) not in spelled), label)
        known = ", ".join(repr(value) for value in self.values[:10])
        more = ", …" if self.num_labels > 10 else ""
        return DataError(
            f"the label {label!r} is not one of the training labels ({known}{more}).",
            source=table.source,
            line=_first_line(table, label),
            column=table.label_column,
            remedy="Write labels as in the training data, or remove the row.",
        )


def _labels_of(table: TextTable) -> list[Label]:
    if table.labels is None:
        raise DataError(
            "these texts have no labels.",
            source=table.source,
            remedy="Give a label for every text.",
        )
    return table.labels


def _members(label: Label) -> tuple[Label, ...]:
    return label if isinstance(label, tuple) else (label,)


def _is_number(label: Label, multi_label: bool) -> bool:
    # Lists of labels are lists of strings, even where they hold class numbers.
    return isinstance(label, int) or (multi_label and str(label).isdecimal())


def _first_line(table: TextTable, value: object) -> int:
    """Return the line of the first row whose label is, or contains, a value."""
    labels = table.labels or []
    return next(
        line
        for line, label in zip(table.lines, labels, strict=True)
        if label == value or (isinstance(label, tuple) and value in label)
    )


def _check_counts(counts: Counter[Any], rows: Sequence[tuple[Any, ...]], table: TextTable) -> None:
    def error(problem: str, remedy: str, line: int | None = None) -> DataError:
        return DataError(
            problem, source=table.source, line=line, column=table.label_column, remedy=remedy
        )

    all_different = len(rows) > _FEW_ROWS and max(counts.values(), default=0) == 1
    if all_different or len(counts) > MAX_CLASSES:
        raise error(
            f"there are {len(counts)} different labels in {len(rows)} rows; this looks like the "
            "wrong column.",
            "Name the column with the classes: --label-column.",
        )
    if len(counts) < 2:
        found = repr(next(iter(counts))) if counts else "none"
        raise error(
            f"there is one class only ({found}).",
            "Give rows of at least two classes, or another column with --label-column.",
        )
    single = next((value for value, count in counts.items() if count == 1), None)
    if single is not None:
        raise error(
            f"the class {single!r} has one row only.",
            "Give the class more rows, or remove this one.",
            _first_line(table, single),
        )
