"""The count of useful operations, against a hand-made sum and torch's own counter."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from flops import Sizes, forward_flops, training_flops
from peft import LoraConfig, TaskType, get_peft_model
from torch.utils.flop_counter import FlopCounterMode
from transformers import DistilBertConfig, DistilBertForSequenceClassification

LAYERS, HIDDEN, INTERMEDIATE, RANK = 3, 32, 80, 4
MODULES = {
    **{name: f"attention.{name}_lin" for name in ("q", "k", "v", "out")},
    **{"up": "ffn.lin1", "down": "ffn.lin2"},
}


def sizes(*adapters: str, cls_alone: bool = False) -> Sizes:
    """Return the sizes of the model below, with a layer's adapters as "q v" each."""
    layers = tuple(frozenset(names.split()) for names in adapters)
    return Sizes(HIDDEN, INTERMEDIATE, 2, layers, RANK, cls_alone)


def counted(adapters: tuple[str, ...], texts: int, length: int, *, backward: bool) -> int:
    """Return what torch counts on the plain model."""
    config = DistilBertConfig(
        **{"vocab_size": 40, "n_layers": LAYERS, "n_heads": 2, "dim": HIDDEN},
        **{"hidden_dim": INTERMEDIATE, "attn_implementation": "eager"},
    )
    model = DistilBertForSequenceClassification(config)
    targets = [
        f"distilbert.transformer.layer.{number}.{MODULES[name]}"
        for number, names in enumerate(adapters)
        for name in names.split()
    ]
    lora = LoraConfig(task_type=TaskType.SEQ_CLS, r=RANK, target_modules=targets)
    adapted = get_peft_model(model, lora) if targets else model
    if not targets:
        model.distilbert.requires_grad_(False)
    ids = torch.randint(40, (texts, length))
    with FlopCounterMode(display=False) as counter:
        loss = adapted(input_ids=ids, labels=torch.zeros(texts, dtype=torch.long)).loss
        if backward:
            loss.backward()
    return int(counter.get_total_flops())


@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize(
    "adapters",
    [
        ("q", "q", "q"),
        ("", "q v", "q v"),
        ("k", "", "q k v out up down"),
        ("", "out", "q"),
        ("up", "", ""),
        ("", "", "down"),
        ("v", "k", "out"),
        ("", "", ""),
    ],
)
def test_agrees_with_torch_where_every_token_counts(
    adapters: tuple[str, ...], backward: bool
) -> None:
    count = training_flops if backward else forward_flops
    expected = counted(adapters, 3, 7, backward=backward)
    assert count(sizes(*adapters), [7, 7, 7]) == expected


def test_forward_by_hand() -> None:
    # One text of 3 tokens and one of 1, one layer, of which [CLS] alone is wanted.
    model = Sizes(hidden=2, intermediate=5, units=2, adapters=(frozenset("q"),), rank=1)
    key_value = 2 * (2 * 4 * 2 * 2)  # 4 tokens
    query_out = 2 * (2 * 2 * 2 * 2)  # 2 [CLS] rows
    feed_forward = 2 * (2 * 2 * 2 * 5)
    attention = 2 * (2 * (3 + 1) * 2)  # 4 pairs: scores, and values
    adapter = 2 * (2 * 2 * 2 * 1)
    head = 2 * 2 * (2 * 2 + 2 * 2)
    expected = key_value + query_out + feed_forward + attention + adapter + head
    assert forward_flops(model, [3, 1]) == expected


def test_training_by_hand() -> None:
    model = Sizes(hidden=2, intermediate=5, units=2, adapters=(frozenset("q"),), rank=1)
    output = 2 * 2 * 2 * 2
    feed_forward = 2 * (2 * 2 * 2 * 5)
    attention = 2 * (2 * (3 + 1) * 2)  # the gradients of the weights and of the query
    adapter = 3 * (2 * 2 * 2 * 1)  # of A and of B, and back through B
    head = 2 * (2 * 2 * (2 * 2 + 2 * 2))
    backward = output + feed_forward + attention + adapter + head
    assert training_flops(model, [3, 1]) == forward_flops(model, [3, 1]) + backward


def test_cls_alone_saves_work_and_lengths_count_by_their_squares() -> None:
    every = sizes("q", "q", "q")
    pruned = replace(every, cls_alone=True)
    assert training_flops(pruned, [9, 5]) < training_flops(every, [9, 5])
    assert forward_flops(every, [9, 5]) > forward_flops(every, [7, 7])


def test_sizes_of_a_configuration() -> None:
    config = {"n_layers": 6, "dim": 384, "hidden_dim": 1536}
    assert Sizes.of(config, ["q"], 4) == Sizes(384, 1536, 2, (frozenset("q"),) * 6, 4)
