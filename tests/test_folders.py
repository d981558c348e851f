"""Folders that are absent or complete."""

from __future__ import annotations

from pathlib import Path

import pytest

from textlora.errors import RunError
from textlora.files import check_free, is_free, whole_folder


def test_the_name_is_taken_at_the_end(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "made"
    with whole_folder(target, "writing") as folder:
        (folder / "file").write_text("content")
        assert not target.exists()
    assert (target / "file").read_text() == "content"
    assert [path.name for path in target.parent.iterdir()] == ["made"]


def test_nothing_is_left_of_a_failure(tmp_path: Path) -> None:
    def fail() -> None:
        with whole_folder(tmp_path / "made", "writing") as folder:
            (folder / "file").write_text("half")
            raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_an_old_folder_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "made"
    target.mkdir()
    (target / "old").write_text("old")
    with (
        pytest.raises(ValueError, match="stop"),
        whole_folder(target, "writing", replaced=True),
    ):
        raise ValueError("stop")
    assert (target / "old").read_text() == "old"
    with whole_folder(target, "writing", replaced=True) as folder:
        (folder / "new").write_text("new")
    assert [path.name for path in target.iterdir()] == ["new"]


def test_what_has_come_meanwhile_is_not_removed(tmp_path: Path) -> None:
    target = tmp_path / "made"

    def write() -> None:
        with whole_folder(target, "writing"):
            target.mkdir()
            (target / "other").write_text("of somebody else")

    with pytest.raises(RunError, match="something here already"):
        write()
    assert [path.name for path in tmp_path.iterdir()] == ["made"]
    assert (target / "other").read_text() == "of somebody else"


def test_what_is_taken_and_what_is_free(tmp_path: Path) -> None:
    empty, file, used = tmp_path / "empty", tmp_path / "file", tmp_path / "used"
    empty.mkdir()
    file.write_text("")
    used.mkdir()
    (used / "file").write_text("")
    assert is_free(tmp_path / "none")
    assert is_free(empty)
    for taken in (file, used):
        assert not is_free(taken)
        with pytest.raises(RunError, match="something here already"):
            check_free(taken)
        with pytest.raises(RunError, match="something here"), whole_folder(taken, "writing"):
            pass
