"""The kernels compute what torch computes, in fp32 from the same bf16 inputs."""

from __future__ import annotations

import pytest
import torch

from textlora.fast.elementwise import Drop, Masks, TorchElementwise
from textlora.fast.native import NoKernelsError
from textlora.fast.native.elementwise import NativeElementwise
from textlora.fast.weights import Norm

EXACT = TorchElementwise()
# One rounding to bf16 is off by up to 1/256 of the value.
TOLERANCE = {"atol": 2e-3, "rtol": 1 / 128}


@pytest.fixture(scope="module")
def kernels(tmp_path_factory: pytest.TempPathFactory) -> NativeElementwise:
    try:
        return NativeElementwise(tmp_path_factory.mktemp("native"))
    except NoKernelsError as error:
        pytest.skip(f"no kernels on this machine: {error}")


def _random(*shape: int) -> torch.Tensor:
    return torch.randn(shape).bfloat16()


def _norm(size: int) -> Norm:
    return Norm(torch.rand(size) + 0.5, torch.randn(size), 1e-12)


def _mask(kernels: NativeElementwise, shape: tuple[int, ...], drop: Drop) -> Drop:
    """Return a seed's decisions as a mask that torch can apply."""
    ones = torch.ones(shape).bfloat16()
    return Drop(drop.rate, keep=kernels.drop(ones, drop) > 0)


@pytest.mark.parametrize("rate", [0.0, 0.01, 0.1, 0.5])
@pytest.mark.parametrize(("rows", "size"), [(1, 32), (7, 96), (300, 384), (5, 4096)])
def test_sum_and_norm(kernels: NativeElementwise, rows: int, size: int, rate: float) -> None:
    torch.manual_seed(rows)
    x, residual, norm = _random(rows, size), _random(rows, size), _norm(size)
    drop = kernels.draw(Masks(), x, rate)
    mask = None if drop is None else _mask(kernels, (rows, size), drop)
    exact, exact_state = EXACT.add_norm(x.float().clone(), mask, residual.float(), norm)
    y, state = kernels.add_norm(x.clone(), drop, residual, norm)
    torch.testing.assert_close(y.float(), exact, atol=4e-2, rtol=2e-2)

    grad, more = _random(rows, size), _random(rows, size)
    for second in (None, more):
        ours = kernels.add_norm_backward(grad, second, norm, state)
        theirs = EXACT.add_norm_backward(
            grad.float(), None if second is None else second.float(), norm, exact_state
        )
        for mine, other in zip(ours, theirs, strict=True):
            torch.testing.assert_close(mine.float(), other, atol=4e-2, rtol=3e-2)


@pytest.mark.parametrize("count", [1, 15, 16, 33, 100_003])
def test_gelu(kernels: NativeElementwise, count: int) -> None:
    torch.manual_seed(count)
    x, grad = _random(count) * 3, _random(count)
    exact = EXACT.gelu(x.double())
    torch.testing.assert_close(kernels.gelu(x).double(), exact, **TOLERANCE)
    exact = EXACT.gelu_backward(grad.double(), x.double())
    torch.testing.assert_close(kernels.gelu_backward(grad.clone(), x).double(), exact, **TOLERANCE)


def test_gelu_far_from_zero(kernels: NativeElementwise) -> None:
    x = torch.tensor([-1e30, -40.0, -13.0, 0.0, 13.0, 1e30]).bfloat16()
    assert kernels.gelu(x).tolist() == pytest.approx([0, 0, 0, 0, 13, float(x[-1])], abs=1e-6)
    slope = kernels.gelu_backward(torch.ones_like(x), x)
    assert slope.tolist() == pytest.approx([0, 0, 0, 0.5, 1, 1], abs=1e-6)


@pytest.mark.parametrize("rate", [0.01, 0.1, 0.5, 0.99])
def test_the_rate_and_the_mean_are_kept(kernels: NativeElementwise, rate: float) -> None:
    torch.manual_seed(4)
    ones = torch.ones(2000, 512).bfloat16()
    dropped = kernels.drop(ones, kernels.draw(Masks(), ones, rate))
    share = float((dropped == 0).float().mean())
    assert abs(share - rate) < 4 * (rate * (1 - rate) / ones.numel()) ** 0.5
    assert dropped.unique().tolist() == [0, float(torch.tensor(1 / (1 - rate)).bfloat16())]


def test_decisions_are_independent_along_both_axes_and_between_seeds(
    kernels: NativeElementwise,
) -> None:
    torch.manual_seed(5)
    masks, ones = Masks(), torch.ones(4000, 256).bfloat16()
    first, second = (
        (kernels.drop(ones, kernels.draw(masks, ones, 0.5)) > 0).float() - 0.5 for _ in range(2)
    )
    shifts = [first.roll(shift, axis) for shift, axis in ((1, 0), (1, 1), (2, 1), (16, 1), (32, 1))]
    for other in (*shifts, second):
        assert abs(float((first * other).mean() / 0.25)) < 0.005


def test_decisions_are_independent_in_the_first_rows(kernels: NativeElementwise) -> None:
    # Where a place has small numbers in it, a weak mix of place and seed would show.
    torch.manual_seed(6)
    masks, ones = Masks(), torch.ones(8, 64).bfloat16()
    draws = [kernels.drop(ones, kernels.draw(masks, ones, 0.5)) > 0 for _ in range(600)]
    kept = torch.stack(draws).view(600, -1).float()
    correlation = torch.corrcoef(kept.t()).fill_diagonal_(0)
    # Of 130,816 pairs, none at chance is six standard deviations away.
    assert float(correlation.abs().max()) < 6 / 600**0.5


def test_the_same_seed_drops_the_same(kernels: NativeElementwise) -> None:
    x, drop = _random(50, 64), Drop(0.3, seed=2**63 + 11)
    assert torch.equal(kernels.drop(x, drop), kernels.drop(x, drop))
    assert not torch.equal(kernels.drop(x, drop), kernels.drop(x, Drop(0.3, seed=12)))


def test_strided_tensors_are_refused(kernels: NativeElementwise) -> None:
    with pytest.raises(ValueError, match="contiguous"):
        kernels.gelu(_random(8, 64).t())
