"""How many floating-point operations the work needs: the numerator of every MFU here.

Useful work alone is counted, by one rule for all that are compared: true lengths and no
padding, no work whose result nobody asks for, no recomputation. So a program that pads, or
computes a last layer of which only [CLS] is read, gets no credit for that.

MFU, model FLOPs utilisation = useful FLOPs / (seconds * best matrix-product rate of the run).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

# The products of a layer by depth: a gradient that is wanted at one depth has to pass
# every product above it.
_DEPTHS = {"q": 0, "k": 0, "v": 0, "out": 1, "up": 2, "down": 3}
_ABOVE_ALL = 4
NO_ADAPTERS: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Sizes:
    """What the count depends on: a DistilBERT classifier with its LoRA adapters.

    Args:
        hidden: size of the hidden states.
        intermediate: size inside the feed-forward.
        units: output units of the head, which is hidden x hidden, then hidden x units.
        adapters: a layer each, bottom to top: which of q, k, v, out, up, down are adapted.
        rank: of every adapter.
        cls_alone: the last layer's query, output and feed-forward count for [CLS] alone.
    """

    hidden: int
    intermediate: int
    units: int
    adapters: tuple[frozenset[str], ...]
    rank: int = 0
    cls_alone: bool = True

    @classmethod
    def of(cls, config: dict[str, Any], targets: Sequence[str] = (), rank: int = 0) -> Sizes:
        """Return the sizes of a DistilBERT's `config.json`, with adapters in all its layers."""
        layers = (frozenset(targets),) * config["n_layers"]
        return cls(config["dim"], config["hidden_dim"], 2, layers, rank)

    @property
    def lowest(self) -> int:
        """Number of the lowest adapted layer; the layer count where there is none."""
        adapted = (number for number, names in enumerate(self.adapters) if names)
        return next(adapted, len(self.adapters))


@dataclass(frozen=True)
class _Layer:
    """One layer's counts for given rows: the unit is one multiply or one add."""

    sizes: Sizes
    names: frozenset[str]
    rows: dict[str, int]
    pairs: int  # of a query and a key that meet in attention

    @classmethod
    def of(cls, sizes: Sizes, number: int, lengths: Sequence[int]) -> _Layer:
        """Count the rows of a layer for texts of the given lengths."""
        tokens, texts = sum(lengths), len(lengths)
        alone = sizes.cls_alone and number == len(sizes.adapters) - 1
        wanted = texts if alone else tokens
        rows = {name: tokens if name in ("k", "v") else wanted for name in _DEPTHS}
        # One query a text meets every token once.
        pairs = tokens if alone else sum(length * length for length in lengths)
        return cls(sizes, sizes.adapters[number], rows, pairs)

    def product(self, name: str) -> int:
        """Return the count of one frozen product, which its input's gradient costs again."""
        inner = self.sizes.intermediate if name in ("up", "down") else self.sizes.hidden
        return 2 * self.rows[name] * self.sizes.hidden * inner

    def update(self, name: str) -> tuple[int, int]:
        """Return the counts of an adapter's two products: input x A, and that x B."""
        if name not in self.names:
            return 0, 0
        ins = self.sizes.intermediate if name == "down" else self.sizes.hidden
        outs = self.sizes.intermediate if name == "up" else self.sizes.hidden
        each = 2 * self.rows[name] * self.sizes.rank
        return each * ins, each * outs

    @property
    def attention(self) -> int:
        """Return the count of one of attention's products: scores, values, or a gradient."""
        return 2 * self.pairs * self.sizes.hidden

    def forward(self) -> int:
        """Return everything forward: six products, their adapters, scores and values."""
        updates = sum(sum(self.update(name)) for name in _DEPTHS)
        return sum(self.product(name) for name in _DEPTHS) + updates + 2 * self.attention

    def backward(self, *, trained_below: bool) -> int:
        """Return everything backward.

        Args:
            trained_below: whether a layer below is adapted, so that this layer's input
                gradient is wanted.
        """
        lowest = min((_DEPTHS[name] for name in self.names), default=_ABOVE_ALL)
        if trained_below:
            lowest = -1
        total = 0
        for name, depth in _DEPTHS.items():
            through, expanded = self.update(name)
            total += through + expanded  # the gradients of A and B
            total += expanded  # back through B, which A's gradient needs
            if depth > lowest:
                total += self.product(name) + through
        return total + self._attention_backward(lowest, trained_below)

    def _attention_backward(self, lowest: int, trained_below: bool) -> int:
        if lowest > 0:  # nothing below the attention is trained
            return 0
        query, key, value = (trained_below or name in self.names for name in "qkv")
        weights = query or key  # the gradient of the attention weights
        return (weights + query + key + value) * self.attention


def forward_flops(sizes: Sizes, lengths: Sequence[int]) -> int:
    """Count one forward over texts of the given lengths.

    A token and layer: 2 x multiply-adds of query, key, value, output and the two
    feed-forward products, 4 x length x hidden for scores and values, and the adapters'
    products. The last layer computes key and value for every token, the rest for [CLS]
    alone. The head, once a text. Embeddings, norms, GELU and softmax are not counted.
    """
    layers = (_Layer.of(sizes, number, lengths) for number in range(len(sizes.adapters)))
    return sum(layer.forward() for layer in layers) + _head(sizes, len(lengths))


def training_flops(sizes: Sizes, lengths: Sequence[int]) -> int:
    """Count forward and backward of training on texts of the given lengths.

    Backward: the head's weights and input; then from the top down to the lowest adapter the
    gradient of every product's input, attention's four products (gradients of weights,
    query, key, value), and the adapters' own gradients. Nothing for frozen weights. In the
    lowest adapted layer nothing is counted that no adapter needs: with the query alone
    adapted, no gradient of key, value and the layer's input.
    """
    head = _head(sizes, len(lengths))
    total = forward_flops(sizes, lengths) + head
    if sizes.lowest == len(sizes.adapters):
        # The head alone is trained: of inputs, only its inner one's gradient is wanted.
        return total + 2 * len(lengths) * sizes.hidden * sizes.units
    total += head
    for number in range(sizes.lowest, len(sizes.adapters)):
        layer = _Layer.of(sizes, number, lengths)
        total += layer.backward(trained_below=number > sizes.lowest)
    return total


def _head(sizes: Sizes, texts: int) -> int:
    return 2 * texts * sizes.hidden * (sizes.hidden + sizes.units)
