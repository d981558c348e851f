"""Bytes of a file to text, with a message for bytes that do not decode."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from pathlib import Path

from textlora.errors import DataError

_UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_SAMPLE = 4_096
_START = 1_000_000


def read_bytes(path: Path, source: str) -> bytes:
    """Return a file's bytes.

    Raises:
        DataError: it cannot be read, or is empty.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise unreadable(error, source) from None
    _refuse_empty(content, source)
    return content


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


def read_text(path: Path, source: str, encoding: str, *, tolerant: bool) -> str:
    """Return a file's text.

    Args:
        path: the file.
        source: its name, for messages.
        encoding: how to decode it; a byte order mark of UTF-8 is taken away.
        tolerant: keep bytes that do not decode as lone surrogates, so that only
            the rows that hold them are lost.

    Raises:
        DataError: the file cannot be read, is empty, or is not in this encoding;
            the message names the line, the byte and the likely encoding.
    """
    content = read_bytes(path, source)
    codec = _codec(encoding, content, source)
    try:
        return content.decode(codec)
    except UnicodeDecodeError as error:
        if tolerant and _keeps_bytes(codec):
            return content.decode(codec, "surrogateescape")
        raise _undecodable(content, error, source, encoding) from None


def stream_lines(path: Path, source: str, encoding: str, longest: int) -> Iterator[str]:
    """Yield a file's physical lines with their line breaks, holding one at a time.

    Bytes that do not decode are kept as lone surrogates, as by a tolerant `read_text`. Lines end
    with a line feed; only a file without any at its start is read as one of old Mac lines.

    Args:
        path: the file.
        source: its name, for messages.
        encoding: how to decode it; a byte order mark of UTF-8 is taken away.
        longest: characters that a line may have.

    Raises:
        DataError: the file cannot be read, is empty, is not in this encoding, or a line is longer.
    """
    try:
        with path.open("rb") as file:
            start = file.read(_START)
    except OSError as error:
        raise unreadable(error, source) from None
    _refuse_empty(start, source)
    codec = _codec(encoding, start, source)
    errors = "surrogateescape" if _keeps_bytes(codec) else "strict"
    end = "\n" if b"\n" in start or b"\r" not in start else "\r"
    number = 1
    try:
        with path.open(encoding=codec, errors=errors, newline=end) as lines:
            while line := lines.readline(longest + 1):
                if len(line) > longest:
                    raise DataError(
                        f"the line is longer than {longest:,} characters.",
                        source=source,
                        line=number,
                        remedy="Check that this is a table of texts, and how its lines end.",
                    )
                yield line
                number += 1
    except UnicodeDecodeError as error:
        raise DataError(
            f"the bytes are not valid {encoding} ({error.reason}).",
            source=source,
            line=number,
            remedy="Name the right one with --encoding.",
        ) from None
    except OSError as error:
        raise unreadable(error, source) from None


def has_utf8_mark(path: Path) -> bool:
    """Say whether a file starts with the byte order mark of UTF-8."""
    with path.open("rb") as file:
        return file.read(len(codecs.BOM_UTF8)) == codecs.BOM_UTF8


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
    if codec != "utf-8":
        return codec
    _refuse_utf16(content, source)
    return "utf-8-sig"


def _keeps_bytes(codec: str) -> bool:
    return not codec.startswith(("utf-16", "utf-32"))


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


def _undecodable(
    content: bytes, error: UnicodeDecodeError, source: str, encoding: str
) -> DataError:
    likely = _likely(content)
    # utf-8-sig counts from behind the byte order mark.
    offset = len(content) - len(error.object) + error.start
    return DataError(
        f"byte 0x{content[offset]:02X} (byte {offset + 1} of the file) is not valid {encoding}.",
        source=source,
        line=content.count(b"\n", 0, offset) + 1,
        remedy=f"The file looks like {likely}: give --encoding {likely}, or set such rows aside "
        "with --on-bad-rows skip.",
    )


def _likely(content: bytes) -> str:
    for encoding in ("utf-8", "cp1252"):
        try:
            content.decode(encoding)
        except UnicodeDecodeError:
            continue
        return encoding
    return "latin-1"
