"""Adapters load without textlora, as docs/loading.md says: its own code is run here."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from support.tiny import Reviews
from textlora.files import RunFolder
from textlora.training.job import train

DOCUMENT = Path(__file__).parents[2] / "docs" / "loading.md"
VARIANTS: dict[str, tuple[int, dict[str, Any]]] = {
    "two labels": (0, {"lora.target_modules": ["q", "v", "ffn"]}),
    "pissa": (0, {"lora.init_lora_weights": "pissa", "lora.use_rslora": True}),
    "head by LoRA": (0, {"lora.target_modules": ["q", "head"]}),
    "roberta": (0, {"data.truncation_side": "right"}),
    "one unit": (1, {"model.head": "linear", "model.loss": "bce"}),
    "the defaults": (
        1,
        {
            **{"model.head": "linear", "model.pooling": "mean"},
            "lora.target_modules": ["q", "k", "v", "out", "ffn"],
        },
    ),
    "two layers on the mean": (1, {"model.head": "mlp", "model.pooling": "mean"}),
}
# Longer than the tiny models take, and another text when it is cut at the other end.
LONG = "it was good , " + "the story " * 50 + "was very bad"
RUN = """
import json, sys
asked = json.load(sys.stdin)
found = []
for code, folder in asked["runs"]:
    names = {"folder": folder, "texts": asked["texts"]}
    exec(asked["blocks"][code], names)
    shown = [key for key in ("logits", "probabilities") if key in names]
    found.append({key: names[key].tolist() for key in shown})
assert "textlora" not in sys.modules
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def runs(
    make_config: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    root = tmp_path_factory.mktemp("runs")
    architectures = {"roberta": "roberta"}
    return {
        name: train(
            make_config(changes, architectures.get(name, "distilbert")), RunFolder(root / name)
        )
        for name, (_, changes) in VARIANTS.items()
    }


def test_the_documented_code_gives_the_same_answers(
    runs: dict[str, Any], reviews: Reviews, tmp_path: Path
) -> None:
    blocks = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    texts = [*reviews.texts[64:], LONG]
    asked = {
        "blocks": blocks,
        "texts": texts,
        "runs": [(block, str(runs[name].folder.adapter)) for name, (block, _) in VARIANTS.items()],
    }
    done = subprocess.run(
        [sys.executable, "-c", RUN],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    for name, found in zip(VARIANTS, json.loads(done.stdout.splitlines()[-1]), strict=True):
        predictor = runs[name].predictor
        sequences = predictor.sequences(texts)
        assert sequences.truncated.sum() == 1
        logits = predictor.logits(sequences)
        expected = {"logits": logits, "probabilities": predictor.probabilities_of(logits)}
        for key, values in found.items():
            np.testing.assert_allclose(
                values, expected[key], atol=1e-5, rtol=1e-5, err_msg=f"{name}: {key}"
            )
