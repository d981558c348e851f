"""The label audit as a whole, on a tiny model."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from support.tiny import write_table
from textlora.auditing import audit as job
from textlora.auditing.audit import adapter_answers, audit, make_folds, rows_to_audit
from textlora.errors import RunError, StorageError

from .conftest import ROWS, Labelled

FILES = {"audit.json", "config.yaml", "out_of_fold.csv", "suspects.csv"}
Configure = Callable[..., Any]


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def audited(audit_config: Configure, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    out = tmp_path_factory.mktemp("audits") / "audit"
    return audit(audit_config(), out, folds=4), out


def test_flipped_labels_are_found(audited: tuple[Any, Path], labelled: Labelled) -> None:
    done, out = audited
    rows = read(out / "suspects.csv")
    lines = {row + 2 for row in labelled.flipped}  # the first row of the file is its header
    assert len(lines & {int(row["line"]) for row in rows[:10]}) >= 7
    flagged = {int(row["line"]) for row in rows if row["flagged"] == "yes"}
    assert len(flagged & lines) >= 7
    first = rows[0]
    assert first["text"] == labelled.texts[int(first["line"]) - 2]
    assert {first["given_label"], first["suggested_label"]} == {"0", "1"}
    quality = [float(row["label_quality"]) for row in rows]
    assert quality == sorted(quality)
    assert [int(row["rank"]) for row in rows] == list(range(1, len(rows) + 1))
    assert done.to_dict()["flagged"] == len(flagged)


def test_the_folder_is_complete(audited: tuple[Any, Path], labelled: Labelled) -> None:
    done, out = audited
    assert {path.name for path in out.iterdir()} == FILES
    assert json.loads((out / "audit.json").read_text()) == done.to_dict()
    rows = read(out / "out_of_fold.csv")
    assert [row["given_label"] for row in rows] == [str(label) for label in labelled.labels]
    assert sorted({row["fold"] for row in rows}) == ["1", "2", "3", "4"]
    for row in rows:
        total = float(row["probability_0"]) + float(row["probability_1"])
        assert total == pytest.approx(1, abs=2e-4)
    assert not list(out.parent.glob(".*"))


@pytest.mark.parametrize("path", ["fast", "plain"])
def test_no_row_has_a_say_in_its_own_answer(path: str, audit_config: Configure) -> None:
    """The labels of a fold are turned around: what its own rows are answered stays the same."""
    config = audit_config({"training.num_train_epochs": 1, "compute.path": path})
    parts = rows_to_audit(config)
    targets, names = parts.train.targets, parts.labels.names
    folds = make_folds(parts.train.table.texts, targets, 3, 0, names=names, source="")
    before = adapter_answers(config, parts, folds, Console(quiet=True))
    turned = np.where(folds == 1, 1 - targets, targets)
    changed = replace(parts, train=replace(parts.train, targets=turned))
    after = adapter_answers(config, changed, folds, Console(quiet=True))
    assert np.isfinite(before).all()
    same = (before == after).all(axis=1)
    np.testing.assert_array_equal(same[folds == 1], True)
    assert not same[folds != 1].any()


def test_the_frozen_prefix_may_be_used(audit_config: Configure, tmp_path: Path) -> None:
    config = audit_config({"lora.layers": "top:1", "compute.prefix_cache": True})
    done = audit(config, tmp_path / "audit", folds=2)
    assert done.metrics.accuracy > 0.7


def test_several_labels_a_text(audit_config: Configure, tmp_path: Path, labelled: Labelled) -> None:
    tags = [
        ("good|long" if len(text.split()) > 6 else "good") if label else "bad"
        for text, label in zip(labelled.texts, labelled.labels, strict=True)
    ]
    file = write_table(tmp_path / "tags.csv", labelled.texts, tags)
    config = audit_config({"data.train": str(file), "data.label_separator": "|"})
    done = audit(config, tmp_path / "audit", folds=3)
    lines = {row + 2 for row in labelled.flipped}
    assert len(lines & {suspect.line for suspect in done.suspects[:16]}) >= 6
    assert any("|" in row["given_label"] for row in read(tmp_path / "audit" / "out_of_fold.csv"))


def test_a_taken_place_is_refused_before_any_work(
    audit_config: Configure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job, "adapter_answers", lambda *_: pytest.fail("work was done"))
    (tmp_path / "mine.txt").write_text("kept")
    with pytest.raises(RunError, match="something here already"):
        audit(audit_config(), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_full_disk_leaves_nothing(
    audit_config: Configure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answers(config: Any, parts: Any, folds: Any, console: Any) -> Any:
        return np.tile([0.4, 0.6], (ROWS, 1))

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(job, "adapter_answers", answers)
    monkeypatch.setattr(job, "write_json", full)
    with pytest.raises(StorageError, match="No space left"):
        audit(audit_config(), tmp_path / "audit", folds=2)
    assert not list(tmp_path.iterdir())
