"""What CSV and JSON Lines have in common: broken rows, values as text, text as bytes."""

from __future__ import annotations

import base64
import math
from datetime import date, time
from typing import Any

from textlora.scoring.chunks import Row

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
