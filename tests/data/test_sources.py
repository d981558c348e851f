"""What is a path, what is a Hub id, and what is neither."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import pytest

from textlora.data import ReadOptions, read_table
from textlora.data.sources import Source, looks_like_path
from textlora.errors import DataError

Write = Callable[..., Path]
ROWS = "text,label\na,1\nb,0\n"


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("imdb", False),
        ("stanfordnlp/imdb", False),
        ("shawhin/imdb-truncated", False),
        ("owner/wikitext-2.1", False),
        ("reviews.csv", True),
        ("data/reviews.JSONL", True),
        ("notes.txt", True),
        ("./imdb", True),
        ("~/imdb", True),
        ("/imdb", True),
        ("../imdb", True),
        ("a/b/c", True),
        ("my reviews", True),
        ("", True),
    ],
)
def test_paths_and_hub_ids(name: str, path: bool) -> None:
    assert looks_like_path(name) is path


def test_a_missing_file_suggests_its_neighbours(write: Write) -> None:
    path = write("reviews.csv", ROWS).with_name("reveiws.csv")
    with pytest.raises(DataError, match=r"reveiws\.csv: there is no such file\. Did you mean .*"):
        read_table(path, ReadOptions())
    with pytest.raises(DataError, match=r"reviews\.csv\?"):
        read_table(str(path), ReadOptions())


def test_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder above it"):
        read_table(tmp_path / "no" / "reviews.csv", ReadOptions())


@pytest.mark.parametrize("name", ["~nobody-of-this-name/r.csv", "a\0b.csv", "x" * 300 + ".csv"])
def test_names_that_no_file_can_have(name: str) -> None:
    with pytest.raises(DataError):
        read_table(name, ReadOptions())


def test_what_exists_is_a_path(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("owner/name", ROWS)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="a file without a suffix is not known"):
        read_table("owner/name", ReadOptions())


def test_home_is_expanded(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write("r.csv", ROWS)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert len(read_table("~/r.csv", ReadOptions())) == 2


@pytest.mark.parametrize("name", ["r.txt", "r.xlsx", "r.csv.gz"])
def test_unknown_file_type_lists_the_accepted(write: Write, name: str) -> None:
    with pytest.raises(DataError, match=r"the file type .* is not known\. Accepted are \.csv"):
        read_table(write(name, ROWS), ReadOptions())


def test_a_folder_that_is_no_dataset(write: Write, tmp_path: Path) -> None:
    write("folder/reviews.csv", ROWS)
    with pytest.raises(DataError, match=r"not saved by .*Did you mean .*folder/reviews\.csv"):
        read_table(tmp_path / "folder", ReadOptions())


def test_a_file_has_no_splits(write: Write) -> None:
    path = write("r.csv", ROWS)
    assert Source.open(path, ReadOptions()).splits == ()
    with pytest.raises(DataError, match="a file has no split 'test'"):
        read_table(path, ReadOptions(split="test"))


def test_html_is_stripped_on_demand(write: Write) -> None:
    path = write("r.csv", "text,label\na<br />b &amp; c,1\n")
    assert read_table(path, ReadOptions()).texts == ["a<br />b &amp; c"]
    assert read_table(path, ReadOptions(strip_html=True)).texts == ["a b & c"]


# --- permissions -----------------------------------------------------------------


@pytest.mark.parametrize("name", ["r.csv", "r.jsonl", "r.parquet", "folder"])
def test_no_permission(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    refusal = PermissionError(13, "Permission denied")
    with (
        mock.patch.object(Path, "stat", side_effect=refusal),
        pytest.raises(DataError, match=r"it cannot be read \(Permission denied\)\. Check the perm"),
    ):
        read_table(path, ReadOptions())


@pytest.mark.parametrize("method", ["open", "iterdir"])
def test_no_permission_to_open(write: Write, tmp_path: Path, method: str) -> None:
    write("folder/r.csv", ROWS)
    path = tmp_path / "folder" / ("r.csv" if method == "open" else "")
    with (
        mock.patch.object(Path, method, side_effect=PermissionError(13, "Permission denied")),
        pytest.raises(DataError, match="Permission denied"),
    ):
        read_table(path, ReadOptions())


def test_real_permissions(write: Write) -> None:
    path = write("private/r.csv", ROWS)
    path.parent.chmod(0)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)  # no permission stops root
    try:
        with pytest.raises(DataError, match=r"r\.csv: it cannot be read \(Permission denied\)"):
            read_table(path, ReadOptions())
    finally:
        os.seteuid(user)
        path.parent.chmod(0o700)
