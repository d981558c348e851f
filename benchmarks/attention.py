"""Which attention is fastest on this processor? Every backend, forward and backward.

    python benchmarks/attention.py

4 sequences of one length in bf16, 12 heads of 32 and of 64, dropout 0.1: the kernels in
C, the batched products (what is used without a C compiler) and torch's own
scaled_dot_product_attention under autograd. Milliseconds are the best of several runs,
GFLOP/s count 4 products of a backward and 2 of a forward. Prints a table and a JSON line.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torch.nn import functional

from textlora.fast.attention import Attention, BatchedProducts
from textlora.fast.elementwise import Masks
from textlora.fast.native import NoKernelsError
from textlora.fast.native.attention import NativeAttention
from textlora.files import cache_dir

HEADS, SEQUENCES, DROPOUT = 12, 4, 0.1
SIZES, LENGTHS = (32, 64), (32, 64, 128, 256, 512)
SECONDS = 0.3


@dataclass(frozen=True)
class _GraphState:
    inputs: tuple[Tensor, Tensor, Tensor]
    context: Tensor


class ScaledDotProduct:
    """torch's own attention a sequence, differentiated by autograd."""

    name = "scaled_dot_product_attention"

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        lengths: list[int],
        query_lengths: list[int],
        dropout: float,
        masks: Masks | None,
        keep_state: bool,
    ) -> tuple[Tensor, Any]:
        """Attend within each sequence; see `Attention.forward`."""
        rate = dropout if masks is not None else 0.0
        with torch.set_grad_enabled(keep_state):
            inputs = tuple(x.detach().requires_grad_(keep_state) for x in (query, key, value))
            total, queries = sum(lengths), sum(query_lengths)
            pieces = zip(
                inputs[0][:queries].split(query_lengths),
                inputs[1][:total].split(lengths),
                inputs[2][:total].split(lengths),
                strict=True,
            )
            filler = inputs[0][queries:] * 0
            context = torch.cat(
                [
                    functional.scaled_dot_product_attention(
                        q.transpose(0, 1)[None],
                        k.transpose(0, 1)[None],
                        v.transpose(0, 1)[None],
                        dropout_p=rate,
                    )[0].transpose(0, 1)
                    for q, k, v in pieces
                ]
                + [filler]
            )
        return context.detach(), _GraphState(inputs, context)  # type: ignore[arg-type]

    def backward(
        self, grad: Tensor, state: Any, into: tuple[Tensor, Tensor | None, Tensor | None]
    ) -> None:
        """Write the gradients of query, key and value; see `Attention.backward`."""
        gradients = torch.autograd.grad(state.context, state.inputs, grad)
        for target, gradient in zip(into, gradients, strict=True):
            if target is not None:
                target.copy_(gradient)


def best(function: Callable[[], object]) -> float:
    """Return the shortest time of a call, in seconds."""
    function()
    shortest, started = float("inf"), time.perf_counter()
    while time.perf_counter() - started < SECONDS:
        begun = time.perf_counter()
        function()
        shortest = min(shortest, time.perf_counter() - begun)
    return shortest


def measure(backend: Attention, size: int, length: int) -> dict[str, float]:
    """Return the times of forward and of forward with backward."""
    torch.manual_seed(0)
    lengths, rows = [length] * SEQUENCES, length * SEQUENCES
    query, key, value = torch.randn(rows, 3, HEADS, size).bfloat16().unbind(1)
    grad = torch.randn(rows, HEADS, size).bfloat16()
    into = torch.empty(rows, 3, HEADS, size).bfloat16().unbind(1)
    masks = Masks()

    def forward() -> object:
        return backend.forward(query, key, value, lengths, lengths, DROPOUT, masks, True)[1]

    def both() -> None:
        backend.backward(grad, forward(), into)  # type: ignore[arg-type]

    return {"forward": best(forward), "both": best(both)}


def main() -> None:
    """Measure everything and print it."""
    backends: list[Attention] = [BatchedProducts(), ScaledDotProduct()]
    try:
        backends.insert(0, NativeAttention(cache_dir() / "native"))
    except NoKernelsError as error:
        Console(stderr=True).print(f"no kernels in C: {error}")
    table = Table("head size", "length", "backend", "forward", "with backward", "GFLOP/s")
    rows = []
    for size in SIZES:
        for length in LENGTHS:
            flops = 12 * SEQUENCES * HEADS * length * length * size
            for backend in backends:
                times = measure(backend, size, length)
                rows.append({"size": size, "length": length, "backend": backend.name, **times})
                table.add_row(
                    *(str(size), str(length), backend.name),
                    *(f"{1e3 * seconds:.2f} ms" for seconds in times.values()),
                    f"{flops / times['both'] / 1e9:.0f}",
                )
    Console(width=120).print(table)
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
