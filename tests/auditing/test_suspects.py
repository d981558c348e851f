"""What cleanlab is asked, and what becomes of its answers."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from textlora.auditing.suspects import (
    Suspect,
    find_issues,
    rank_suspects,
    require_cleanlab,
    write_suspects,
)
from textlora.data.labels import LabelSet
from textlora.data.loading import Part
from textlora.data.tables import TextTable
from textlora.errors import MissingExtraError


def part_of(targets: Any) -> Part:
    rows = len(targets)
    texts = [f"text {row}" for row in range(rows)]
    lines = list(range(2, rows + 2))
    return Part(TextTable("rows.csv", texts, None, lines, [], None), np.array(targets))


def two_classes() -> tuple[Part, Any]:
    """30 rows of two classes, answered surely; rows 3 and 8 are labelled wrongly."""
    truth = np.arange(30) % 2
    probabilities = np.full((30, 2), 0.1)
    probabilities[np.arange(30), truth] = 0.9
    probabilities[8] = [0.98, 0.02]
    given = truth.copy()
    given[[3, 8]] = 1 - given[[3, 8]]
    return part_of(given), probabilities


def test_wrong_labels_are_flagged_and_the_surest_is_first() -> None:
    part, probabilities = two_classes()
    issues = find_issues(part.targets, probabilities)
    assert np.flatnonzero(issues.flagged).tolist() == [3, 8]
    np.testing.assert_allclose(issues.quality[[3, 8, 0]], [0.1, 0.02, 0.9])
    labels = LabelSet(("no", "yes"), False, (0, 1))
    first, second = rank_suspects(part, labels, probabilities, issues)
    assert first == Suspect(
        rank=1,
        line=10,
        given_label="yes",
        suggested_label="no",
        probability_given=pytest.approx(0.02),
        probability_suggested=pytest.approx(0.98),
        label_quality=pytest.approx(0.02),
        flagged=True,
        text="text 8",
    )
    assert (second.rank, second.line, second.given_label) == (2, 5, "no")


def test_rows_answered_otherwise_are_suspects_though_not_flagged() -> None:
    part, probabilities = two_classes()
    probabilities[11] = [0.51, 0.49]
    issues = find_issues(part.targets, probabilities)
    labels = LabelSet(("no", "yes"), False, (0, 1))
    last = rank_suspects(part, labels, probabilities, issues)[-1]
    assert (last.line, last.flagged, last.suggested_label) == (13, False, "no")


def test_several_labels_a_text() -> None:
    truth = np.array([[1, 0, 1], [0, 1, 0], [1, 1, 0], [0, 0, 0]] * 8, np.float32)
    probabilities = np.where(truth > 0, 0.9, 0.1)
    given = truth.copy()
    given[5] = [0, 0, 1]  # two decisions are wrong
    issues = find_issues(given, probabilities)
    assert np.flatnonzero(issues.flagged).tolist() == [5]
    labels = LabelSet(("x", "y", "z"), True, ("x", "y", "z"))
    (suspect,) = rank_suspects(part_of(given), labels, probabilities, issues)
    assert (suspect.given_label, suspect.suggested_label) == ("z", "y")
    assert suspect.probability_given == pytest.approx(0.1)
    assert suspect.probability_suggested == pytest.approx(0.9)


def test_the_file_holds_whole_texts(tmp_path: Path) -> None:
    suspect = Suspect(1, 7, "a,b", 'say "c"', 0.1, 0.9, 0.1, True, "two\nlines, and more")
    write_suspects([suspect], tmp_path / "suspects.csv")
    with (tmp_path / "suspects.csv").open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    assert row == {
        "rank": "1",
        "line": "7",
        "given_label": "a,b",
        "suggested_label": 'say "c"',
        "probability_given": "0.1000",
        "probability_suggested": "0.9000",
        "label_quality": "0.1000",
        "flagged": "yes",
        "text": "two\nlines, and more",
    }


def test_without_cleanlab_the_install_command_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"pip install '\.\[audit\]'"):
        require_cleanlab()
