"""The kernels of the updates compute what torch computes."""

from __future__ import annotations

import pytest
import torch

from textlora.fast.elementwise import Drop, Masks, TorchElementwise, TorchUpdates
from textlora.fast.native import NoKernelsError
from textlora.fast.native.elementwise import MAX_RANK, NativeElementwise, NativeUpdates
from textlora.fast.weights import Lora

EXACT = TorchUpdates(TorchElementwise())
TOLERANCE = {"atol": 4e-2, "rtol": 3e-2}


@pytest.fixture(scope="module")
def kernels(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[NativeUpdates, NativeElementwise]:
    folder = tmp_path_factory.mktemp("native")
    try:
        elementwise = NativeElementwise(folder)
        return NativeUpdates(folder, TorchUpdates(elementwise)), elementwise
    except NoKernelsError as error:
        pytest.skip(f"no kernels on this machine: {error}")


@pytest.mark.parametrize("rate", [0.0, 0.2])
@pytest.mark.parametrize(
    ("rows", "ins", "outs", "rank"),
    [(1, 32, 32, 1), (7, 64, 32, 4), (70, 64, 96, 8), (33, 40, 24, 3), (130, 96, 384, 64)],
)
def test_forward_and_backward(
    kernels: tuple[NativeUpdates, NativeElementwise],
    rows: int,
    ins: int,
    outs: int,
    rank: int,
    rate: float,
) -> None:
    updates, elementwise = kernels
    torch.manual_seed(rows)
    x = torch.randn(rows, ins).bfloat16()
    lora = Lora(torch.randn(rank, ins) / ins**0.5, torch.randn(outs, rank) / rank**0.5, 1.5, rate)
    drop = elementwise.draw(Masks(), x, rate)
    mask = None
    if drop is not None:
        mask = Drop(rate, keep=elementwise.drop(torch.ones_like(x), drop) > 0)
    # As in a layer: columns of something wider.
    wide, wide_grad = torch.randn(2, rows, 3 * outs).bfloat16()
    y, grad = wide[:, outs : 2 * outs], wide_grad[:, outs : 2 * outs]
    left, right = wide[:, :outs].clone(), wide[:, 2 * outs :].clone()
    exact_y, grad_x = y.float(), torch.randn(rows, ins).bfloat16()
    exact_grad_x = grad_x.float()

    exact_state = EXACT.forward(x.float(), lora, exact_y, mask)
    exact = EXACT.backward(grad.float(), lora, exact_state, exact_grad_x)
    state = updates.forward(x, lora, y, drop)
    ours = updates.backward(grad, lora, state, grad_x)

    torch.testing.assert_close(y.float(), exact_y, **TOLERANCE)
    torch.testing.assert_close(grad_x.float(), exact_grad_x, **TOLERANCE)
    for mine, other in zip(ours, exact, strict=True):
        assert mine.dtype == torch.float32
        # Above MAX_RANK torch's products in bf16 take over.
        close = 1e-3 if rank <= MAX_RANK else 4e-2
        torch.testing.assert_close(mine, other, atol=close * float(other.abs().max()), rtol=close)
    assert torch.equal(wide[:, :outs], left)
    assert torch.equal(wide[:, 2 * outs :], right)


def test_the_input_gradient_may_be_unwanted(
    kernels: tuple[NativeUpdates, NativeElementwise],
) -> None:
    updates, _ = kernels
    torch.manual_seed(0)
    x, y, grad = torch.randn(3, 50, 64).bfloat16()
    lora = Lora(torch.randn(4, 64), torch.randn(64, 4), 2.0, 0.0)
    state = updates.forward(x, lora, y, None)
    alone = updates.backward(grad, lora, state, None)
    both = updates.backward(grad, lora, state, torch.zeros(50, 64).bfloat16())
    for a, b in zip(alone, both, strict=True):
        assert torch.equal(a, b)


def test_slices_of_several_adapters(
    kernels: tuple[NativeUpdates, NativeElementwise],
) -> None:
    updates, _ = kernels
    torch.manual_seed(0)
    x = torch.randn(400, 40).bfloat16()
    wide = torch.randn(400, 72).bfloat16()
    y = wide[:, 24:48]
    left, right = wide[:, :24].clone(), wide[:, 48:].clone()
    # A gap, one row, a rank for torch's products, and rows at the end that nobody has.
    rows = (slice(0, 7), slice(9, 10), slice(10, 60), slice(60, 300), slice(300, 390))
    ranks = (1, 8, 12, 16, 3)
    parts = [
        (span, Lora(torch.randn(r, 40) / 6, torch.randn(24, r) / r**0.5, 0.5 + r / 16, 0.1))
        for span, r in zip(rows, ranks, strict=True)
    ]
    exact = y.float()
    EXACT.forward_slices(x.float(), parts, exact)
    before = y.clone()
    updates.forward_slices(x, parts, y)
    torch.testing.assert_close(y.float(), exact, **TOLERANCE)
    assert torch.equal(y[7:9], before[7:9])
    assert torch.equal(y[390:], before[390:])
    assert torch.equal(wide[:, :24], left)
    assert torch.equal(wide[:, 48:], right)
    updates.forward_slices(x, [], y)
    alone = before.clone()
    updates.forward(x[:7], parts[0][1], alone[:7], None)
    assert torch.equal(alone[:7], y[:7])
