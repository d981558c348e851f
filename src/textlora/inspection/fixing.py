"""What `inspect --fix` drops and rewrites, and the cleaned copies of the files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from textlora.config import DataConfig
from textlora.data.sources import Place, options_of
from textlora.data.tables import Label, csv_text, shown
from textlora.files import whole_folder
from textlora.inspection.copies import respelled
from textlora.inspection.corpus import Corpus, Files
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


DROPPED_NAME = "dropped.csv"
_DROPPED_HEADER = ("part", "file", "line", "reason", "text")


def write_fix(fix: Fix, files: Files, data: DataConfig, out: Path) -> dict[str, Path]:
    """Write the cleaned copies and the list of what was dropped; the originals stay as they are.

    The folder is absent or complete.

    Args:
        fix: what goes and what is rewritten.
        files: the tables as they were read.
        data: the settings by which they were read.
        out: the folder; it may exist if it is empty.

    Returns:
        The copy of each part.

    Raises:
        RunError: the folder has something in it.
        StorageError: it cannot be written.
    """
    names = _file_names(files.places)
    with whole_folder(out, "writing the cleaned copies to") as folder:
        for part, place in files.places.items():
            place.source.copy(
                folder / names[part],
                replace(options_of(data, place.split), on_bad_rows="skip"),
                fix.lines_of(part),
                files.tables[part].label_column if fix.spelling else None,
                lambda cell: relabelled(cell, fix.spelling, data.label_separator),
            )
        (folder / DROPPED_NAME).write_text(_dropped_csv(fix.dropped), encoding="utf-8", newline="")
    return {part: out / name for part, name in names.items()}


def _file_names(places: Mapping[str, Place]) -> dict[str, str]:
    names: dict[str, str] = {}
    for part, place in places.items():
        path = place.source.file
        stem = Path(place.source.name).expanduser().name
        name = path.name if path is not None else f"{stem}-{place.split or part}.parquet"
        if name in (*names.values(), DROPPED_NAME):
            name = f"{part}-{name}"
        names[part] = name
    return names


def relabelled(cell: Any, spelling: Mapping[Label, Label], separator: str | None) -> Any:
    """Return a label cell in the usual spelling; a cell that needs no change as it is.

    Args:
        cell: a string, a number, or a list of these, as the file has it.
        spelling: the usual spelling for every other one.
        separator: splits a string into several labels.
    """
    if isinstance(cell, list | tuple):
        return [relabelled(one, spelling, None) for one in cell]
    if not isinstance(cell, str):
        return spelling.get(cell, spelling.get(str(cell), cell))
    if separator is not None and separator in cell:
        return separator.join(relabelled(one, spelling, None) for one in cell.split(separator))
    new = spelling.get(cell, spelling.get(cell.strip()))
    return cell if new is None else str(new)


def _dropped_csv(rows: Sequence[Dropped]) -> str:
    cells = [(row.part, row.source, row.line, row.reason, row.text) for row in rows]
    return csv_text([_DROPPED_HEADER, *cells])
