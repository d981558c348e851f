from __future__ import annotations

import pytest
import torch

from textlora.fast.elementwise import Masks, drop


@pytest.mark.parametrize("rate", [0.01, 0.1, 0.2, 0.5])
def test_the_rate_is_kept(rate: float) -> None:
    torch.manual_seed(1)
    keep = Masks().keep((2000, 500), rate)
    # Four standard deviations of a binomial share of a million draws.
    assert abs(1 - keep.float().mean() - rate) < 4 * (rate * (1 - rate) / keep.numel()) ** 0.5


def test_the_mean_is_kept() -> None:
    torch.manual_seed(2)
    values = torch.ones(1000, 1000)
    dropped = drop(values, Masks().keep(tuple(values.shape), 0.1), 0.1)
    assert abs(float(dropped.mean()) - 1.0) < 0.002
    assert dropped.unique().tolist() == pytest.approx([0.0, 1 / 0.9])


def test_decisions_are_independent_along_both_axes() -> None:
    torch.manual_seed(3)
    keep = Masks().keep((4000, 256), 0.5).float() - 0.5
    for shift, axis in ((1, 0), (1, 1), (4, 1), (64, 1)):
        correlation = (keep * keep.roll(shift, axis)).mean() / 0.25
        assert abs(float(correlation)) < 0.005


def test_the_seed_decides() -> None:
    draws = []
    for seed in (5, 5, 6):
        torch.manual_seed(seed)
        draws.append(Masks().keep((64, 64), 0.3))
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


def test_successive_masks_differ() -> None:
    masks = Masks()
    assert not torch.equal(masks.keep((64, 64), 0.5), masks.keep((64, 64), 0.5))
