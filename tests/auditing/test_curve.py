"""The learning curve as a whole, on a tiny model."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from textlora.auditing.curve import curve, measure
from textlora.data.loading import load_parts
from textlora.errors import ConfigError

Configure = Callable[..., Any]


def test_the_folder_is_complete(audit_config: Configure, tmp_path: Path) -> None:
    config = audit_config({"data.validation_size": 40, "training.num_train_epochs": 2})
    done = curve(config, tmp_path / "curve")
    assert [point.rows for point in done.points] == [8, 16, 32, 56, 80]
    assert done.validation_rows == 40
    assert done.points[-1].value > 0.8
    assert {path.name for path in (tmp_path / "curve").iterdir()} == {
        *("config.yaml", "curve.json", "curve.svg"),
    }
    saved = json.loads((tmp_path / "curve" / "curve.json").read_text())
    assert saved == json.loads(json.dumps(done.to_dict()))
    assert saved["extrapolation"]["rows"] == 160
    svg = (tmp_path / "curve" / "curve.svg").read_text()
    assert "Extrapolated" in svg
    assert "Labels trained on" in svg


def test_repeats_have_other_subsets_and_the_first_is_the_same(audit_config: Configure) -> None:
    config = audit_config({"data.validation_size": 40, "data.test_size": 0})
    parts = load_parts(config.data)
    once = measure(config, parts, [10, 80], 1, Console(quiet=True))
    twice = measure(config, parts, [10, 80], 2, Console(quiet=True))
    first, second = ([each.predicted for each in repeat] for repeat in twice.answers)
    assert (len(first), len(second), twice.texts) == (2, 2, 40)
    np.testing.assert_array_equal([each.predicted for each in once.answers[0]], first)
    assert np.not_equal(first, second).any()


def test_what_cannot_be_measured_is_refused(audit_config: Configure, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no rows to measure on"):
        curve(audit_config({"data.validation_size": 0}), tmp_path / "curve")
    with pytest.raises(ConfigError, match="--repeats 0"):
        curve(audit_config(), tmp_path / "curve", repeats=0)
    assert not list(tmp_path.iterdir())
