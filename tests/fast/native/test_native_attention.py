"""The kernels compute what the batched products compute."""

from __future__ import annotations

import pytest
import torch

from textlora.fast.attention import BatchedProducts
from textlora.fast.elementwise import Masks
from textlora.fast.native import NoKernelsError
from textlora.fast.native.attention import NativeAttention

LENGTHS = [5, 1, 64, 65, 130]


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
@pytest.mark.parametrize(("heads", "size"), [(12, 32), (3, 64), (2, 96), (2, 128)])
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
    masks = Masks()
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
    masks = Masks()
    context, state = kernels.forward(query, query, value, [length], [length], rate, masks, True)
    # … and the value's gradient for a row's upstream of 1 is that row of the mask.
    row = 17
    grad = torch.zeros(length, 2, 32).bfloat16()
    grad[row] = 1.0
    into = tuple(torch.empty_like(query) for _ in range(3))
    kernels.backward(grad, state, into)  # type: ignore[arg-type]
    for head in range(2):
        assert torch.equal(context[row, head] > 0, into[2][:32, head, 0] > 0)


class _OneSeed:
    """A source of masks that makes the same decisions every time."""

    def seed(self) -> int:
        return 0x5EED_0F_A11_D1CE


def _mask(kernels: NativeAttention, length: int, heads: int, rate: float) -> torch.Tensor:
    """Return which weights [heads, queries, keys] are kept: equal weights, one-hot values."""
    query = torch.zeros(length, heads, 32).bfloat16()
    columns = []
    for start in range(0, length, 32):
        value = torch.zeros(length, heads, 32)
        count = min(32, length - start)
        value[start : start + count, :, :count] = torch.eye(count).unsqueeze(1)
        context, _ = kernels.forward(
            query, query, value.bfloat16(), [length], [length], rate, _OneSeed(), False
        )
        columns.append(context[..., :count] > 0)
    return torch.cat(columns, dim=2).transpose(0, 1)


@pytest.mark.parametrize("length", [17, 36, 75])
def test_all_gradients_under_dropout(kernels: NativeAttention, length: int) -> None:
    torch.manual_seed(1)
    heads, rate = 3, 0.3
    keep = _mask(kernels, length, heads, rate)
    assert 0.6 < float(keep.float().mean()) < 0.8
    inputs = [torch.randn(length, heads, 32).bfloat16() for _ in range(4)]
    query, key, value, grad = inputs
    context, state = kernels.forward(query, key, value, [length], [length], rate, _OneSeed(), True)
    into = tuple(torch.empty_like(query) for _ in range(3))
    kernels.backward(grad, state, into)  # type: ignore[arg-type]

    q, k, v = (x.double().transpose(0, 1).requires_grad_() for x in inputs[:3])
    weights = (q @ k.transpose(1, 2) / 32**0.5).softmax(dim=-1) * keep / (1 - rate)
    exact = weights @ v
    exact.backward(grad.double().transpose(0, 1))
    pairs = zip((context, *into), (exact, q.grad, k.grad, v.grad), strict=True)
    for ours, theirs in pairs:
        torch.testing.assert_close(
            ours.double(), theirs.detach().transpose(0, 1), atol=4e-2, rtol=3e-2
        )


def test_filler_rows_belong_to_no_sequence(kernels: NativeAttention) -> None:
    query, key, value, grad = _inputs(4, 32, sum(LENGTHS))
    context, state = kernels.forward(query, key, value, LENGTHS, LENGTHS, 0.0, None, True)
    padded = [torch.cat([x, torch.full((7, 4, 32), 9.0).bfloat16()]) for x in (query, key, value)]
    with_filler, filler_state = kernels.forward(*padded, LENGTHS, LENGTHS, 0.0, None, True)
    assert torch.equal(with_filler[:-7], context)
    assert not with_filler[-7:].any()
    into = [torch.empty_like(query) for _ in range(3)]
    filled = [torch.full_like(x, float("nan")) for x in padded]
    kernels.backward(grad, state, tuple(into))  # type: ignore[arg-type]
    kernels.backward(torch.cat([grad, grad[:7]]), filler_state, tuple(filled))  # type: ignore[arg-type]
    for ours, theirs in zip(filled, into, strict=True):
        assert torch.equal(ours[:-7], theirs)
        assert not ours[-7:].any()


def test_unwanted_gradients_are_not_written(kernels: NativeAttention) -> None:
    inputs = _inputs(4, 32, sum(LENGTHS))
    full = _run(kernels, inputs, LENGTHS)[1]
    query, key, value, grad = inputs
    _, state = kernels.forward(query, key, value, LENGTHS, LENGTHS, 0.0, None, True)
    alone = torch.empty(query.shape, dtype=query.dtype)
    kernels.backward(grad, state, (alone, None, None))
    assert torch.equal(full, alone)
