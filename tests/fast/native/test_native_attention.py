"""The kernels compute what the batched products compute."""

from __future__ import annotations

import pytest
import torch

from textlora.fast.attention import BatchedProducts
from textlora.fast.dropout import Masks
from textlora.fast.native.attention import NativeAttention
from textlora.fast.native.build import NoKernelsError

LENGTHS = [5, 1, 64, 65, 130]
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def kernels(tmp_path_factory: pytest.TempPathFactory) -> NativeAttention:
    try:
        return NativeAttention(tmp_path_factory.mktemp("native"))
    except NoKernelsError as error:
        pytest.skip(f"no kernels on this machine: {error}")


def _inputs(heads: int, size: int, queries: int) -> tuple[torch.Tensor, ...]:
    torch.manual_seed(0)
    # As in a layer: key and value are slices of one wider tensor.
    wide = torch.randn(sum(LENGTHS), 3, heads, size).bfloat16()
    query = wide[:, 0] if queries == sum(LENGTHS) else wide[:queries, 0].contiguous()
    return query, wide[:, 1], wide[:, 2], torch.randn(queries, heads, size).bfloat16()


def _run(backend, inputs, query_lengths, dropout=0.0, masks=None):  # type: ignore[no-untyped-def]
    query, key, value, grad = inputs
    context, state = backend.forward(
        query, key, value, LENGTHS, query_lengths, dropout, masks, True
    )
    into = tuple(torch.empty(x.shape, dtype=x.dtype) for x in (query, key, value))
    backend.backward(grad, state, into)
    return context, *into


@pytest.mark.parametrize("query_lengths", [LENGTHS, [1] * 5], ids=["all", "first-rows"])
@pytest.mark.parametrize(("heads", "size"), [(12, 32), (3, 64), (2, 128)])
def test_forward_and_backward(
    kernels: NativeAttention, heads: int, size: int, query_lengths: list[int]
) -> None:
    inputs = _inputs(heads, size, sum(query_lengths))
    exact = _run(BatchedProducts(), tuple(x.float() for x in inputs), query_lengths)
    for ours, theirs in zip(_run(kernels, inputs, query_lengths), exact, strict=True):
        torch.testing.assert_close(ours.float(), theirs, atol=2e-2, rtol=3e-2)


def test_no_state_is_kept_where_none_is_wanted(kernels: NativeAttention) -> None:
    query, key, value, _ = _inputs(4, 32, sum(LENGTHS))
    context, state = kernels.forward(query, key, value, LENGTHS, LENGTHS, 0.0, None, False)
    kept, _ = kernels.forward(query, key, value, LENGTHS, LENGTHS, 0.0, None, True)
    assert state is None
    assert torch.equal(context, kept)


def test_dropout_has_the_right_rate_and_mean(kernels: NativeAttention) -> None:
    length, rate = 200, 0.1
    query = torch.zeros(length, 4, 32).bfloat16()
    value = torch.ones(length, 4, 32).bfloat16()
    torch.manual_seed(0)
    masks = Masks(CPU)
    # Equal weights and values of 1: the context is the share kept over 1 - rate.
    total = torch.zeros(length, 4)
    for _ in range(50):
        context, _ = kernels.forward(query, query, value, [length], [length], rate, masks, False)
        total += context[..., 0].float()
    assert abs(float(total.mean()) / 50 - 1.0) < 0.002
    spread = float(context[..., 0].float().std())
    assert spread == pytest.approx((rate / (1 - rate) / length) ** 0.5, rel=0.1)


def test_the_backward_drops_what_the_forward_dropped(kernels: NativeAttention) -> None:
    length, rate = 96, 0.5
    torch.manual_seed(0)
    query = torch.zeros(length, 2, 96 // 3).bfloat16()
    # With equal weights and one-hot values, the context shows the mask itself …
    value = torch.zeros(length, 2, 32).bfloat16()
    value[:32] = torch.eye(32).unsqueeze(1).expand(32, 2, 32)
    masks = Masks(CPU)
    context, state = kernels.forward(query, query, value, [length], [length], rate, masks, True)
    # … and the value's gradient for a row's upstream of 1 is that row of the mask.
    row = 17
    grad = torch.zeros(length, 2, 32).bfloat16()
    grad[row] = 1.0
    into = tuple(torch.empty_like(query) for _ in range(3))
    kernels.backward(grad, state, into)  # type: ignore[arg-type]
    for head in range(2):
        assert torch.equal(context[row, head] > 0, into[2][:32, head, 0] > 0)


def test_unwanted_gradients_are_not_written(kernels: NativeAttention) -> None:
    inputs = _inputs(4, 32, sum(LENGTHS))
    full = _run(kernels, inputs, LENGTHS)[1]
    query, key, value, grad = inputs
    _, state = kernels.forward(query, key, value, LENGTHS, LENGTHS, 0.0, None, True)
    alone = torch.empty(query.shape, dtype=query.dtype)
    kernels.backward(grad, state, (alone, None, None))
    assert torch.equal(full, alone)
