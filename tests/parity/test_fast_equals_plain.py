"""The fast path computes what the untouched Transformers/PEFT forward computes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from torch import nn
from transformers import (
    BertConfig,
    DistilBertConfig,
    ElectraConfig,
    PretrainedConfig,
    RobertaConfig,
)

from support.examples import examples
from textlora.config import LoraSettings, ModelConfig
from textlora.model.adapters import add_adapter
from textlora.model.backends import Forward
from textlora.model.backends.fast import FastForward, bind
from textlora.model.backends.plain import PlainForward
from textlora.model.heads import (
    HeadSpec,
    build_base_classifier,
    classification_loss,
    resolve_head,
)

MAX_LENGTH = 40
VOCABULARY = 60
TOLERANCE = {
    "fp32": {"atol": 1e-5, "rtol": 1e-4},
    "bf16": {"atol": 2e-2, "rtol": 3e-2},
}

_BERT: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "vocab_size": VOCABULARY,
    "max_position_embeddings": MAX_LENGTH + 2,
}
CONFIGS = {
    "distilbert": lambda: DistilBertConfig(
        dim=32,
        n_layers=3,
        n_heads=2,
        hidden_dim=64,
        vocab_size=VOCABULARY,
        max_position_embeddings=MAX_LENGTH,
    ),
    # One head of 32: the size that native kernels take.
    "distilbert-one-head": lambda: DistilBertConfig(
        dim=32,
        n_layers=3,
        n_heads=1,
        hidden_dim=64,
        vocab_size=VOCABULARY,
        max_position_embeddings=MAX_LENGTH,
    ),
    "bert": lambda: BertConfig(**_BERT),
    "bert-one-head": lambda: BertConfig(**{**_BERT, "num_attention_heads": 1}),
    "roberta": lambda: RobertaConfig(**_BERT, pad_token_id=1),
    "electra": lambda: ElectraConfig(**_BERT, embedding_size=16),
}
DROPOUT_RUNS = 150
HEADS = [("auto", "cls"), ("linear", "cls"), ("linear", "mean"), ("mlp", "mean")]
TARGETS = [["q"], ["q", "v"], ["q", "k", "v", "out", "ffn"]]


@dataclass(frozen=True)
class Run:
    """What one way of running a model gives."""

    logits: torch.Tensor
    loss: torch.Tensor
    gradients: dict[str, torch.Tensor]


def build(
    architecture: str, head_kind: str, pooling: str, targets: list[str], layers: str | None = None
) -> tuple[nn.Module, HeadSpec, int]:
    """Make a tiny classifier whose adapters do something, with every dropout at 0."""
    torch.manual_seed(0)
    config = CONFIGS[architecture]()
    _no_dropout(config)
    head = resolve_head(ModelConfig(head=head_kind, pooling=pooling), 2, False)  # type: ignore[arg-type]
    base = build_base_classifier(config, head)
    lora = LoraSettings(r=3, lora_alpha=6, lora_dropout=0.0, target_modules=targets, layers=layers)
    model = add_adapter(base, lora)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            nn.init.normal_(parameter, std=0.2)
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    return model, head, int(config.pad_token_id or 0)


def _no_dropout(config: PretrainedConfig) -> None:
    for name in ("attention_dropout", "attention_probs_dropout_prob"):
        if hasattr(config, name):
            setattr(config, name, 0.0)


def sequences(lengths: list[int], seed: int = 0) -> list[np.ndarray]:
    """Return random token ids of given lengths."""
    generator = np.random.default_rng(seed)
    return [generator.integers(5, VOCABULARY, size=n).astype(np.int32) for n in lengths]


def run(model: nn.Module, forward: Forward, texts: list[np.ndarray], train: bool) -> Run:
    """Run forward and backward on one batch."""
    model.train(train)
    model.zero_grad()
    targets = torch.arange(len(texts)) % 2
    logits = forward.logits(model, forward.collate(texts))
    loss = classification_loss(logits, targets, "cross_entropy")
    loss.backward()
    gradients = {
        name: parameter.grad.clone()
        for name, parameter in model.named_parameters()
        if parameter.grad is not None
    }
    return Run(logits.detach(), loss.detach(), gradients)


def assert_same(fast: Run, plain: Run, precision: str = "fp32") -> None:
    """Logits, loss and every gradient agree."""
    tolerance = TOLERANCE[precision]
    torch.testing.assert_close(fast.logits, plain.logits, **tolerance)
    torch.testing.assert_close(fast.loss, plain.loss, **tolerance)
    assert fast.gradients.keys() == plain.gradients.keys()
    assert any("lora_A" in name for name in fast.gradients)
    for name, gradient in fast.gradients.items():
        torch.testing.assert_close(gradient, plain.gradients[name], **tolerance, msg=name)


@pytest.mark.parametrize("train", [False, True], ids=["eval", "train"])
@pytest.mark.parametrize(("head_kind", "pooling"), HEADS)
@pytest.mark.parametrize("architecture", CONFIGS)
def test_every_architecture_head_and_mode(
    architecture: str, head_kind: str, pooling: str, train: bool
) -> None:
    model, head, pad = build(architecture, head_kind, pooling, TARGETS[2])
    fast = bind(model, head, "fp32", attention_dropout=True)
    texts = sequences([1, 7, MAX_LENGTH, 23])
    assert_same(run(model, fast, texts, train), run(model, PlainForward(pad), texts, train))


@pytest.mark.parametrize("layers", [None, "top:1", "0-1"])
@pytest.mark.parametrize("targets", TARGETS, ids="+".join)
def test_every_target_and_layer_range(targets: list[str], layers: str | None) -> None:
    model, head, pad = build("distilbert", "auto", "cls", targets, layers)
    fast = bind(model, head, "fp32", attention_dropout=True)
    texts = sequences([5, 31])
    assert_same(run(model, fast, texts, True), run(model, PlainForward(pad), texts, True))


@examples(25, suppress_health_check=list(HealthCheck))
@given(
    lengths=st.lists(st.integers(1, MAX_LENGTH), min_size=1, max_size=6),
    pooling=st.sampled_from(["cls", "mean"]),
    seed=st.integers(0, 1000),
)
def test_any_mixture_of_lengths(lengths: list[int], pooling: str, seed: int) -> None:
    model, head, pad = build("distilbert", "linear", pooling, ["q", "v"])
    fast = bind(model, head, "fp32", attention_dropout=True)
    texts = sequences(lengths, seed)
    assert_same(run(model, fast, texts, True), run(model, PlainForward(pad), texts, True))


@pytest.mark.parametrize("pooling", ["cls", "mean"])
@pytest.mark.parametrize(
    "architecture", ["distilbert", "distilbert-one-head", "bert", "bert-one-head"]
)
def test_bf16_is_close(architecture: str, pooling: str) -> None:
    model, head, pad = build(architecture, "linear", pooling, ["q", "k", "v"])
    fast = bind(model, head, "bf16", attention_dropout=True)
    texts = sequences([9, 33, 2])
    assert_same(run(model, fast, texts, True), run(model, PlainForward(pad), texts, True), "bf16")


@pytest.mark.parametrize("pooling", ["cls", "mean"])
@pytest.mark.parametrize("architecture", ["distilbert-one-head", "bert-one-head"])
def test_bf16_with_every_target_and_dropout(architecture: str, pooling: str) -> None:
    """With dropout no two runs are alike, so their means over many must be."""
    model, head, pad = build(architecture, "linear", pooling, TARGETS[2])
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.1
    fast = bind(model, head, "bf16", attention_dropout=True)
    texts = sequences([9, 33, 2, 17])
    means = []
    for forward in (fast, PlainForward(pad)):
        torch.manual_seed(1)
        runs = [run(model, forward, texts, True) for _ in range(DROPOUT_RUNS)]
        means.append(
            {n: _mean_and_error([r.gradients[n] for r in runs]) for n in runs[0].gradients}
        )
    assert any(".ffn." in name or "intermediate" in name for name in means[0])
    for name, (mean, error) in means[0].items():
        expected, its_error = means[1][name]
        apart = (mean - expected).norm()
        # Five standard errors of the difference, and what bf16 rounds.
        allowed = 5 * (error.square() + its_error.square()).sum().sqrt() + 0.02 * expected.norm()
        assert apart <= allowed, f"{name}: {apart} > {allowed}"
        assert expected.norm() > 0, name


def _mean_and_error(values: list[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    stacked = torch.stack(values)
    return stacked.mean(0), stacked.std(0) / len(values) ** 0.5


def test_gradient_accumulation_sums_the_same_gradients() -> None:
    model, head, pad = build("bert", "auto", "cls", ["q", "v"])
    fast = bind(model, head, "fp32", attention_dropout=True)
    batches = [sequences([4, 19], 1), sequences([33], 2)]
    totals = []
    for forward in (fast, PlainForward(pad)):
        model.zero_grad()
        for texts in batches:
            logits = forward.logits(model, forward.collate(texts))
            targets = torch.zeros(len(texts), dtype=torch.long)
            (classification_loss(logits, targets, "cross_entropy") / 2).backward()
        totals.append(
            {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}
        )
    for name, total in totals[0].items():
        torch.testing.assert_close(total, totals[1][name], **TOLERANCE["fp32"], msg=name)


def test_a_text_alone_equals_the_same_text_in_a_batch() -> None:
    model, head, _ = build("distilbert", "auto", "cls", ["q"])
    fast = bind(model, head, "fp32", attention_dropout=True)
    texts = sequences([3, 17, 40, 1])
    model.eval()
    with torch.no_grad():
        together = fast.logits(model, fast.collate(texts))
        alone = torch.cat([fast.logits(model, fast.collate([text])) for text in texts])
    torch.testing.assert_close(together, alone, **TOLERANCE["fp32"])


def test_new_adapter_weights_are_seen_without_binding_again() -> None:
    model, head, pad = build("distilbert", "auto", "cls", ["q"])
    fast: FastForward = bind(model, head, "fp32", attention_dropout=True)
    texts = sequences([8, 12])
    before = run(model, fast, texts, False).logits
    changed = {
        name: torch.randn_like(tensor)
        for name, tensor in model.state_dict().items()
        if "lora_" in name
    }
    model.load_state_dict(changed, strict=False)
    after = run(model, fast, texts, False)
    assert not torch.allclose(before, after.logits)
    assert_same(after, run(model, PlainForward(pad), texts, False))


def test_autocast_around_it_changes_nothing() -> None:
    model, head, _ = build("distilbert", "auto", "cls", ["q", "v"])
    fast = bind(model, head, "fp32", attention_dropout=True)
    batch = fast.collate(sequences([8, 21]))
    model.eval()
    expected = fast.logits(model, batch)
    with torch.autocast("cpu", torch.bfloat16):
        logits = fast.logits(model, batch)
    assert torch.equal(logits, expected)
    logits.sum().backward()


def test_a_pad_token_added_to_roberta_leaves_the_positions() -> None:
    model, head, pad = build("roberta", "auto", "cls", ["q"])
    model.config.pad_token_id = VOCABULARY  # what an added token's id is
    fast = bind(model, head, "fp32", attention_dropout=True)
    texts = sequences([8, 21])
    assert_same(run(model, fast, texts, False), run(model, PlainForward(pad), texts, False))
