"""What `inspect --fix` drops and rewrites."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from textlora.data.tables import Label, shown
from textlora.inspection.copies import respelled
from textlora.inspection.corpus import Corpus
from textlora.inspection.facts import Facts


@dataclass(frozen=True)
class Dropped:
    """A row that the cleaned copy lacks.

    Args:
        part: the part it was in.
        source: the file, folder or dataset as the user named it.
        line: line of a text file, or row of a table.
        reason: why, as a clause without capital and full stop.
        text: its text.
    """

    part: str
    source: str
    line: int
    reason: str
    text: str


@dataclass(frozen=True)
class Fix:
    """What becomes of the rows.

    Args:
        dropped: the rows that go, by part and line.
        spelling: the usual spelling for every other one.
        respelled_rows: rows that stay and whose label is rewritten.
        rows: rows that stay, by part.
    """

    dropped: tuple[Dropped, ...]
    spelling: Mapping[Label, Label]
    respelled_rows: int
    rows: Mapping[str, int]

    def lines_of(self, part: str) -> set[int]:
        """Return the lines of a part that go."""
        return {row.line for row in self.dropped if row.part == part}


def plan_fix(facts: Facts) -> Fix:
    """Decide which rows go.

    Rows that cannot be read and texts without content go; so do all rows of a text that has
    different labels in one part; texts that a later part has too, exactly or nearly (from train
    for validation and test, from validation for test: test loses none for another part); and
    exact repetitions within a part, but for the first.
    """
    corpus = facts.corpus
    reasons = _reasons(facts)
    dropped = [
        Dropped(name, bad.source, bad.line, bad.reason, bad.text)
        for name, table in zip(corpus.names, corpus.tables, strict=True)
        for bad in table.rejected
    ]
    for row, reason in reasons.items():
        part = corpus.part_of(row)
        dropped.append(
            Dropped(
                corpus.names[part],
                corpus.tables[part].source,
                corpus.line_of(row),
                reason,
                shown(corpus.texts[row]),
            )
        )
    dropped.sort(key=lambda one: (corpus.names.index(one.part), one.line))
    stay = [row for row in range(len(corpus)) if row not in reasons]
    labels = corpus.labels
    return Fix(
        dropped=tuple(dropped),
        spelling=facts.spelling,
        respelled_rows=sum(respelled(labels[row], facts.spelling) != labels[row] for row in stay),
        rows={
            name: sum(row not in reasons for row in corpus.rows_of(part))
            for part, name in enumerate(corpus.names)
        },
    )


def _reasons(facts: Facts) -> dict[int, str]:
    """Return why each row goes; the first reason that holds."""
    corpus = facts.corpus
    reasons = dict.fromkeys(facts.empty, "the text has nothing in it that can be read")
    for rows, what in (
        (facts.exact_given_up, "the text"),
        (facts.near_given_up, "nearly the same text"),
    ):
        for row, copy in rows.items():
            other = corpus.names[corpus.part_of(copy)]
            reasons.setdefault(row, f"{what} is in {other}, too ({corpus.place_of(copy)})")
    for group in facts.conflicts:
        for copies in _by_part(corpus, group):
            for row, line in _contradicting(facts, copies).items():
                reasons.setdefault(row, f"line {line} has the text with another label")
    for row, first in facts.exact_repeats.items():
        reasons.setdefault(row, f"line {corpus.line_of(first)} has the same text")
    return reasons


def _by_part(corpus: Corpus, group: tuple[int, ...]) -> list[list[int]]:
    parts: dict[int, list[int]] = {}
    for row in sorted(group):
        parts.setdefault(corpus.part_of(row), []).append(row)
    return list(parts.values())


def _contradicting(facts: Facts, rows: list[int]) -> dict[int, int]:
    """Return the rows of one text in one part, each with the line of one labelled otherwise."""
    corpus = facts.corpus
    labels = {row: respelled(corpus.labels[row], facts.spelling) for row in rows}
    found = {}
    for row in rows:
        others = [other for other in rows if labels[other] != labels[row]]
        if others:
            found[row] = corpus.line_of(others[0])
    return found
