"""The code in docs/export.md, as it stands there, in a process without textlora."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from export.conftest import MakeRun
from support.adapters import Recipe
from textlora.config import ComputeConfig
from textlora.export.exporting import export_run
from textlora.inference.predictor import Predictor

DOCUMENT = Path(__file__).parents[2] / "docs" / "export.md"
PIPELINE, ENCODER_AND_HEAD, ONNX = range(3)
TEXTS = ["it was good", "a dull film , very poor plot", "the story " * 40]
RUN = """
import json, sys
asked = json.load(sys.stdin)
for name in asked["blocked"]:
    sys.modules[name] = None  # importing it fails
names = {"folder": asked["folder"], "texts": asked["texts"]}
exec(asked["code"], names)
print(json.dumps({key: names[key] if key in ("answers", "labels") else names[key].tolist()
                  for key in ("answers", "probabilities", "labels") if key in names}))
"""


def run_block(number: int, folder: Path, blocked: Sequence[str]) -> Any:
    blocks = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    asked = {"code": blocks[number], "folder": str(folder), "texts": TEXTS, "blocked": blocked}
    done = subprocess.run(
        [sys.executable, "-c", RUN], input=json.dumps(asked), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def expected_of(run: Path) -> Any:
    predictor = Predictor.load(run, ComputeConfig(precision="fp32"))
    return predictor.predict_proba(TEXTS), [answer.label for answer in predictor.predict(TEXTS)]


@pytest.mark.parametrize("side", ["right", "left"])
def test_onnx_needs_neither_torch_nor_transformers(make_run: MakeRun, side: str) -> None:
    run = make_run("roberta", Recipe(classes=3), truncation_side=side, temperature=0.7)
    exported = export_run(run, "onnx")
    blocked = ["torch", "transformers", "textlora", "onnx", "peft", "safetensors"]
    found = run_block(ONNX, exported.folder, blocked)
    probabilities, labels = expected_of(run)
    np.testing.assert_allclose(found["probabilities"], probabilities, atol=1e-5)
    assert found["labels"] == labels


def test_the_onnx_lines_are_ten(make_run: MakeRun) -> None:
    blocks = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    statements = re.sub(r"\{.*?\n\}", "{}", blocks[ONNX], flags=re.DOTALL).split("\n")
    assert len([line for line in statements if line]) <= 10


def test_merged_in_a_pipeline(make_run: MakeRun) -> None:
    run = make_run("distilbert", Recipe(head="linear", loss="bce"), temperature=0.7)
    exported = export_run(run, "merged")
    found = run_block(PIPELINE, exported.folder, ["textlora", "peft"])["answers"]
    probabilities, labels = expected_of(run)
    assert [each[0]["label"] for each in found] == labels
    for each, row in zip(found, probabilities, strict=True):
        assert each[0]["score"] == pytest.approx(row.max(), abs=1e-5)


@pytest.mark.parametrize(
    "recipe",
    [
        Recipe(head="mlp", pooling="mean", classes=3),
        Recipe(head="linear", classes=4, multi_label=True),
    ],
)
def test_merged_as_encoder_and_head(make_run: MakeRun, recipe: Recipe) -> None:
    run = make_run("bert", recipe, temperature=0.7)
    exported = export_run(run, "merged")
    assert not exported.plain
    found = run_block(ENCODER_AND_HEAD, exported.folder, ["textlora", "peft"])
    np.testing.assert_allclose(found["probabilities"], expected_of(run)[0], atol=1e-5)
