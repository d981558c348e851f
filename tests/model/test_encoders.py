"""Backbones: local folders, pad tokens, lengths. The Hub is in tests/e2e."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from support.tiny import save_model
from textlora.errors import ModelError
from textlora.model.encoders import Backbone, resize_embeddings, resolve_max_length

Tiny = Callable[[str], Path]


def test_what_is_local_needs_no_hub(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Backbone("bundled").is_local
    assert Backbone(str(tiny("bert"))).is_local
    assert Backbone("./not/there").is_local
    assert not Backbone("roberta-base").is_local
    assert not Backbone("owner/name").is_local
    monkeypatch.chdir(tiny("bert").parent)
    assert Backbone("tiny-bert").is_local
    assert Backbone("tiny-bert").absolute() == Backbone(str(tiny("bert")))
    assert Backbone("roberta-base", "v1").absolute() == Backbone("roberta-base", "v1")


@pytest.mark.parametrize("lost", ["config.json", "tokenizer.json", "model.safetensors"])
def test_an_incomplete_folder_says_what_is_missing(lost: str, tiny: Tiny, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny("distilbert"), tmp_path / "model")
    (folder / lost).unlink()
    backbone = Backbone(str(folder))
    load = backbone.load_tokenizer if "token" in lost else backbone.load_encoder
    with pytest.raises(ModelError, match=lost.replace(".", r"\.")):
        load()


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="there is no such folder"):
        Backbone(str(tmp_path / "none")).load_tokenizer()


def test_weights_are_fp32_whatever_the_checkpoint(tmp_path: Path) -> None:
    from transformers import AutoModel

    folder = save_model(tmp_path, "bert")
    AutoModel.from_pretrained(folder).to(torch.bfloat16).save_pretrained(folder)
    assert {weight.dtype for weight in Backbone(str(folder)).load_encoder().parameters()} == {
        torch.float32
    }


def test_a_checkpoint_s_own_head_of_another_size_is_replaced(tiny: Tiny, tmp_path: Path) -> None:
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    other = AutoModelForSequenceClassification.from_pretrained(tiny("bert"), num_labels=5)
    other.save_pretrained(tmp_path)
    AutoTokenizer.from_pretrained(tiny("bert")).save_pretrained(tmp_path)
    model, new = Backbone(str(tmp_path)).load_classifier(num_labels=2)
    assert model.classifier.weight.shape == (2, 32)
    assert new == ["classifier.bias", "classifier.weight"]


def test_a_missing_pad_token_is_added(tmp_path: Path) -> None:
    backbone = Backbone(str(save_model(tmp_path, "roberta", pad=False)))
    tokenizer, encoder = backbone.load_tokenizer(), backbone.load_encoder()
    rows = encoder.get_input_embeddings().weight.shape[0]
    before = encoder.get_input_embeddings().weight[:rows].clone()
    assert resize_embeddings(encoder, tokenizer)
    after = encoder.get_input_embeddings().weight
    assert tokenizer.pad_token_id == rows == encoder.config.pad_token_id
    assert after.shape[0] == len(tokenizer) == rows + 1
    assert torch.equal(after[:rows], before)
    assert not resize_embeddings(encoder, tokenizer)


def test_a_pad_token_that_the_vocabulary_has_is_used(tmp_path: Path) -> None:
    backbone = Backbone(str(save_model(tmp_path, "distilbert", pad=False)))
    tokenizer = backbone.load_tokenizer()
    assert (tokenizer.pad_token, tokenizer.pad_token_id) == ("[PAD]", 0)
    assert not resize_embeddings(backbone.load_encoder(), tokenizer)


def test_a_pad_token_that_is_there_changes_nothing(tiny: Tiny) -> None:
    backbone = Backbone(str(tiny("roberta")))
    tokenizer, encoder = backbone.load_tokenizer(), backbone.load_encoder()
    assert tokenizer.pad_token_id == 1
    assert not resize_embeddings(encoder, tokenizer)


@pytest.mark.parametrize(
    ("architecture", "asked", "expected"),
    [("bert", None, 64), ("bert", 10, 10), ("bert", 64, 64), ("roberta", None, 62)],
)
def test_max_length(architecture: str, asked: Any, expected: int, tiny: Tiny) -> None:
    config = Backbone(str(tiny(architecture))).load_config()
    assert resolve_max_length(asked, config) == expected


def test_max_length_has_a_limit_even_where_the_model_has_none(tiny: Tiny) -> None:
    config = Backbone(str(tiny("modernbert"))).load_config()
    config.max_position_embeddings = 8192
    assert resolve_max_length(None, config) == 512
    assert resolve_max_length(4096, config) == 4096


def test_more_than_the_model_takes_is_refused(tiny: Tiny) -> None:
    backbone = Backbone(str(tiny("roberta")))
    with pytest.raises(ModelError, match=r"max_length=63: this model takes at most 62"):
        resolve_max_length(63, backbone.load_config())
    tokenizer = backbone.load_tokenizer()
    tokenizer.model_max_length = 20
    with pytest.raises(ModelError, match="at most 20"):
        resolve_max_length(30, backbone.load_config(), tokenizer)
