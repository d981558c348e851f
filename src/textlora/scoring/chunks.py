"""Chunks: the rows that are read, answered and written together; values as text, text as bytes."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, time
from typing import TYPE_CHECKING, Any, Protocol

from textlora.data.rows import BadCellError, read_text_cell

if TYPE_CHECKING:
    from textlora.inference.predictor import Prediction


Predictions = Sequence[tuple["Prediction | None", str | None]]
"""The answer and the error of every row of a chunk."""


@dataclass(frozen=True)
class Limits:
    """How large a chunk may be; what is in it follows from these and the file alone.

    Args:
        rows: rows at most; with real texts a chunk takes seconds to a minute to answer.
        characters: it ends with the row that reaches so many, so that memory stays bounded.
    """

    rows: int = 2_048
    characters: int = 16_000_000


@dataclass(frozen=True)
class Row:
    """A row of a text file.

    Args:
        raw: as it stands in the file, with its line break.
        values: its cells by column; all of `raw` in the text column where there is a problem.
        text: the cell of the text column.
        problem: why it cannot be taken apart; None if it can.
    """

    raw: str
    values: dict[str, Any]
    text: object
    problem: str | None = None


class Content(Protocol):
    """The rows of a chunk, as their source has them."""

    def __len__(self) -> int: ...

    def values(self) -> list[dict[str, Any]]:
        """Return the cells of every row, by column."""
        ...

    def texts(self) -> Sequence[object]:
        """Return the cell of the text column of every row."""
        ...

    def problems(self) -> Sequence[str | None]:
        """Return why rows cannot be taken apart."""
        ...


@dataclass(frozen=True)
class Rows:
    """A chunk of a text file."""

    rows: list[Row]

    def __len__(self) -> int:
        return len(self.rows)

    def values(self) -> list[dict[str, Any]]:
        """Return the cells of every row, by column."""
        return [row.values for row in self.rows]

    def texts(self) -> list[object]:
        """Return the cell of the text column of every row."""
        return [row.text for row in self.rows]

    def problems(self) -> list[str | None]:
        """Return why rows cannot be taken apart."""
        return [row.problem for row in self.rows]


@dataclass(frozen=True)
class Checked:
    """What of a chunk can be answered.

    Args:
        texts: the good texts.
        places: the row of each of them in the chunk.
        errors: for every row why it has no good text; None where it has.
    """

    texts: list[str]
    places: list[int]
    errors: list[str | None]

    def beside(self, predictions: Sequence[Prediction]) -> Predictions:
        """Return the answer and the error of every row, of the answers to the good texts."""
        answers: list[Prediction | None] = [None] * len(self.errors)
        for place, prediction in zip(self.places, predictions, strict=True):
            answers[place] = prediction
        return list(zip(answers, self.errors, strict=True))


def group(rows: Iterable[Row], limits: Limits) -> Iterator[Rows]:
    """Put the rows of a text file into chunks."""
    held: list[Row] = []
    characters = 0
    for row in rows:
        held.append(row)
        characters += len(row.raw)
        if len(held) == limits.rows or characters >= limits.characters:
            yield Rows(held)
            held, characters = [], 0
    if held:
        yield Rows(held)


def check(content: Content, without_html: bool) -> Checked:
    """Tell the good texts of a chunk from rows with an error, by the rules of `data.rows`."""
    texts: list[str] = []
    places: list[int] = []
    errors: list[str | None] = list(content.problems())
    for place, cell in enumerate(content.texts()):
        if errors[place] is not None:
            continue
        try:
            read_text_cell(cell, without_html)
        except BadCellError as bad:
            errors[place] = str(bad)
            continue
        texts.append(str(cell))
        places.append(place)
    return Checked(texts, places, errors)


LONGEST = 16_000_000
"""Characters of the longest line or record: so many are held while a quote looks for its end."""


def broken(raw: str, text_column: str, problem: str) -> Row:
    """Return a row that cannot be taken apart: the whole of it stands in the text column."""
    whole = raw.removesuffix("\n").removesuffix("\r")
    return Row(raw, {text_column: whole}, None, problem)


def to_bytes(text: str) -> bytes:
    """Return a text as UTF-8; bytes that did not decode come out as they went in."""
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        return "".join(map(_encodable, text)).encode("utf-8", "surrogateescape")


def printable(text: str) -> str:
    """Return a text that every format can hold: what is no character is written as an escape."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def jsonable(value: Any) -> Any:
    """Return a value as JSON can hold it.

    Dates and times are in ISO 8601, bytes in base64, what is no number is None.
    """
    if isinstance(value, dict):
        return {str(key): jsonable(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    return value if isinstance(value, str | int | float | None) else str(value)


def _encodable(character: str) -> str:
    # Escaped bytes are U+DC80 to U+DCFF; other halves of characters come from JSON's escapes.
    if 0xD800 <= ord(character) < 0xDC80 or 0xDCFF < ord(character) <= 0xDFFF:
        return f"\\u{ord(character):04x}"
    return character
