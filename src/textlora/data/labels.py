"""The classes of a run: their order, their names, and labels as numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from textlora.data.classes import (
    class_counts,
    first_line,
    members,
    refuse_few_classes,
    refuse_joined_labels,
    refuse_wrong_column,
    unknown_labels_error,
)
from textlora.data.tables import OTHER, Label, TextTable
from textlora.errors import DataError

Targets = npt.NDArray[np.int64] | npt.NDArray[np.float32]
"""Class ids `[rows]` as int64, or multi-label indicators `[rows, classes]` as float32."""


@dataclass(frozen=True)
class LabelSet:
    """The classes of a run, in the order of their ids.

    Args:
        names: what each class is called in reports and in `id2label`.
        multi_label: whether several classes, or none, can apply to a text.
        values: what each class is in the data: an integer or a string.
        merged: labels of the data as it was read that are now one class, "other".
    """

    names: tuple[str, ...]
    multi_label: bool
    values: tuple[Label, ...]
    merged: tuple[Label, ...] = ()

    @classmethod
    def from_table(
        cls,
        table: TextTable,
        label_names: Sequence[str] | None = None,
        *,
        merged: tuple[Label, ...] = (),
        keep_unused: bool = True,
    ) -> LabelSet:
        """Find the classes of a training table.

        Args:
            table: the labelled rows, before any split.
            label_names: names of the classes 0, 1, 2 …, for labels that are numbers;
                None: those the table knows.
            merged: labels that are called `OTHER` in the table now.
            keep_unused: whether a named class without a row is one of the classes.

        Returns:
            The classes: integers in numerical, strings in alphabetical order.

        Raises:
            DataError: fewer than two classes; a class with one row; so many labels
                that it looks like the wrong column; names that do not fit.
        """
        labels = _labels_of(table)
        multi_label = any(isinstance(label, tuple) for label in labels)
        counts = class_counts(labels)
        refuse_joined_labels(counts, table)
        refuse_wrong_column(counts, table)
        refuse_few_classes(counts, table)
        names = label_names if label_names is not None else table.label_names
        values = tuple(sorted(counts, key=lambda value: (isinstance(value, str), value)))
        called = tuple(str(value) for value in values)
        numbers = [value for value in values if not (merged and value == OTHER)]
        if names is not None and all(_is_number(value, multi_label) for value in numbers):
            _check_names(names, numbers, multi_label, table)
            if keep_unused:
                values = tuple(str(i) if multi_label else i for i in range(len(names)))
            called = tuple(OTHER if value == OTHER else names[int(str(value))] for value in values)
        return cls(called, multi_label, values, merged)

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
            for member in members(label):
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
            raise unknown_labels_error(table, self.values)
        return found


def _labels_of(table: TextTable) -> list[Label]:
    if table.labels is None:
        raise DataError(
            "these texts have no labels.",
            source=table.source,
            remedy="Give a label for every text.",
        )
    return table.labels


def _is_number(label: Label, multi_label: bool) -> bool:
    # Lists of labels are lists of strings, even where they hold class numbers.
    return isinstance(label, int) or (multi_label and str(label).isdecimal())


def _check_names(
    names: Sequence[str], numbers: Sequence[Label], multi_label: bool, table: TextTable
) -> None:
    # Lists of labels are lists of strings, even where they hold class numbers.
    valid = {str(i) if multi_label else i for i in range(len(names))}
    strange = next((value for value in numbers if value not in valid), None)
    if strange is not None:
        raise DataError(
            f"the label {strange!r} has no name; there are {len(names)} names, for the "
            f"integer labels from 0 to {len(names) - 1}.",
            source=table.source,
            line=first_line(table, strange),
            column=table.label_column,
            remedy="Leave data.label_names out, or give one name for every integer label.",
        )
    if len(set(names)) < len(names):
        raise DataError(
            f"two classes have the same name ({', '.join(names)}).",
            source=table.source,
            remedy="Give every class a name of its own in data.label_names.",
        )
