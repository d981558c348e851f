"""`textlora explain` on a finished run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("captum")

Cli = Callable[..., Any]


def test_words_are_listed_where_there_are_no_colours(cli: Cli, finished: Any) -> None:
    done = cli("explain", finished.folder.path, "the film was great")
    assert done.code == 0, done.err
    assert done.out.startswith("Positive\n")
    assert "for Positive: great +" in done.out
    assert "against Positive: " in done.out
    assert "steps." in done.out
    assert "\x1b" not in done.out


def test_colours(cli: Cli, finished: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("FORCE_COLOR", "1")
    run = finished.folder.path
    coloured = cli("explain", run, "the film was great")
    assert coloured.code == 0, coloured.err
    assert "\x1b[1;7;32mgreat" in coloured.out
    assert "32m" not in cli("explain", run, "the film was great", "--no-color").out
    monkeypatch.setenv("NO_COLOR", "1")
    assert "32m" not in cli("explain", run, "the film was great").out


def test_json_and_a_page(cli: Cli, finished: Any, tmp_path: Path) -> None:
    page = tmp_path / "why.html"
    options = ("--json", "--target", "Negative", "--html", page)
    done = cli("explain", finished.folder.path, "great <b>", "dull", *options)
    assert done.code == 0, done.err
    first, second = (json.loads(line) for line in done.out.splitlines())
    assert (first["target"], first["label"], second["label"]) == (
        "Negative",
        "Positive",
        "Negative",
    )
    assert first["words"][0]["text"] == "great"
    assert first["words"][0]["score"] < 0
    assert 'class="against-5"' in page.read_text()
    assert "<b>" not in page.read_text()


def test_mistakes(cli: Cli, finished: Any, tmp_path: Path) -> None:
    done = cli("explain", finished.folder.path, "great", "--target", "good")
    assert (done.code, done.out) == (2, "")
    assert "The classes are Negative, Positive." in done.err
    missing = cli("explain", tmp_path / "none", "great")
    assert missing.code == 2
