"""Many adapters in one batch give what each gives alone."""

from __future__ import annotations

import gc
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from support.adapters import RECIPES, Recipe, save_adapter
from textlora.model.adapters import load_adapter
from textlora.model.architectures import BaseClassifier
from textlora.model.backends.fast import UnsupportedError, bind
from textlora.model.backends.multi_lora import BoundAdapter, SharedBase
from textlora.model.backends.plain import PlainForward
from textlora.model.encoders import Backbone, resize_embeddings
from textlora.model.heads import HeadSpec, load_base_classifier

TOLERANCE = {"fp32": {"atol": 1e-5, "rtol": 1e-4}, "bf16": {"atol": 2e-2, "rtol": 3e-2}}
VOCABULARY = 20


def alone(folder: Path, backbone: Backbone, head: HeadSpec, precision: str, texts: Any) -> Any:
    """Return the logits of PEFT's own model: padded in fp32, packed in bf16."""
    base = load_base_classifier(backbone, head, [str(n) for n in range(head.num_labels)])
    tokenizer = backbone.load_tokenizer()
    resize_embeddings(_encoder(base.model), tokenizer)
    model = load_adapter(base, folder).eval()
    forward: Any = PlainForward(int(tokenizer.pad_token_id))
    if precision == "bf16":
        forward = bind(model, head, "bf16", attention_dropout=False)
    with torch.inference_mode():
        return forward.logits(model, forward.collate(texts))


def _encoder(model: Any) -> Any:
    return getattr(model, "encoder", model)


def sequences(lengths: list[int], seed: int) -> list[np.ndarray]:
    generator = np.random.default_rng(seed)
    return [generator.integers(4, VOCABULARY, size=n).astype(np.int32) for n in lengths]


def shared(backbone: Backbone, precision: Any) -> SharedBase:
    return SharedBase(backbone, backbone.load_tokenizer(), precision)


@pytest.fixture
def one_head(tiny: Callable[[str], Path], tmp_path: Path) -> Path:
    """Return a model with one attention head of 32: the size that native kernels take."""
    folder = shutil.copytree(tiny("distilbert"), tmp_path / "one-head")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "n_heads": 1}))
    return folder


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("architecture", ["distilbert", "bert", "roberta", "electra", "one-head"])
def test_a_mixed_batch_gives_the_logits_of_each_adapter_alone(
    architecture: str, precision: str, tiny: Callable[[str], Path], one_head: Path, tmp_path: Path
) -> None:
    backbone = Backbone(str(one_head if architecture == "one-head" else tiny(architecture)))
    base = shared(backbone, precision)
    work, expected = [], []
    for number, recipe in enumerate(RECIPES):
        folder = tmp_path / str(number)
        head = save_adapter(folder, Path(backbone.name_or_path), recipe, seed=number)
        texts = sequences([1 + number, 30, 7][: 1 + number % 3], number)
        work.append((base.load(folder, head), texts))
        expected.append(alone(folder, backbone, head, precision, texts))
    for part in (work, work[:1], work[1:2], work[::-1]):
        mixed = base.logits(part)
        wanted = [expected[[w is p for w in work].index(True)] for p in part]
        for got, right in zip(mixed, wanted, strict=True):
            assert got.shape == right.shape
            torch.testing.assert_close(got, right, **TOLERANCE[precision])


def test_adapters_come_and_go_and_the_base_stays_as_it_is(
    tiny: Callable[[str], Path], tmp_path: Path
) -> None:
    backbone = Backbone(str(tiny("distilbert")))
    base = shared(backbone, "fp32")
    head = save_adapter(tmp_path / "a", Path(backbone.name_or_path), RECIPES[0])
    first = base.load(tmp_path / "a", head)
    texts = sequences([5, 9], 0)
    before = base.logits([(first, texts)])[0]
    other = save_adapter(tmp_path / "b", Path(backbone.name_or_path), RECIPES[2], seed=1)
    base.logits([(base.load(tmp_path / "b", other), texts)])
    torch.testing.assert_close(base.logits([(first, texts)])[0], before, rtol=0, atol=0)


def test_a_refused_adapter_leaves_nothing_behind(
    tiny: Callable[[str], Path], tmp_path: Path
) -> None:
    backbone = Backbone(str(tiny("distilbert")))
    base = shared(backbone, "fp32")
    recipe = Recipe(more=(("use_dora", True),))
    head = save_adapter(tmp_path, Path(backbone.name_or_path), recipe)
    for _ in range(3):
        modules = sum(type(one) is BaseClassifier for one in gc.get_objects())
        with pytest.raises(UnsupportedError):
            base.load(tmp_path, head)
        gc.collect()
        assert sum(type(one) is BaseClassifier for one in gc.get_objects()) <= modules


def test_an_adapter_keeps_its_own_tensors_alone(
    tiny: Callable[[str], Path], tmp_path: Path
) -> None:
    backbone = Backbone(str(tiny("distilbert")))
    base = shared(backbone, "fp32")
    recipe = Recipe(r=1, targets=("q",), head="linear")
    bound = base.load(tmp_path, save_adapter(tmp_path, Path(backbone.name_or_path), recipe))
    # two layers of A [1, 32] and B [32, 1]; a head of [2, 32] and [2]
    assert base.size(bound) == 4 * (2 * 64 + 2 * 32 + 2)
    assert len(list(bound.classifier.modules())) < 10


@pytest.mark.parametrize(
    "more", [{"use_dora": True}, {"bias": "all"}, {"modules_to_save": ["output_layer_norm"]}]
)
def test_what_changes_the_base_is_not_shared(
    more: dict[str, Any], tiny: Callable[[str], Path], tmp_path: Path
) -> None:
    backbone = Backbone(str(tiny("distilbert")))
    base = shared(backbone, "fp32")
    head = save_adapter(tmp_path, Path(backbone.name_or_path), Recipe(more=tuple(more.items())))
    with pytest.raises(UnsupportedError, match="changes weights of its base"):
        base.load(tmp_path, head)


def test_an_encoder_without_a_fast_path(tiny: Callable[[str], Path]) -> None:
    with pytest.raises(UnsupportedError, match="mpnet"):
        shared(Backbone(str(tiny("mpnet"))), "fp32")


def test_adapters_of_a_hundred_share_a_batch(tiny: Callable[[str], Path], tmp_path: Path) -> None:
    backbone = Backbone(str(tiny("distilbert")))
    base = shared(backbone, "fp32")
    head = save_adapter(tmp_path, Path(backbone.name_or_path), RECIPES[0])
    adapters: list[BoundAdapter] = [base.load(tmp_path, head) for _ in range(100)]
    texts = sequences([6], 3)
    together = base.logits([(adapter, texts) for adapter in adapters])
    single = base.logits([(adapters[0], texts)])[0]
    for logits in together:
        torch.testing.assert_close(logits, single, **TOLERANCE["fp32"])
