"""What CSV and JSON Lines share: bytes to lines, lines to rows, rows to a table or to chunks."""

from __future__ import annotations

import base64
import codecs
import math
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, time
from pathlib import Path
from typing import Any, Protocol

from textlora.data.rows import RawTable
from textlora.data.tables import Columns, ReadOptions, RejectedRow, shown
from textlora.errors import DataError

LONGEST = 16_000_000
"""Characters of the longest line or record in `score`: so many are held for a quote's end."""

_UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_UTF32_MARKS = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)
_SAMPLE = 4_096
_START = 1_000_000


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
    """A row of any file.

    Args:
        line: the line on which it starts, or its number in a table.
        values: its cells by column; none where it cannot be taken apart.
        raw: as it stands in a text file, with its line break.
        problem: why it cannot be taken apart; None if it can.
        told: what a message shows of a row with a problem.
    """

    line: int
    values: dict[str, Any]
    raw: str = ""
    problem: str | None = None
    told: str = ""

    def cells(self, text_column: str) -> dict[str, Any]:
        """Return its cells; a row with a problem stands whole in the text column."""
        return self.values if self.problem is None else {text_column: split_end(self.raw)[0]}


class Chunk(Protocol):
    """Rows that are read, answered and written together."""

    @property
    def rows(self) -> list[Row]: ...

    def __len__(self) -> int: ...

    def cells(self, column: str) -> Sequence[Any]: ...

    def problems(self) -> list[str | None]: ...


class WithColumns(Protocol):
    """A file of any format, as far as a writer has to know it."""

    @property
    def columns(self) -> tuple[str, ...]: ...


@dataclass(frozen=True)
class Rows:
    """A chunk of a text file."""

    rows: list[Row]

    def __len__(self) -> int:
        return len(self.rows)

    def cells(self, column: str) -> list[Any]:
        """Return a cell of every row; None where it has none."""
        return [row.values.get(column) for row in self.rows]

    def problems(self) -> list[str | None]:
        """Return why rows cannot be taken apart."""
        return [row.problem for row in self.rows]


@dataclass(frozen=True)
class TextFile:
    """A file of lines.

    Args:
        path: the file.
        name: what the user calls it.
        encoding: how to decode it; a byte order mark of UTF-8 is taken away.
        tolerant: keep bytes that do not decode as lone surrogates, so that only the rows that hold
            them are lost.
        longest: characters that a line may have; None: any number.
    """

    path: Path
    name: str
    encoding: str
    tolerant: bool
    longest: int | None

    @classmethod
    def of(cls, path: Path, name: str, options: ReadOptions, longest: int | None) -> TextFile:
        """Return a file that is read by the options."""
        return cls(path, name, options.encoding, options.on_bad_rows == "skip", longest)

    def lines(self) -> Iterator[str]:
        """Yield the physical lines with their line breaks, holding one at a time.

        Lines end with a line feed; only a file without any at its start is read as one of old Mac
        lines. (Not `str.splitlines`: JSON strings may hold U+2028 and the like.)

        Raises:
            DataError: the file cannot be read, is empty, is not in this encoding (the message names
                the line, the byte and the likely encoding), or a line is too long.
        """
        limit = -1 if self.longest is None else self.longest + 1
        try:
            with self.path.open("rb") as file:
                start = file.read(_START)
            _refuse_empty(start, self.name)
            codec = _codec(self.encoding, start, self.name)
            keep = self.tolerant and not codec.startswith(("utf-16", "utf-32"))
            errors = "surrogateescape" if keep else "strict"
            end = "\n" if b"\n" in start or b"\r" not in start else "\r"
            with self.path.open(encoding=codec, errors=errors, newline=end) as lines:
                number = 1
                while line := lines.readline(limit):
                    if self.longest is not None and len(line) > self.longest:
                        raise self._too_long(number)
                    yield line
                    number += 1
        except UnicodeDecodeError:
            raise self._undecodable(codec) from None
        except OSError as error:
            raise unreadable(error, self.name) from None

    def has_utf8_mark(self) -> bool:
        """Say whether the file starts with the byte order mark of UTF-8."""
        with self.path.open("rb") as file:
            return file.read(len(codecs.BOM_UTF8)) == codecs.BOM_UTF8

    def rewrite(self, lines: Iterable[str], to: Path) -> None:
        """Write lines in the file's encoding; bytes that did not decode go back as they came."""
        with to.open("w", encoding=self.encoding, errors="surrogateescape", newline="") as out:
            out.writelines(lines)

    def _too_long(self, line: int) -> DataError:
        return DataError(
            f"the line is longer than {self.longest:,} characters.",
            source=self.name,
            line=line,
            remedy="Check that this is a table of texts, and how its lines end.",
        )

    def _undecodable(self, codec: str) -> DataError:
        """Say which byte does not decode; the file is read again, a block at a time."""
        decoder = codecs.getincrementaldecoder(codec)()
        read = line_breaks = 0
        with self.path.open("rb") as file:
            while True:
                block = file.read(_START)
                read += len(block)
                try:
                    decoder.decode(block, final=not block)
                except UnicodeDecodeError as error:
                    # What is decoded may begin in the block before, or behind a byte order mark.
                    offset, wrong = (
                        read - len(error.object) + error.start,
                        error.object[error.start],
                    )
                    break
                if not block:  # it has changed since
                    return DataError("the file has changed while it was read.", source=self.name)
                line_breaks += block.count(b"\n")
            file.seek(read - len(block))
            line_breaks += file.read(max(0, offset - file.tell())).count(b"\n")
        if codec.startswith(("utf-16", "utf-32")):
            remedy = f"The file is damaged there, or not {self.encoding}: save it anew as UTF-8."
        else:
            likely = _likely(block)
            aside = "" if self.tolerant else ", or set such rows aside with --on-bad-rows skip"
            remedy = f"The file looks like {likely}: give --encoding {likely}{aside}."
        return DataError(
            f"byte 0x{wrong:02X} (byte {offset + 1} of the file) is not valid {self.encoding}.",
            source=self.name,
            line=line_breaks + 1,
            remedy=remedy,
        )


def load_rows(rows: Iterable[Row], columns: Columns, source: str, *, untyped: bool) -> RawTable:
    """Return the cells of the chosen columns; rows that cannot be taken apart are in `broken`."""
    lines: list[int] = []
    texts: list[object] = []
    labels: list[object] = []
    broken: list[RejectedRow] = []
    for row in rows:
        if row.problem is not None:
            broken.append(RejectedRow(source, row.line, None, shown(row.told), row.problem))
            continue
        lines.append(row.line)
        texts.append(row.values.get(columns.text))
        if columns.label is not None:
            labels.append(row.values.get(columns.label))
    return RawTable(
        source=source,
        text_column=columns.text,
        label_column=columns.label,
        lines=lines,
        texts=texts,
        labels=None if columns.label is None else labels,
        broken=broken,
        untyped=untyped,
    )


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


def concatenate(start: bytes, shards: Iterable[Path], out: Path) -> None:
    """Write shards one after the other."""
    with out.open("wb") as whole:
        whole.write(start)
        for shard in shards:
            with shard.open("rb") as part:
                shutil.copyfileobj(part, whole, 1 << 20)


def split_end(raw: str) -> tuple[str, str]:
    """Return a line without its line break, and the line break."""
    body = raw.removesuffix("\n").removesuffix("\r")
    return body, raw[len(body) :]


def to_bytes(text: str) -> bytes:
    """Return a text as UTF-8; bytes that did not decode come out as they went in."""
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        return "".join(map(_encodable, text)).encode("utf-8", "surrogateescape")


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


def unreadable(error: Exception, source: str) -> DataError:
    """Return the error for a file or folder that the system will not hand out."""
    return DataError(
        f"it cannot be read ({getattr(error, 'strerror', None) or error}).",
        source=source,
        remedy="Check the permissions of the file and of the folders above it.",
    )


def first_line(error: Exception) -> str:
    """Return what an error of another library says, short enough for a message."""
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__


def _codec(encoding: str, content: bytes, source: str) -> str:
    """Return the codec of an encoding; `content` shows whether it is UTF-16 that is called UTF-8.

    Raises:
        DataError: there is no such encoding, or it is UTF-16.
    """
    try:
        codec = codecs.lookup(encoding).name
    except LookupError:
        raise DataError(
            f"there is no encoding called '{encoding}'.",
            source=source,
            remedy="Usual ones are utf-8, cp1252, latin-1 and utf-16.",
        ) from None
    if codec in ("utf-16", "utf-32") and not content.startswith(_UTF16_MARKS + _UTF32_MARKS):
        # A stream of lines insists on the mark.
        return f"{codec}-{'le' if sys.byteorder == 'little' else 'be'}"
    if codec != "utf-8":
        return codec
    _refuse_utf16(content, source)
    return "utf-8-sig"


def _refuse_empty(content: bytes, source: str) -> None:
    if not content.removeprefix(codecs.BOM_UTF8).strip():
        raise DataError(
            "the file is empty.", source=source, remedy="Give a file with a header and rows."
        )


def _refuse_utf16(content: bytes, source: str) -> None:
    sample = content[:_SAMPLE]
    marked = sample.startswith(_UTF16_MARKS)
    # Latin letters in UTF-16 have a zero in every other byte; a stray NUL is a bad row.
    if marked or sample.count(0) * 3 > len(sample):
        raise DataError(
            "the file is not UTF-8 but looks like UTF-16.",
            source=source,
            line=1,
            remedy=f"Give its encoding: --encoding {_likely_utf16(sample)}.",
        )


def _likely_utf16(sample: bytes) -> str:
    if sample.startswith(_UTF16_MARKS):
        return "utf-16"
    return "utf-16-le" if sample[1::2].count(0) > sample[::2].count(0) else "utf-16-be"


def _likely(content: bytes) -> str:
    for encoding in ("utf-8", "cp1252"):
        try:
            content.decode(encoding)
        except UnicodeDecodeError:
            continue
        return encoding
    return "latin-1"
