"""Heads: the choices they resolve to, their pooling, losses and probabilities."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.nn import functional

from textlora.config import ModelConfig
from textlora.errors import ConfigError
from textlora.model.heads import (
    HeadSpec,
    classification_loss,
    probabilities,
    resolve_head,
)

from .conftest import logits_of

Make = Callable[..., Any]


OWN = {"head": "auto", "pooling": "cls"}


@pytest.mark.parametrize(
    ("settings", "labels", "multi", "expected"),
    [
        (OWN, 2, False, ("auto", "cls", "cross_entropy", 2)),
        (OWN, 5, False, ("auto", "cls", "cross_entropy", 5)),
        (OWN, 3, True, ("auto", "cls", "bce", 3)),
        ({"head": "auto"}, 2, False, ("mlp", "mean", "cross_entropy", 2)),
        ({}, 2, False, ("linear", "mean", "cross_entropy", 2)),
        ({"pooling": "cls", "loss": "bce"}, 2, False, ("linear", "cls", "bce", 1)),
        ({"head": "auto", "loss": "bce"}, 2, False, ("mlp", "mean", "bce", 1)),
        ({"pooling": "cls", "loss": "bce"}, 4, True, ("linear", "cls", "bce", 4)),
    ],
)
def test_choices(settings: Any, labels: int, multi: bool, expected: tuple[object, ...]) -> None:
    head = resolve_head(ModelConfig(**settings), labels, multi)
    assert (head.kind, head.pooling, head.loss, head.num_units) == expected


@pytest.mark.parametrize(
    ("settings", "labels", "multi", "problem"),
    [
        ({"loss": "cross_entropy"}, 3, True, "does not fit multi-label"),
        ({"head": "linear", "loss": "bce"}, 3, False, "takes two classes; the data has 3"),
    ],
)
def test_losses_that_do_not_fit(settings: Any, labels: int, multi: bool, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        resolve_head(ModelConfig(**settings), labels, multi)


@pytest.mark.parametrize("pooling", ["cls", "mean"])
def test_padding_changes_no_logit(pooling: Any, make_base: Make, batch: dict[str, Any]) -> None:
    model = make_base(head=HeadSpec("linear", pooling, "cross_entropy", 2)).model
    alone = {name: tensor[1:, :3] for name, tensor in batch.items()}
    torch.testing.assert_close(
        logits_of(model, alone)[0], logits_of(model, batch)[1], atol=1e-6, rtol=1e-5
    )
    without_mask = {"input_ids": alone["input_ids"]}
    torch.testing.assert_close(
        logits_of(model, without_mask), logits_of(model, alone), atol=1e-6, rtol=1e-5
    )


def test_mean_is_the_mean_of_the_tokens(make_base: Make, batch: dict[str, Any]) -> None:
    model = make_base(head=HeadSpec("linear", "mean", "cross_entropy", 2)).model.eval()
    hidden = model.encoder(**batch).last_hidden_state
    expected = torch.stack([hidden[0].mean(0), hidden[1, :3].mean(0)])
    torch.testing.assert_close(model.pool(hidden, batch["attention_mask"]), expected)


def test_linear_head_is_a_matrix_on_the_first_state(make_base: Make, batch: dict[str, Any]) -> None:
    model = make_base(head=HeadSpec("linear", "cls", "bce", 2)).model.train()
    model.encoder.eval()  # the linear head has no dropout of its own
    hidden = model.encoder(**batch).last_hidden_state[:, 0]
    expected = hidden @ model.classifier.weight.T + model.classifier.bias
    torch.testing.assert_close(model(**batch).logits, expected)


def test_losses_are_torch_s() -> None:
    logits = torch.tensor([[0.3, -1.2], [2.0, 0.1]])
    numbers = torch.tensor([0, 1])
    torch.testing.assert_close(
        classification_loss(logits, numbers, "cross_entropy"),
        functional.cross_entropy(logits, numbers),
    )
    unit = logits[:, :1]
    torch.testing.assert_close(
        classification_loss(unit, numbers, "bce"),
        functional.binary_cross_entropy_with_logits(unit[:, 0], numbers.float()),
    )
    both = torch.tensor([[1.0, 0.0], [1.0, 1.0]])
    torch.testing.assert_close(
        classification_loss(logits, both, "bce"),
        functional.binary_cross_entropy_with_logits(logits, both),
    )


def test_the_loss_of_half_precision_is_taken_in_full() -> None:
    logits = torch.tensor([[9.0, -9.0]], dtype=torch.bfloat16)
    assert classification_loss(logits, torch.tensor([0]), "cross_entropy").dtype == torch.float32


@pytest.mark.parametrize(
    ("head", "logits", "expected"),
    [
        (HeadSpec("auto", "cls", "cross_entropy", 2), [[0.0, 0.0]], [[0.5, 0.5]]),
        (HeadSpec("linear", "cls", "bce", 2), [[0.0]], [[0.5, 0.5]]),
        (HeadSpec("linear", "cls", "bce", 2), [[40.0]], [[4.248354e-18, 1.0]]),
        (HeadSpec("auto", "cls", "bce", 2, True), [[0.0, 100.0]], [[0.5, 1.0]]),
    ],
)
def test_probabilities(head: HeadSpec, logits: Any, expected: Any) -> None:
    torch.testing.assert_close(probabilities(torch.tensor(logits), head), torch.tensor(expected))


def test_label_names_reach_the_model_s_configuration(make_base: Make) -> None:
    config = make_base(head=HeadSpec("auto", "cls", "bce", 3, True)).model.config
    assert config.id2label == {0: "0", 1: "1", 2: "2"}
    assert config.problem_type == "multi_label_classification"


def test_a_single_unit_is_named_after_the_second_class(make_base: Make) -> None:
    model: Any = make_base(head=HeadSpec("auto", "cls", "bce", 2)).model
    assert model.classifier.out_features == 1
    assert model.config.id2label == {0: "1"}


@pytest.mark.parametrize("architecture", ["bert", "roberta"])
def test_a_pooler_that_the_checkpoint_lacks_is_trained(
    architecture: str, make_base: Make, tmp_path: Any
) -> None:
    """Else it would be drawn anew at every load, and the model would predict at random."""
    from transformers import AutoModel

    from support.tiny import BERT_SPECIALS, build_config, build_tokenizer
    from textlora.model.encoders import Backbone
    from textlora.model.heads import load_base_classifier

    encoder = AutoModel.from_config(build_config(architecture), add_pooling_layer=False)
    encoder.save_pretrained(tmp_path)
    build_tokenizer(BERT_SPECIALS).save_pretrained(tmp_path)
    head = HeadSpec("auto", "cls", "cross_entropy", 2)
    base = load_base_classifier(Backbone(str(tmp_path)), head, ["a", "b"])
    expected = {"bert": ["classifier", "bert.pooler.dense"], "roberta": ["classifier"]}
    assert base.trained_head == expected[architecture]
