"""Bytes that do not decode: the line, the byte, and the likely encoding."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from textlora.data import ReadOptions, read_table
from textlora.data.formats import text
from textlora.errors import DataError

Write = Callable[..., Path]
ROWS = "text,label\nfine,1\ncafé “noir”,0\n"


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_message_names_line_byte_and_encoding(write: Write, mark: bytes) -> None:
    content = mark + ROWS.encode("cp1252")
    place = content.index(b"\xe9") + 1
    with pytest.raises(DataError) as caught:
        read_table(write("r.csv", content), ReadOptions())
    assert "r.csv, line 3: byte 0xE9" in str(caught.value)
    assert f"byte {place} of the file" in str(caught.value)
    assert "--encoding cp1252" in caught.value.remedy


def test_latin1_where_cp1252_does_not_fit(write: Write) -> None:
    with pytest.raises(DataError, match=r"--encoding latin-1"):
        read_table(write("r.csv", b"text,label\ncaf\xe9 \x81,1\n"), ReadOptions())


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf16_is_recognised(write: Write, encoding: str) -> None:
    with pytest.raises(DataError, match=rf"looks like UTF-16.*--encoding {encoding}\."):
        read_table(write("r.csv", ROWS.encode(encoding)), ReadOptions())


@pytest.mark.parametrize("encoding", ["utf-8", "UTF8", "cp1252", "utf-16", "utf-16-le"])
def test_the_right_encoding_reads(write: Write, encoding: str) -> None:
    table = read_table(write("r.csv", ROWS.encode(encoding)), ReadOptions(encoding=encoding))
    assert table.texts == ["fine", "café “noir”"]


def test_utf16_without_its_mark_is_read_in_the_order_of_this_machine(write: Write) -> None:
    path = write("r.csv", ROWS.encode("utf-16")[2:])
    assert len(read_table(path, ReadOptions(encoding="utf-16"))) == 2


def test_utf8_read_as_ascii_suggests_utf8(write: Write) -> None:
    with pytest.raises(DataError, match=r"--encoding utf-8"):
        read_table(write("r.csv", ROWS), ReadOptions(encoding="ascii"))


def test_unknown_encoding(write: Write) -> None:
    with pytest.raises(DataError, match=r"no encoding called 'utf-88'\. Usual ones"):
        read_table(write("r.csv", ROWS), ReadOptions(encoding="utf-88"))


def test_truncated_utf16_is_an_error_even_when_skipping(write: Write) -> None:
    content = ROWS.encode("utf-16-le")[:-1]
    options = ReadOptions(encoding="utf-16-le", on_bad_rows="skip")
    with pytest.raises(DataError, match="not valid utf-16-le"):
        read_table(write("r.csv", content), options)


@pytest.mark.parametrize("start", [4, 64, 1_000_000])
def test_a_bad_byte_is_found_block_by_block(
    write: Write, start: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the size of the blocks, and with a character of several bytes across two."""
    monkeypatch.setattr(text, "_START", start)
    good = "\ufeff" + ROWS + "größer, länger,1\n" * 40
    content = good.encode() + b"caf\xe9,1\n" + b"fine,0\n" * 30
    with pytest.raises(DataError) as caught:
        read_table(write("r.csv", content), ReadOptions())
    assert caught.value.line == good.count("\n") + 1
    assert f"byte {len(good.encode()) + 4} of the file" in str(caught.value)


def test_a_damaged_utf16_file_is_not_called_another_encoding(write: Write) -> None:
    content = (ROWS * 3).encode("utf-16") + b"\x00\xd8" + ROWS.encode("utf-16-le")
    with pytest.raises(DataError) as caught:
        read_table(write("r.csv", content), ReadOptions(encoding="utf-16"))
    assert caught.value.line == 10
    assert caught.value.remedy.startswith("The file is damaged there, or not utf-16")


@pytest.mark.parametrize("content", ["", "\n \n", "\ufeff"])
def test_empty_file(write: Write, content: str) -> None:
    with pytest.raises(DataError, match=r"r\.csv: the file is empty\. Give"):
        read_table(write("r.csv", content), ReadOptions())
