"""How many examples a property is tried on."""

from __future__ import annotations

from typing import Any

from hypothesis import settings

USUAL = 100
"""Examples of a property that does not say how many; profiles scale all others by theirs."""


def examples(number: int, **more: Any) -> settings:
    """Return settings of hypothesis for a property with costlier or cheaper examples.

    Args:
        number: by the profile `quick`; another profile tries proportionally more.
        more: further settings.
    """
    return settings(max_examples=number * settings.default.max_examples // USUAL, **more)
