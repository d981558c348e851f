"""The promise that the fast path is removable: a copy without `fast/` does the same, slower."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from support.tiny import Reviews
from textlora.inference.predictor import Predictor

SOURCE = Path(__file__).parents[2] / "src"


@pytest.fixture
def copy(tmp_path: Path) -> Callable[..., str]:
    """Return a function that runs Python in a copy of the package without `fast/`."""
    target = tmp_path / "src" / "textlora"
    shutil.copytree(SOURCE / "textlora", target, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.rmtree(target / "fast")

    def run(*arguments: str) -> str:
        environment = {**os.environ, "PYTHONPATH": str(target.parent)}
        done = subprocess.run(
            [sys.executable, *arguments],
            capture_output=True,
            text=True,
            env=environment,
            cwd=tmp_path,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_a_copy_without_fast_trains_predicts_and_scores(
    copy: Callable[..., str], make_config: Callable[..., Any], reviews: Reviews, tmp_path: Path
) -> None:
    settings = tmp_path / "settings.yaml"
    settings.write_text(make_config({"compute.path": "auto"}).to_yaml(), encoding="utf-8")
    out = tmp_path / "run"
    shown = copy("-m", "textlora", "train", "--recipe", str(settings), "--out", str(out))
    assert "no fast path" in " ".join(shown.split())
    answered = copy("-m", "textlora", "predict", str(out), reviews.texts[0], "--json")
    probabilities = json.loads(answered)["probabilities"]
    # The same run, answered by the fast path.
    expected = Predictor.load(out).predict_proba([reviews.texts[0]])[0]
    np.testing.assert_allclose(list(probabilities.values()), expected, atol=2e-2)
    scored = tmp_path / "scored.csv"
    verb = ("-m", "textlora", "score", str(out), str(reviews.test), "--prefix", "by_")
    copy(*verb, "--out", str(scored))
    assert scored.is_file()


def test_the_demand_for_it_is_refused(
    copy: Callable[..., str], make_config: Callable[..., Any], tmp_path: Path
) -> None:
    settings = tmp_path / "settings.yaml"
    settings.write_text(make_config({"compute.path": "fast"}).to_yaml(), encoding="utf-8")
    with pytest.raises(AssertionError, match=r"compute\.path=fast: this copy of textlora has no"):
        copy("-m", "textlora", "train", "--recipe", str(settings), "--out", str(tmp_path / "run"))


def test_it_serves_every_adapter_with_a_model_of_its_own(
    copy: Callable[..., str], finished: Any
) -> None:
    program = (
        "import sys; from pathlib import Path; from textlora.serving.adapters import Registry\n"
        "registry = Registry(None, None)\n"
        "print(type(registry.add('own', Path(sys.argv[1])).engine).__name__)\n"
    )
    assert copy("-c", program, str(finished.folder.path)).strip() == "OwnEngine"
