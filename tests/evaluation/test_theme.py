"""The colours are told apart, and text in them can be read, in both themes."""

from __future__ import annotations

import itertools

import pytest

from textlora.evaluation.theme import COLOURS, SERIES, svg_dark_rules


def luminance(colour: str) -> float:
    """Relative luminance, WCAG 2.2."""
    channels = (int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5))
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def blend(top: str, bottom: str, opacity: float) -> str:
    pairs = ((int(top[i : i + 2], 16), int(bottom[i : i + 2], 16)) for i in (1, 3, 5))
    return "#" + "".join(f"{round(opacity * a + (1 - opacity) * b):02x}" for a, b in pairs)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("ground", ["paper", "panel"])
@pytest.mark.parametrize("text", ["ink", "muted", "accent", "wrong"])
def test_text_contrast(text: str, ground: str, theme: str) -> None:
    assert contrast(getattr(COLOURS[text], theme), getattr(COLOURS[ground], theme)) >= 4.5


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_lines_and_cells_of_plots_can_be_seen(theme: str) -> None:
    paper, ink = getattr(COLOURS["paper"], theme), getattr(COLOURS["ink"], theme)
    for colour in SERIES:
        assert contrast(getattr(colour, theme), paper) >= 3
    for name in ("accent", "wrong"):
        fullest = blend(getattr(COLOURS[name], theme), paper, 0.5)
        assert contrast(ink, fullest) >= 4.5


def test_every_light_colour_has_one_dark_colour() -> None:
    colours = {*COLOURS.values(), *SERIES}
    for one, other in itertools.combinations(colours, 2):
        assert one.light != other.light
    assert all(f"{colour.light}" in svg_dark_rules() for colour in colours)
