"""The records of a CSV: with their physical lines, also where quotes do not match."""

from __future__ import annotations

import csv
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class Record:
    """One record of a delimited file.

    Args:
        line: the physical line on which it starts.
        cells: its fields.
        raw: the physical lines that it is made of, with their line breaks.
        problem: why it cannot be taken apart; None if it can.
    """

    line: int
    cells: list[str]
    raw: str
    problem: str | None = None


def take_apart(
    lines: Iterable[str], delimiter: str, longest: int | None = None
) -> Iterator[Record]:
    """Yield the records; after a bad one, start again on the line below its first.

    A quote that is never closed would otherwise take the whole file with it. A blank line is a
    record without cells.

    Args:
        lines: the physical lines, with their line breaks.
        delimiter: what stands between two fields.
        longest: characters that a record may have; None: any number. No more than these are held,
            so that a file of any size goes through. A record with more is taken for one whose quote
            is not closed.
    """
    window = _Window(lines, longest or sys.maxsize)
    line = 1
    after_bad_quote = False
    with _fields_of_any_size():
        while True:
            reader = csv.reader(window, delimiter=delimiter, strict=True)
            try:
                for cells in reader:
                    taken = window.take()
                    raw = "".join(taken)
                    # The rest of a text with a bad quote can look like a row of its own.
                    if after_bad_quote and raw.count('"') % 2:
                        yield Record(line, cells, raw, "the quotes of this row do not match")
                    else:
                        after_bad_quote = after_bad_quote and not cells
                        yield Record(line, cells, raw)
                    line += len(taken)
                return
            except (csv.Error, _TooLongError) as error:
                after_bad_quote = True
                raw = window.take_first()
                yield Record(line, [raw.rstrip("\r\n")], raw, _explain(error))
                line += 1


class _TooLongError(Exception):
    """A record is longer than any may be."""


class _Window:
    """Lines of which those since the last `take` can be had again."""

    def __init__(self, lines: Iterable[str], longest: int) -> None:
        self._lines = iter(lines)
        self._again: deque[str] = deque()
        self._held: list[str] = []
        self._size = 0
        self._longest = longest

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else next(self._lines)
        self._held.append(line)
        self._size += len(line)
        if self._size > self._longest:
            raise _TooLongError
        return line

    def take(self) -> list[str]:
        """Return the lines since the last time; they will not come again."""
        taken, self._held, self._size = self._held, [], 0
        return taken

    def take_first(self) -> str:
        """Return the first line since the last time; those below it will come again."""
        first, *rest = self.take()
        self._again.extendleft(reversed(rest))
        return first


def _explain(error: csv.Error | _TooLongError) -> str:
    message = str(error)
    if isinstance(error, _TooLongError) or "unexpected end" in message:
        return "a quote opens in this row and is never closed"
    if "expected after" in message:
        return 'the quotes of this row do not match (a quote inside quotes is written "")'
    if "new-line" in message:
        return "a stray carriage return is in this row"
    return message


@contextmanager
def _fields_of_any_size() -> Iterator[None]:
    # The limit is the csv module's own global; too long texts are found by their bytes.
    before = csv.field_size_limit(sys.maxsize)
    try:
        yield
    finally:
        csv.field_size_limit(before)
