"""Which labels can be classes: several in one cell, too few rows, or unknown to the training."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from textlora.config import DataConfig
from textlora.data.tables import OTHER, Label, RejectedRow, TextTable, shown
from textlora.errors import DataError

_SEPARATORS = ("|", ";", ",")
_FEWEST_LABELS = 10
_LEAST_SHARE = 1 / 3
"""Share of the different labels that have the separator in them."""
_MOST_ATOMS = 1 / 2
"""What is left of the different labels once they are taken apart; "Lyon, France" stays many."""


@dataclass(frozen=True)
class Separator:
    """What seems to separate several labels in one cell.

    Args:
        character: the separator.
        example: the most frequent label that has it.
        joined: different labels that have it.
        labels: different labels there are.
        atoms: different labels there would be.
    """

    character: str
    example: str
    joined: int
    labels: int
    atoms: int

    @property
    def problem(self) -> str:
        """What was found, as a clause."""
        return (
            f"{self.joined:,} of {self.labels:,} different labels have {self.character!r} in them, "
            f"as {self.example!r} has; taken apart they are {self.atoms:,} labels"
        )

    @property
    def remedy(self) -> str:
        """What to do where they are several labels."""
        return f"Several labels to a text: --label-separator '{self.character}'."


def likely_separator(counts: Mapping[Label, int]) -> Separator | None:
    """Find what separates labels that are too many as they stand, and few taken apart.

    Args:
        counts: rows of each label.

    Returns:
        The separator that leaves the fewest labels; None where labels look like single ones.
    """
    if len(counts) < _FEWEST_LABELS:
        return None
    found = [_taken_apart(counts, character) for character in _SEPARATORS]
    likely = [
        one
        for one in found
        if one.joined >= _LEAST_SHARE * one.labels and one.atoms <= _MOST_ATOMS * one.labels
    ]
    return min(likely, key=lambda one: one.atoms, default=None)


def _taken_apart(counts: Mapping[Label, int], character: str) -> Separator:
    labels = {label: rows for label, rows in counts.items() if isinstance(label, str)}
    joined = [label for label in labels if character in label]
    atoms = {part.strip() for label in counts for part in str(label).split(character)} - {""}
    example = max(joined, key=lambda label: labels[label], default="")
    return Separator(character, example, len(joined), len(counts), len(atoms))


MAX_CLASSES = 1_000
"""More distinct labels are taken for a wrong column (an id, a title, a score)."""

LISTED = 20
"""Classes that a message names before it says how many more there are."""

ROWS_FOR_SPLITS = 3
"""So many rows of a class are enough to split off a test and a validation part."""

_FEW_ROWS = 10
_SHOWN_KNOWN = 10


def members(label: Label) -> tuple[Label, ...]:
    """Return the classes that a label stands for: itself, or each of several."""
    return label if isinstance(label, tuple) else (label,)


def class_counts(labels: Sequence[Label]) -> Counter[Label]:
    """Return the rows of each class."""
    return Counter(member for label in labels for member in members(label))


def first_line(table: TextTable, value: Label) -> int:
    """Return the line of the first row whose label is, or contains, a value."""
    rows = zip(table.lines, table.labels or [], strict=True)
    return next(line for line, label in rows if label == value or value in members(label))


def named(entries: Sequence[str]) -> str:
    """Return entries of a list, and how many more there are."""
    more = f" and {len(entries) - LISTED} more" if len(entries) > LISTED else ""
    return ", ".join(entries[:LISTED]) + more


def is_wrong_column(counts: Mapping[Label, int], rows: int) -> bool:
    """Say whether labels look like ids or titles rather than classes."""
    all_different = rows > _FEW_ROWS and max(counts.values(), default=0) == 1
    return all_different or len(counts) > MAX_CLASSES


def refuse_joined_labels(counts: Mapping[Label, int], table: TextTable) -> None:
    """Refuse labels that cannot be classes as they stand, and can once they are taken apart.

    Raises:
        DataError: they look like several labels in one cell.
    """
    wrong_column = is_wrong_column(counts, len(table))
    usable = not wrong_column and min(counts.values(), default=2) > 1
    separator = None if usable else likely_separator(counts)
    otherwise = f"If they are classes as they stand: --min-rows-per-class {ROWS_FOR_SPLITS}."
    if wrong_column:
        otherwise = "Or name another column with --label-column."
    if separator is not None:
        raise DataError(
            f"{separator.problem}.",
            source=table.source,
            column=table.label_column,
            remedy=f"{separator.remedy} {otherwise}",
        )


def refuse_wrong_column(counts: Mapping[Label, int], table: TextTable) -> None:
    """Refuse labels that look like ids or titles rather than classes.

    Raises:
        DataError: they do.
    """
    if is_wrong_column(counts, len(table)):
        raise DataError(
            f"there are {len(counts)} different labels in {len(table)} rows; this looks like the "
            "wrong column.",
            source=table.source,
            column=table.label_column,
            remedy="Name the column with the classes: --label-column.",
        )


def refuse_few_classes(counts: Mapping[Label, int], table: TextTable) -> None:
    """Refuse fewer than two classes, and classes that cannot be split.

    Raises:
        DataError: there is one class only, or there are classes with one row.
    """
    if len(counts) < 2:
        found = repr(next(iter(counts))) if counts else "none"
        raise DataError(
            f"there is one class only ({found}).",
            source=table.source,
            column=table.label_column,
            remedy="Give rows of at least two classes, or another column with --label-column.",
        )
    single = [value for value, count in counts.items() if count == 1]
    if single:
        raise _single_rows(single, table)


def _single_rows(single: Sequence[Label], table: TextTable) -> DataError:
    lines = {value: first_line(table, value) for value in single[:LISTED]}
    several = len(single) > 1
    told = named([f"{value!r} (line {lines[value]})" if value in lines else "" for value in single])
    return DataError(
        f"{len(single)} classes have one row only: {told}."
        if several
        else f"the class {single[0]!r} has one row only.",
        source=table.source,
        line=None if several else lines[single[0]],
        column=table.label_column,
        remedy=f"Give {'them' if several else 'it'} more rows, or train without classes of so few: "
        f"--min-rows-per-class {ROWS_FOR_SPLITS} (with --rare-classes other they become one "
        "class, 'other').",
    )


def unknown_labels(table: TextTable, known: Collection[Label]) -> Counter[Label]:
    """Return the labels of a table that are no class of the training data, and their rows."""
    counts = class_counts(table.labels or [])
    unknown = Counter({label: rows for label, rows in counts.items() if label not in known})
    # One odd label turns a whole column of integers into strings: name the odd one.
    spelled = {str(value) for value in known}
    odd = Counter({label: rows for label, rows in unknown.items() if str(label) not in spelled})
    return odd or unknown


def unknown_labels_error(table: TextTable, known: Sequence[Label]) -> DataError:
    """Return the error that names every label that is no class of the training data."""
    # Of several labels to a text, where training had one, each can be known.
    unknown = unknown_labels(table, known) or Counter(
        label for label in table.labels or [] if label not in known
    )
    some = ", ".join(repr(value) for value in known[:_SHOWN_KNOWN])
    some += ", …" if len(known) > _SHOWN_KNOWN else ""
    first, *others = unknown
    line = first_line(table, first)
    if not others:
        rows = f" ({unknown[first]} rows)" if unknown[first] > 1 else ""
        problem = f"the label {first!r}{rows} is not one of the training labels ({some})."
    else:
        told = [_rows_and_line(label, unknown[label], table) for label in [*unknown][:LISTED]]
        problem = (
            f"{len(unknown)} labels are not among the training labels ({some}): "
            f"{named(told + [''] * (len(unknown) - len(told)))}."
        )
    return DataError(
        problem,
        source=table.source,
        line=None if others else line,
        column=table.label_column,
        remedy="Write labels as in the training data, or set such rows aside with "
        "--on-unknown-classes skip.",
    )


def _rows_and_line(label: Label, rows: int, table: TextTable) -> str:
    line = first_line(table, label)
    return f"{label!r} (line {line})" if rows == 1 else f"{label!r} ({rows} rows, from line {line})"


@dataclass(frozen=True)
class ClassRules:
    """What becomes of labels, by their spelling: a text file's numbers may be read as strings.

    Args:
        gone: why a class is left out.
        renamed: classes that are now called `OTHER`, as the training data had them.
        known: classes to be written as the training data had them.
        note: what was done to the training rows, as a sentence without full stop.
    """

    gone: Mapping[str, str] = field(default_factory=dict)
    renamed: tuple[Label, ...] = ()
    known: Mapping[str, Label] = field(default_factory=dict)
    note: str = ""

    def apply(self, table: TextTable) -> tuple[TextTable, list[RejectedRow]]:
        """Return a table with other labels, and the rows that go.

        Of several labels of a text only those go that are left out; a text goes with its last.
        """
        if table.labels is None or not (self.gone or self.renamed or self.known):
            return table, []
        renamed = {str(label): OTHER for label in self.renamed}
        kept, labels, gone = [], [], []
        for row, label in enumerate(table.labels):
            stay = [one for one in members(label) if str(one) not in self.gone]
            if not stay and label != ():
                reason = self.gone[str(members(label)[0])]
                text = shown(table.texts[row])
                place = (table.source, table.lines[row], table.label_column)
                gone.append(RejectedRow(*place, text, reason))
                continue
            settled = [renamed.get(str(one), self.known.get(str(one), one)) for one in stay]
            several = tuple(sorted({str(one) for one in settled}))
            labels.append(several if isinstance(label, tuple) else settled[0])
            kept.append(row)
        settled_table = replace(table.select(kept), labels=labels, rejected=table.rejected)
        return settled_table, gone


def rules_for_rare(train: TextTable, data: DataConfig) -> ClassRules:
    """Return what becomes of the classes with fewer rows than `data.min_rows_per_class`.

    Raises:
        DataError: the labels look like no classes at all.
    """
    least, labels = data.min_rows_per_class or 0, train.labels or []
    counts = class_counts(labels)
    rare = {label: rows for label, rows in counts.items() if rows < least}
    if not rare:
        return ClassRules()
    if is_wrong_column(counts, len(train)):
        refuse_joined_labels(counts, train)
        refuse_wrong_column(counts, train)
    told = named([f"{label!r} ({rows})" for label, rows in rare.items()])
    begin = f"{_classes(len(rare))} with fewer than {least} rows"
    merged = tuple(label for label in rare if label != OTHER)
    together = [label for label in labels if {OTHER, *merged} & set(members(label))]
    # A class "other" that would be rare itself is none to learn.
    if data.rare_classes == "other" and len(together) >= least:
        note = f"{begin} merged into '{OTHER}' ({rows_of(len(together))}): {told}"
        return ClassRules(renamed=merged, note=note)
    gone = {
        str(label): f"the class {label!r} has {rows_of(number)} in training, fewer than {least} "
        "(data.min_rows_per_class)"
        for label, number in rare.items()
    }
    return ClassRules(gone=gone, note=f"{begin} left out: {told}")


def rules_for_unknown(rules: ClassRules, table: TextTable, known: Sequence[Label]) -> ClassRules:
    """Return rules by which rows of classes that the training does not have go, too.

    Args:
        rules: those of the training.
        table: other rows than the training's.
        known: the training's labels.
    """
    settled = {*rules.gone, *map(str, rules.renamed)}
    strange = [one for one in unknown_labels(table, known) if str(one) not in settled]
    gone = {str(one): f"the class {one!r} is not in the training rows" for one in strange}
    return replace(rules, gone={**rules.gone, **gone}, known={str(one): one for one in known})


def settle_part(
    table: TextTable, rules: ClassRules, known: Sequence[Label], *, skip_unknown: bool
) -> tuple[TextTable, list[RejectedRow]]:
    """Return validation, test or new rows with the classes of the training, and the rows that go.

    Args:
        table: the rows.
        rules: those of the training.
        known: the training's labels.
        skip_unknown: whether rows of classes that the training does not have go.

    Raises:
        DataError: no row is left.
    """
    if skip_unknown:
        rules = rules_for_unknown(rules, table, known)
    settled, gone = rules.apply(table)
    if gone and not len(settled):
        raise DataError(
            "no row has a class of the training rows.",
            source=table.source,
            column=table.label_column,
            remedy="Give other rows, with labels written as in the training data.",
        )
    return settled, gone


def reasons_in_words(rows: Sequence[RejectedRow]) -> str:
    """Return how many rows went for which reason."""
    reasons = Counter(row.reason for row in rows)
    return named([f"{reason} ({rows_of(number)})" for reason, number in reasons.most_common()])


def rows_of(number: int) -> str:
    """Return "1 row" or "12 rows"."""
    return f"{number:,} row{'' if number == 1 else 's'}"


def _classes(number: int) -> str:
    return f"{number} class{'' if number == 1 else 'es'}"
