"""The line of an evaluation: what is judged by comes first."""

from __future__ import annotations

import io
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from textlora.training.progress import ProgressCallback


def line(**options: Any) -> str:
    shown = io.StringIO()
    logged = {
        "epoch": 1.0,
        "step": 10,
        "eval_loss": 0.5,
        "eval_accuracy": 0.331,
        "eval_f1": 0.418,
        "eval_mcc": 0.4,
        "eval_seconds": 9.0,
    }
    progress = ProgressCallback(Console(file=shown, width=120), **options)
    state: Any = SimpleNamespace(log_history=[logged])
    nothing: Any = None
    progress.on_evaluate(nothing, state, nothing)
    return shown.getvalue().strip()


@pytest.mark.parametrize(
    ("options", "figures"),
    [
        ({}, "accuracy 33.1%  F1 0.418"),
        ({"metric": "f1"}, "F1 0.418  accuracy 33.1%"),
        ({"metric": "f1", "multi_label": True}, "F1 0.418  all labels right 33.1%"),
        ({"metric": "accuracy", "multi_label": True}, "all labels right 33.1%  F1 0.418"),
    ],
)
def test_what_is_judged_by_comes_first(options: dict[str, Any], figures: str) -> None:
    assert line(**options) == f"epoch 1.00  loss -  validation 0.5000  {figures}  9 s"
