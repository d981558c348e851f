"""The colours are told apart, and text in them can be read, in both themes."""

from __future__ import annotations

import itertools

import pytest

from support.colours import blend, contrast
from textlora.report.theme import COLOURS, SERIES, svg_dark_rules


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
