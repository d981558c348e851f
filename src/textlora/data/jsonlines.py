"""JSON Lines: one object a line."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from textlora.data.decoding import read_text
from textlora.data.rows import RawTable
from textlora.data.tables import ReadOptions, RejectedRow, find_columns, shown
from textlora.errors import DataError


@dataclass(frozen=True)
class _Objects:
    lines: list[int] = field(default_factory=list)
    values: list[dict[str, Any]] = field(default_factory=list)
    broken: list[RejectedRow] = field(default_factory=list)

    def keys(self) -> list[str]:
        return list(dict.fromkeys(key for value in self.values for key in value))


def read_jsonlines(path: Path, source: str, options: ReadOptions) -> RawTable:
    """Read a file with one JSON object a line; blank lines are passed over.

    Args:
        path: the file.
        source: its name, for messages.
        options: encoding and columns.

    Returns:
        The values of the chosen keys; a key that a line lacks is a missing value.

    Raises:
        DataError: the file cannot be read or decoded, is one JSON document, or
            lacks the columns.
    """
    text = read_text(path, source, options.encoding, tolerant=options.on_bad_rows == "skip")
    refuse_document(text, source)
    objects = _parse(text, source)
    if not objects.values:
        first = objects.broken[0]
        raise DataError(
            f"no line is a JSON object, the first because {first.reason}.",
            source=source,
            line=first.line,
            remedy='Write one object a line, such as {"text": "Good.", "label": 1}.',
        )
    columns = find_columns(objects.keys(), options, source)
    return RawTable(
        source=source,
        text_column=columns.text,
        label_column=columns.label,
        lines=objects.lines,
        texts=[value.get(columns.text) for value in objects.values],
        labels=None
        if columns.label is None
        else [value.get(columns.label) for value in objects.values],
        broken=objects.broken,
    )


class BadLineError(ValueError):
    """A line that is no JSON object; its message is the reason."""


def parse_object(line: str) -> dict[str, Any]:
    """Return the object in a line.

    Raises:
        BadLineError: there is none, or a key occurs twice in it.
    """
    try:
        value = json.loads(line, object_pairs_hook=_object)
    except (ValueError, RecursionError) as error:
        raise BadLineError(_reason(error)) from None
    if not isinstance(value, dict):
        raise BadLineError("the line is not a JSON object")
    return value


def _parse(text: str, source: str) -> _Objects:
    objects = _Objects()
    # JSON strings may hold U+2028 and the like, at which str.splitlines would cut.
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            value = parse_object(line)
        except BadLineError as bad:
            told = shown(line.strip())
            objects.broken.append(RejectedRow(source, number, None, told, str(bad)))
            continue
        objects.lines.append(number)
        objects.values.append(value)
    return objects


class _RepeatedKeyError(ValueError):
    pass


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise _RepeatedKeyError(f"the key '{twice}' occurs more than once in the line")
    return value


def _reason(error: ValueError | RecursionError) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"the line is not valid JSON ({error.msg} at character {error.colno})"
    if isinstance(error, _RepeatedKeyError):
        return str(error)
    return "the line is not valid JSON (it is nested too deep, or has an endless number)"


def refuse_document(text: str, source: str) -> None:
    """Refuse a file that is one JSON document.

    Args:
        text: the file's text, or its beginning.
        source: its name, for messages.

    Raises:
        DataError: it is one.
    """
    start = text.lstrip()
    first_line = start.split("\n", 1)[0].strip()
    if not (first_line == "{" or start.startswith("[")):
        return
    raise DataError(
        "the file is one JSON document, and JSON Lines (one object a line) is expected.",
        source=source,
        line=1,
        remedy="Convert it, for instance with: jq -c '.[]' old.json > new.jsonl",
    )
