"""What is refused, what is left behind, and what a scoring can go on from."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from support.scorers import COUNTING
from textlora.data.formats import Limits
from textlora.errors import ConfigError, DataError, RunError, StorageError
from textlora.scoring.job import Request, score_file
from textlora.scoring.scorer import Answers, Scorer
from textlora.scoring.shards import WorkFolder

from .conftest import read_csv, run

Table = Callable[..., Path]
FORMATS = ["csv", "jsonl", "parquet"]


class StopError(Exception):
    """The classifier breaks down."""


def stopping_after(chunks: int) -> Scorer:
    """The classifier that counts letters, for so many chunks."""
    left = iter(range(chunks))

    def answer(texts: Any, progress: Any) -> Answers:
        if next(left, None) is None:
            raise StopError
        return COUNTING.answer(texts, progress)

    return replace(COUNTING, answer=answer)


def interrupted(source: Path, out: Path, chunks: int = 2, **more: Any) -> WorkFolder:
    """Score so many chunks of three rows, and no more."""
    with pytest.raises(StopError):
        score_file(Request(str(source), out, limits=Limits(3), **more), stopping_after(chunks))
    return WorkFolder(out)


@pytest.mark.parametrize("suffix", FORMATS)
def test_an_interrupted_scoring_goes_on(suffix: str, table: Table, tmp_path: Path) -> None:
    source, out, whole = table(f"in.{suffix}"), tmp_path / f"o.{suffix}", tmp_path / f"w.{suffix}"
    run(source, whole)
    work = interrupted(source, out)
    assert not out.exists()
    assert work.path.is_dir()
    summary = run(source, out, resume=True)
    assert out.read_bytes() == whole.read_bytes()
    assert not work.path.exists()
    assert (summary.rows, summary.resumed) == (20, 6)


def test_the_summary_counts_the_shards_of_before(table: Table, tmp_path: Path) -> None:
    source = table("in.csv")
    whole = run(source, tmp_path / "whole.csv")
    interrupted(source, tmp_path / "out.csv")
    summary = run(source, tmp_path / "out.csv", resume=True)
    assert (summary.rows, summary.errors, summary.truncated, summary.labels) == (
        *(whole.rows, whole.errors, whole.truncated),
        whole.labels,
    )
    assert whole.errors == 1  # the first row is blank
    assert sum(whole.labels.values()) == whole.rows - whole.errors


@pytest.mark.parametrize("harm", ["change", "remove", "cut the manifest", "cut a line"])
def test_damaged_shards_are_scored_again(harm: str, table: Table, tmp_path: Path) -> None:
    source, out = table("in.csv"), tmp_path / "out.csv"
    run(source, tmp_path / "whole.csv")
    work = interrupted(source, out, 4)
    manifest = work.path / "manifest.jsonl"
    if harm == "change":
        shard = work.shard_path(1)
        shard.write_bytes(shard.read_bytes().replace(b"even", b"EVEN").replace(b"odd", b"ODD"))
    elif harm == "remove":
        work.shard_path(1).unlink()
    else:
        kept = manifest.read_bytes().splitlines(keepends=True)[: 4 if "line" in harm else 3]
        kept[-1] = kept[-1][: -20 if "line" in harm else None]
        manifest.write_bytes(b"".join(kept))
    summary = run(source, out, resume=True)
    assert summary.resumed == 3 * (2 if "cut" in harm else 1)
    assert out.read_bytes() == (tmp_path / "whole.csv").read_bytes()


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"prefix": "x_"}, "--prefix"),
        ({"limits": Limits(4)}, "the size of a chunk"),
        ({"scorer": {"adapter": "another"}}, "the adapter"),
        ({"input": True}, "the input"),
    ],
)
def test_nothing_goes_on_with_something_else(
    change: dict[str, Any], named: str, table: Table, tmp_path: Path
) -> None:
    source, out = table("in.csv"), tmp_path / "out.csv"
    work = interrupted(source, out)
    if change.pop("input", False):
        source.write_text(source.read_text() + "21,more\n")
    scorer = replace(COUNTING, identity=change.pop("scorer", COUNTING.identity))
    request = Request(str(source), out, **{"limits": Limits(3), "resume": True, **change})
    with pytest.raises(RunError, match=f"{named} changed since"):
        score_file(request, scorer)
    assert work.path.is_dir()
    assert score_file(replace(request, resume=False, overwrite=True), scorer).resumed == 0


def test_resume_starts_where_nothing_is_interrupted(table: Table, tmp_path: Path) -> None:
    assert run(table("in.csv"), tmp_path / "out.csv", resume=True).resumed == 0


def test_what_is_in_the_way_stays(table: Table, tmp_path: Path) -> None:
    source, out = table("in.csv"), tmp_path / "out.csv"
    out.write_text("mine")
    for more in ({}, {"resume": True}):
        with pytest.raises(RunError, match="Replace it with --overwrite"):
            run(source, out, **more)
    assert out.read_text() == "mine"
    other = tmp_path / "other.csv"
    WorkFolder(other).path.mkdir()
    (WorkFolder(other).path / "mine").touch()
    for more in ({}, {"resume": True}, {"overwrite": True}):
        with pytest.raises(RunError, match="not of an interrupted scoring"):
            run(source, other, **more)
    run(source, out, overwrite=True)
    assert len(read_csv(out.read_bytes())) == 20


def test_an_interrupted_scoring_is_not_forgotten(table: Table, tmp_path: Path) -> None:
    source, out = table("in.csv"), tmp_path / "out.csv"
    interrupted(source, out)
    with pytest.raises(RunError, match="Go on with --resume"):
        run(source, out)
    out.write_text("mine")
    with pytest.raises(RunError, match="not of the interrupted scoring"):
        run(source, out, resume=True)
    assert run(source, out, resume=True, overwrite=True).resumed == 6


def test_where_nothing_is_done_nothing_is_left(table: Table, tmp_path: Path) -> None:
    source, out = table("in.csv"), tmp_path / "out.csv"
    interrupted(source, out, 0)
    assert [entry.name for entry in tmp_path.iterdir()] == ["in.csv"]


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("full", ["shard", "joined"])
def test_a_full_disk_leaves_no_output(
    full: str, suffix: str, table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, out = table(f"in.{suffix}", 40), tmp_path / f"out.{suffix}"
    place = WorkFolder.shard_path
    with monkeypatch.context() as patch:
        device = Path("/dev/full")
        if full == "joined":
            patch.setattr(WorkFolder, "joined", property(lambda self: device))
        else:
            at = lambda self, number: device if number == 2 else place(self, number)  # noqa: E731
            patch.setattr(WorkFolder, "shard_path", at)
        with pytest.raises(StorageError, match="No space left"):
            run(source, out)
    assert not out.exists()
    run(source, out, resume=True)
    run(source, tmp_path / f"whole.{suffix}")
    assert out.read_bytes() == (tmp_path / f"whole.{suffix}").read_bytes()


def test_a_file_that_grows_meanwhile_is_refused(table: Table, tmp_path: Path) -> None:
    source, out = table("in.csv"), tmp_path / "out.csv"

    def answer(texts: Any, progress: Any) -> Answers:
        with source.open("a") as file:
            file.write("21,more\n")
        return COUNTING.answer(texts, progress)

    with pytest.raises(DataError, match="written to while it was scored"):
        score_file(Request(str(source), out), replace(COUNTING, answer=answer))
    assert not out.exists()


def test_columns_that_would_be_there_twice(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("text,label\na,1\n")
    with pytest.raises(DataError, match=r"the column 'label' is there already.*--prefix"):
        run(tmp_path / "in.csv", tmp_path / "out.csv")
    run(tmp_path / "in.csv", tmp_path / "out.csv", prefix="new_")
    columns = [f"new_{name}" for name in ("label", "probability_even", "probability_odd", "error")]
    assert list(read_csv((tmp_path / "out.csv").read_bytes())[0]) == ["text", "label", *columns]
    # In JSON Lines a key may turn up in any line.
    (tmp_path / "in.jsonl").write_text('{"text": "a"}\n{"text": "b", "error": 1}')
    with pytest.raises(DataError, match="the column 'error'"):
        run(tmp_path / "in.jsonl", tmp_path / "out.jsonl")


def test_files_that_cannot_be_scored(table: Table, tmp_path: Path) -> None:
    source, out = table("in.csv"), tmp_path / "out.csv"
    with pytest.raises(ConfigError, match="the suffix says"):
        run(source, tmp_path / "out.txt")
    with pytest.raises(ConfigError, match="is the file to score"):
        run(source, source, overwrite=True)
    with pytest.raises(DataError, match=r"Did you mean .*in\.csv"):
        run(tmp_path / "inn.csv", out)
    for name, content, message in (
        ("a.csv", "text,x\n", "a header and no rows"),
        ("b.csv", "", "the file is empty"),
        ("c.csv", "a;b\n1;2\n", "--delimiter ';'"),
        ("d.csv", "a,b\n1,2\n", "--text-column"),
        ("e.jsonl", '[{"text": 1}]', "one JSON document"),
        ("f.jsonl", "no\n", "no line is a JSON object"),
        ("g.parquet", "no", "not a Parquet file"),
        ("h.txt", "no", "the file type .txt is not known"),
    ):
        (tmp_path / name).write_text(content)
        with pytest.raises(DataError, match=message):
            run(tmp_path / name, out)
    assert not list(tmp_path.glob("out*"))


def test_several_labels_and_unsure_ones(tmp_path: Path) -> None:
    from support.scorers import Answer

    shares = {"a": 0.9, "b": 0.8}
    given = [Answer(["a", "b"], shares), Answer([], shares), Answer(None, shares, unsure=True)]
    scorer = replace(
        COUNTING, classes=("a", "b"), multi_label=True, answer=lambda *_: Answers(given, 0)
    )
    (tmp_path / "in.csv").write_text("text\nx\ny\nz\n")
    summaries = [
        score_file(Request(str(tmp_path / "in.csv"), tmp_path / f"out.{suffix}"), scorer)
        for suffix in FORMATS
    ]
    assert summaries[0].labels == {"a": 1, "b": 1, "unsure": 1}
    rows = read_csv((tmp_path / "out.csv").read_bytes())
    assert [row["label"] for row in rows] == ["a|b", "", "unsure"]
    import pyarrow.parquet as pq

    lists = pq.read_table(tmp_path / "out.parquet").column("label").to_pylist()
    assert lists == [["a", "b"], [], ["unsure"]]
    lines = (tmp_path / "out.jsonl").read_text().splitlines()
    assert [json.loads(line)["label"] for line in lines] == lists
