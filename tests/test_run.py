"""The run folder: what it says of itself is what happened."""

from __future__ import annotations

from pathlib import Path

import pytest

from textlora.errors import RunError, StorageError
from textlora.files import RunFolder, new_run_path, read_json, write_json, write_text


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder(tmp_path / "run")


def test_only_a_finished_run_is_read(folder: RunFolder) -> None:
    with pytest.raises(RunError, match="no such run folder"):
        folder.require_finished()
    folder.begin()
    with pytest.raises(RunError, match=r"is running, not finished.*--resume"):
        folder.require_finished()
    folder.finish()
    folder.require_finished()


def test_a_failed_run_keeps_its_reason_while_it_can_be_resumed(folder: RunFolder) -> None:
    folder.begin()
    (folder.checkpoints / "checkpoint-1").mkdir(parents=True)
    folder.fail("the disk is full")
    with pytest.raises(RunError, match="is failed, not finished: the disk is full"):
        folder.require_finished()
    folder.begin(resume=True)
    assert folder.state()["state"] == "running"


def test_a_failed_run_without_checkpoints_leaves_nothing(folder: RunFolder) -> None:
    folder.begin()
    folder.fail("why not")
    assert not folder.path.exists()


def test_other_peoples_files_are_never_touched(folder: RunFolder) -> None:
    folder.path.mkdir()
    (folder.path / "thesis.txt").write_text("42")
    for options in ({}, {"overwrite": True}, {"resume": True}):
        with pytest.raises(RunError, match="not a run's"):
            folder.begin(**options)
    assert (folder.path / "thesis.txt").read_text() == "42"


def test_a_finished_run_is_replaced_only_when_asked(folder: RunFolder) -> None:
    folder.begin()
    folder.finish()
    write_text(folder.report, "old")
    with pytest.raises(RunError, match=r"there is a run.*\(finished\).*--overwrite"):
        folder.begin()
    with pytest.raises(RunError, match="nothing to resume"):
        folder.begin(resume=True)
    folder.begin(overwrite=True)
    assert not folder.report.exists()


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("")
    with pytest.raises(RunError, match="this is a file"):
        RunFolder(tmp_path / "run").begin()


def test_a_damaged_state_is_no_finished_run(folder: RunFolder) -> None:
    folder.begin()
    folder.state_file.write_text("{")
    with pytest.raises(RunError, match=r"not a run folder"):
        folder.require_finished()


@pytest.mark.parametrize("state", ["running", "failed", None])
def test_what_cannot_be_resumed_says_so(folder: RunFolder, state: str | None) -> None:
    if state is not None:
        folder.begin()  # but without settings
    with pytest.raises(RunError, match="no run to resume"):
        folder.require_resumable()


def test_a_write_that_fails_keeps_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"a": "ü"})

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(StorageError, match="No space left"):
        write_json(path, {"a": 2})
    monkeypatch.undo()
    assert read_json(path) == {"a": "ü"}
    assert list(tmp_path.iterdir()) == [path]


def test_new_run_paths_differ_within_a_second(tmp_path: Path) -> None:
    paths = set()
    for _ in range(3):
        path = new_run_path("demo", tmp_path)
        path.mkdir()
        paths.add(path)
    assert len(paths) == 3
