"""How long the texts are in tokens, and what a length cuts off."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from textlora.data.tokenizing import TokenizedTexts
from textlora.inspection.records import LengthBin, Lengths, Loss

USUAL_LENGTHS = (64, 128, 256, 384, 512)
_BINS = 20


def measure_lengths(sequences: Mapping[str, TokenizedTexts], max_length: int) -> Lengths | None:
    """Describe the lengths of all texts before truncation.

    Args:
        sequences: token ids of each part.
        max_length: the length at which this training cuts.

    Returns:
        The lengths; None where there is no text.
    """
    lengths = np.concatenate([part.full_lengths for part in sequences.values()])
    if not len(lengths):
        return None
    longest = int(lengths.max())
    others = [other for other in USUAL_LENGTHS if other < longest or other == max_length]
    return Lengths(
        max_length=max_length,
        rows=len(lengths),
        tokens=int(lengths.sum()),
        truncated=sum(int(part.truncated.sum()) for part in sequences.values()),
        median=int(np.median(lengths)),
        p95=int(np.quantile(lengths, 0.95, method="higher")),
        longest=longest,
        bins=_histogram(lengths),
        losses=tuple(_loss(lengths, each) for each in sorted({max_length, *others})),
    )


def _loss(lengths: npt.NDArray[np.int64], max_length: int) -> Loss:
    longer = lengths > max_length
    lost = int((lengths[longer] - max_length).sum())
    rows = int(longer.sum())
    return Loss(max_length, rows, rows / len(lengths), lost / int(lengths.sum()))


def _histogram(lengths: npt.NDArray[np.int64]) -> tuple[LengthBin, ...]:
    """Return bins of one width, the last of which takes the longest 1 % along."""
    longest = int(lengths.max())
    usual = max(1, int(np.quantile(lengths, 0.99)))
    width = -(-usual // _BINS)
    edges = [width * number for number in range(1, _BINS + 1)]
    edges = [edge for edge in edges if edge < longest] + [longest]
    counts = np.histogram(lengths, [0, *(edge + 0.5 for edge in edges)])[0]
    return tuple(LengthBin(edge, int(count)) for edge, count in zip(edges, counts, strict=True))
