from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from textlora.fast.attention import BatchedProducts
from textlora.fast.elementwise import Masks

HEADS, SIZE = 3, 8
LENGTHS = [5, 1, 12]


def _reference(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, query_lengths: list[int]
) -> torch.Tensor:
    pieces = zip(query.split(query_lengths), key.split(LENGTHS), value.split(LENGTHS), strict=True)
    return torch.cat(
        [
            functional.scaled_dot_product_attention(
                *(x.transpose(0, 1).double() for x in piece)
            ).transpose(0, 1)
            for piece in pieces
        ]
    )


@pytest.mark.parametrize("query_lengths", [LENGTHS, [1, 1, 1]], ids=["all", "first-rows"])
def test_forward_and_backward(query_lengths: list[int]) -> None:
    backend = BatchedProducts()
    torch.manual_seed(0)
    total, queries = sum(LENGTHS), sum(query_lengths)
    query = torch.randn(queries, HEADS, SIZE, requires_grad=True)
    key, value = (torch.randn(total, HEADS, SIZE, requires_grad=True) for _ in range(2))
    expected = _reference(query, key, value, query_lengths)
    upstream = torch.randn(queries, HEADS, SIZE)
    gradients = torch.autograd.grad(expected, (query, key, value), upstream.double())
    with torch.no_grad():
        context, state = backend.forward(query, key, value, LENGTHS, query_lengths, 0.0, None, True)
    into = tuple(torch.empty_like(x) for x in (query, key, value))
    backend.backward(upstream, state, into)  # type: ignore[arg-type]
    torch.testing.assert_close(context, expected.float(), atol=1e-5, rtol=1e-4)
    for ours, theirs in zip(into, gradients, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)


def test_gradients_that_nobody_wants_are_not_written() -> None:
    torch.manual_seed(0)
    query, key, value = (torch.randn(sum(LENGTHS), HEADS, SIZE) for _ in range(3))
    backend = BatchedProducts()
    context, state = backend.forward(query, key, value, LENGTHS, LENGTHS, 0.0, None, True)
    full, alone = torch.empty_like(query), torch.empty_like(query)
    grad = torch.randn_like(context)
    backend.backward(grad, state, (full, torch.empty_like(key), torch.empty_like(value)))
    backend.backward(grad, state, (alone, None, None))
    assert torch.equal(full, alone)


def test_dropout_keeps_the_expected_context() -> None:
    torch.manual_seed(0)
    length, rate = 6, 0.3
    query, key, value = (torch.randn(length, HEADS, SIZE) for _ in range(3))
    backend = BatchedProducts()
    plain, _ = backend.forward(query, key, value, [length], [length], 0.0, None, False)
    total = torch.zeros_like(plain)
    draws = 3000
    for _ in range(draws):
        masks = Masks()
        total += backend.forward(query, key, value, [length], [length], rate, masks, False)[0]
    torch.testing.assert_close(total / draws, plain, atol=0.06, rtol=0)
