"""What becomes of classes with few rows, and of rows whose class the training does not have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from textlora.config import DataConfig
from textlora.data.class_checks import (
    class_counts,
    is_wrong_column,
    members,
    named,
    refuse_joined_labels,
    refuse_wrong_column,
    unknown_labels,
)
from textlora.data.tables import OTHER, Label, RejectedRow, TextTable, shown
from textlora.errors import DataError


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
