"""JSON Lines: typed values, and lines that are not what they should be."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from textlora.data import ReadOptions, read_table
from textlora.errors import DataError

Write = Callable[..., Path]
FIRST = '{"text": "first", "label": "pos"}\n'


def lines(*values: Any) -> str:
    return "".join(json.dumps(value, ensure_ascii=False) + "\n" for value in values)


@pytest.mark.parametrize("name", ["r.jsonl", "r.ndjson", "r.json", "R.JSONL"])
def test_texts_lines_and_labels(write: Write, name: str) -> None:
    content = lines({"text": "a\u2028b\nc", "label": 1}) + "\n" + lines({"label": 0, "text": "NA"})
    table = read_table(write(name, content), ReadOptions())
    assert (table.texts, table.labels, table.lines) == (["a\u2028b\nc", "NA"], [1, 0], [1, 3])


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ([True, False], ["true", "false"]),
        (["0", "1"], ["0", "1"]),
        ([1.0, 0.0], [1, 0]),
        ([["b", "a"], []], [("a", "b"), ()]),
        ([["a"], "b"], [("a",), ("b",)]),
    ],
)
def test_labels_keep_their_type(write: Write, labels: list[Any], expected: list[Any]) -> None:
    content = lines(*({"text": "t", "label": label} for label in labels))
    assert read_table(write("r.jsonl", content), ReadOptions()).labels == expected


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"text": "a"', "the line is not valid JSON (Expecting ',' delimiter at character 13)"),
        ('["a", "pos"]', "the line is not a JSON object"),
        ('{"text": "a", "text": "b"}', "the key 'text' occurs more than once in the line"),
        ('{"label": "pos"}', "the text is missing"),
        ('{"text": null, "label": "pos"}', "the text is missing"),
        ('{"text": "", "label": "pos"}', "the text is missing"),
        ('{"text": 7, "label": "pos"}', "the text is not a string but a number (7)"),
        ('{"text": "a\\u0000", "label": "pos"}', "the text has a NUL byte in it"),
        ('{"text": "a"}', "the label is missing"),
        ('{"text": "a", "label": null}', "the label is missing"),
        ('{"text": "a", "label": NaN}', "the label is missing"),
        ("[" * 100_000, "the line is not valid JSON (it is nested too deep, or has an endless"),
    ],
)
def test_a_bad_line_stops_or_is_set_aside(write: Write, line: str, reason: str) -> None:
    path = write("r.jsonl", FIRST + "\n" + line + "\n" + FIRST)
    with pytest.raises(DataError) as caught:
        read_table(path, ReadOptions())
    assert str(caught.value).startswith(f"{path}, line 3")
    assert reason in str(caught.value)
    assert "--on-bad-rows skip" in caught.value.remedy
    table = read_table(path, ReadOptions(on_bad_rows="skip"))
    assert table.lines == [1, 4]
    assert [row.line for row in table.rejected] == [3]


def test_bytes_that_do_not_decode_cost_one_row(write: Write) -> None:
    content = FIRST.encode() + b'{"text": "caf\xe9", "label": "neg"}\n'
    table = read_table(write("r.jsonl", content), ReadOptions(on_bad_rows="skip"))
    assert [(row.line, row.text) for row in table.rejected] == [(2, "caf\\udce9")]


def test_keys_of_all_lines_are_columns(write: Write) -> None:
    content = lines({"id": 1}, {"text": "a", "label": 1})
    table = read_table(write("r.jsonl", content), ReadOptions(on_bad_rows="skip"))
    assert (table.texts, table.lines) == (["a"], [2])


@pytest.mark.parametrize("content", ['[\n{"text": "a", "label": 1}\n]\n', '{\n"text": "a"\n}\n'])
def test_one_document_is_not_json_lines(write: Write, content: str) -> None:
    with pytest.raises(DataError, match=r"r\.json, line 1: .*one JSON document.*Convert"):
        read_table(write("r.json", content), ReadOptions())


def test_no_line_is_an_object(write: Write) -> None:
    with pytest.raises(DataError, match=r"r\.jsonl, line 1: no line is a JSON object.*Write one"):
        read_table(write("r.jsonl", "text,label\na,1\n"), ReadOptions())
