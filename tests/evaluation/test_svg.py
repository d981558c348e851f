"""SVGs placed side by side in one page."""

from __future__ import annotations

import re

from textlora.evaluation.plots import learning_curves, svg_text
from textlora.evaluation.records import EpochRecord
from textlora.evaluation.svg import inline_svg


def test_ids_do_not_collide_and_references_still_hit(history: list[EpochRecord]) -> None:
    svg = svg_text(learning_curves(history), "title")
    found: list[str] = []
    for prefix in ("one", "two"):
        inlined = inline_svg(svg, prefix, "what it shows")
        identifiers = re.findall(r'\bid="([^"]+)"', inlined)
        references = re.findall(r"""url\(#([^)]+)\)|href="#([^"]+)\"""", inlined)
        assert references
        assert {a or b for a, b in references} == set(identifiers)
        found += identifiers
    assert len(found) == len(set(found))


def test_description_is_escaped_and_read_out(history: list[EpochRecord]) -> None:
    svg = svg_text(learning_curves(history), "title")
    inlined = inline_svg(svg, "p", 'a < "b" & <script>')
    assert 'role="img"' in inlined
    assert "<style" not in inlined
    assert "<script" not in inlined
    assert 'aria-label="a &lt; &quot;b&quot; &amp; &lt;script&gt;"' in inlined
    assert "<title>a &lt; " in inlined


def test_file_is_small_and_knows_both_themes(history: list[EpochRecord]) -> None:
    svg = svg_text(learning_curves(history), "Learning <curves>")
    assert "prefers-color-scheme: dark" in svg
    assert "<title>Learning &lt;curves&gt;" in svg
    assert "metadata" not in svg
    assert "DOCTYPE" not in svg
    assert len(svg) < 40_000
