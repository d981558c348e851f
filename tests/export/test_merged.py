"""Merged folders: every head on every architecture, read back by Transformers alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from export.conftest import MakeRun
from support.adapters import Recipe
from support.tiny import ARCHITECTURES
from textlora.config import ComputeConfig
from textlora.export.exporting import HEAD_FILE, MergedRunner, write_merged
from textlora.export.portable import portable
from textlora.inference.predictor import Predictor
from textlora.model.backends.plain import PlainForward

PLAIN = ComputeConfig(precision="fp32", path="plain")
LINEAR = Recipe(head="linear")
ONE_UNIT = Recipe(head="linear", loss="bce")
MLP = Recipe(head="mlp", classes=3)
MEAN = Recipe(head="mlp", pooling="mean", classes=3)
IN_OWN_CLASS = {
    LINEAR: ("distilbert", "electra"),
    ONE_UNIT: ("distilbert", "electra"),
    MLP: ("distilbert",),
}
CASES = [
    *((name, Recipe(classes=3), True) for name in ARCHITECTURES),
    *((name, Recipe(loss="bce"), True) for name in ARCHITECTURES),
    *(
        (name, recipe, name in held)
        for recipe, held in IN_OWN_CLASS.items()
        for name in ("distilbert", "electra", "bert", "modernbert")
    ),
    *((name, MEAN, False) for name in ("distilbert", "roberta", "mpnet")),
    ("bert", Recipe(classes=4, multi_label=True), True),
    ("distilbert", Recipe(classes=4, multi_label=True, head="linear"), True),
    ("distilbert", Recipe(targets=("q", "ffn"), more=(("use_dora", True),)), True),
    ("bert", Recipe(more=(("bias", "lora_only"), ("use_rslora", True))), True),
]


@pytest.mark.parametrize(
    ("architecture", "recipe", "plain"),
    CASES,
    ids=[f"{a}-{r.head}-{r.pooling}-{r.loss}-{n}" for n, (a, r, _) in enumerate(CASES)],
)
def test_a_merged_folder_gives_the_same_probabilities(
    make_run: MakeRun, tmp_path: Path, architecture: str, recipe: Recipe, plain: bool
) -> None:
    run = make_run(architecture, recipe, temperature=0.6)
    texts = ["it was good", "a dull film , very poor plot", "the story"]
    predictor = Predictor.load(run / "adapter", PLAIN)
    expected = predictor.predict_proba(texts)
    sequences = predictor.sequences(texts)
    exported = portable(predictor)
    assert exported.is_plain == plain
    assert exported.spec.temperature == 1.0

    write_merged(exported, predictor.tokenizer, tmp_path)
    assert (tmp_path / HEAD_FILE).exists() != plain
    runner = MergedRunner.load(tmp_path)
    pad = int(predictor.tokenizer.pad_token_id)  # type: ignore[arg-type]
    batch = PlainForward(pad).collate(list(sequences))
    found = runner(batch["input_ids"].numpy(), batch["attention_mask"].numpy())
    np.testing.assert_allclose(found.probabilities, expected, atol=2e-6)


@pytest.mark.parametrize("recipe", [Recipe(), ONE_UNIT, Recipe(classes=4, multi_label=True)])
def test_a_pipeline_gives_names_and_calibrated_probabilities(
    make_run: MakeRun, tmp_path: Path, recipe: Recipe
) -> None:
    from transformers import pipeline

    run = make_run("distilbert", recipe, temperature=0.6)
    texts = ["it was good", "a dull film , very poor plot"]
    predictor = Predictor.load(run / "adapter", PLAIN)
    expected = predictor.predict_proba(texts)
    names = predictor.spec.label_names
    write_merged(portable(predictor), predictor.tokenizer, tmp_path)
    answers = pipeline("text-classification", str(tmp_path), top_k=None)(texts)
    for given, row in zip(answers, expected, strict=True):
        scores = {entry["label"]: entry["score"] for entry in given}
        np.testing.assert_allclose([scores[name] for name in names], row, atol=2e-6)


def test_windows_keep_their_temperature_for_after_the_pooling(make_run: MakeRun) -> None:
    run = make_run("distilbert", temperature=0.6, long_texts="windows", max_windows=4)
    assert portable(Predictor.load(run / "adapter", PLAIN)).spec.temperature == 0.6


def test_a_linear_head_of_too_many_classes_stays_beside_the_encoder(
    tiny: Callable[[str], Path],
) -> None:
    from textlora.export import portable as module
    from textlora.model.encoders import Backbone
    from textlora.model.heads import HeadSpec, PooledClassifier

    encoder = Backbone(str(tiny("distilbert"))).load_encoder()
    held = PooledClassifier(encoder, HeadSpec("linear", "cls", "cross_entropy", 16))
    beyond = PooledClassifier(encoder, HeadSpec("linear", "cls", "cross_entropy", 17))
    assert module._in_own_class(held.requires_grad_(False)) is not None
    assert module._in_own_class(beyond.requires_grad_(False)) is None
