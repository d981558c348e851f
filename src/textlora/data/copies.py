"""Which texts are copies: the same but for white space."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt


def plain_form(text: str) -> str:
    """Return a text with its white space collapsed: copies agree in it."""
    return " ".join(text.split())


def copied_in(texts: Iterable[str], *others: Iterable[str]) -> npt.NDArray[np.bool_]:
    """Return which texts have a copy in any of the others, bool `[texts]`."""
    known = {plain_form(text) for other in others for text in other}
    return np.array([plain_form(text) in known for text in texts], dtype=np.bool_)


def text_groups(texts: Sequence[str]) -> npt.NDArray[np.int64]:
    """Return the row of each text's first copy, int64 `[texts]`; it is the same for all copies."""
    first: dict[str, int] = {}
    rows = [first.setdefault(plain_form(text), row) for row, text in enumerate(texts)]
    return np.array(rows, dtype=np.int64)
