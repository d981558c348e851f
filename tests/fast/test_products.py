from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from textlora.fast.weights import Product

TOLERANCES = {torch.float32: (1e-5, 1e-4), torch.bfloat16: (2e-2, 3e-2)}


@pytest.mark.parametrize("dtype", list(TOLERANCES), ids=str)
@pytest.mark.parametrize("rows", [1, 4, 64, 130])
def test_both_directions_and_parts(dtype: torch.dtype, rows: int) -> None:
    torch.manual_seed(rows)
    weight, bias = (x.to(dtype).float() for x in (torch.randn(96, 64) / 8, torch.randn(96)))
    product = Product(weight.to(dtype), bias.to(dtype))
    x, grad = torch.randn(rows, 64).to(dtype), torch.randn(rows, 96).to(dtype)
    atol, rtol = TOLERANCES[dtype]

    def close(ours: torch.Tensor, exact: torch.Tensor) -> None:
        assert ours.dtype == dtype
        torch.testing.assert_close(ours.float(), exact, atol=atol, rtol=rtol)

    exact = functional.linear(x.float(), weight, bias)
    close(product(x), exact)
    close(product.gelu(x), functional.gelu(exact))
    close(product.backward(grad), grad.float() @ weight)
    close(product.part(32, 96)(x), exact[:, 32:])
    assert product.part(32, 96) is product.part(32, 96)


def test_a_weight_laid_out_while_scoring_serves_in_training() -> None:
    product = Product(torch.randn(64, 64).bfloat16(), torch.randn(64).bfloat16())
    with torch.inference_mode():
        scored = product(torch.ones(3, 64).bfloat16())
    x = torch.ones(3, 64).bfloat16()
    assert torch.equal(product(x), scored)
    assert not product(x).is_inference()
