"""An explanation as a record and as HTML."""

from __future__ import annotations

import html
import itertools
import json
import math
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.colours import blend, contrast
from textlora.metrics.mistakes import Explanation, Span, Word
from textlora.report.attributions import (
    LEVELS,
    explanations_page,
    quality_in_words,
    words_css,
    words_html,
)
from textlora.report.theme import COLOURS
from textlora.report.view import printable

TEXT = "A <script>alert(1)</script> great film, but dull and then it goes on"
GREAT, DULL, FILM = TEXT.index("great"), TEXT.index("dull"), TEXT.index("film")
REST = Span(TEXT.index("and then"), len(TEXT))


def words(*found: tuple[int, int, float]) -> tuple[Word, ...]:
    return tuple(Word(TEXT[a : a + size], a, a + size, score) for a, size, score in found)


EXPLANATION = Explanation(
    text=TEXT,
    label="<b>Positive</b>",
    probability=0.91,
    target="<b>Positive</b>",
    words=words((2, 1, 0.02), (3, 6, -0.4), (GREAT, 5, 1.25), (FILM, 4, 0.5), (DULL, 4, -0.6)),
    baseline_probability=0.43,
    baseline="[MASK]",
    delta=-0.012,
    relative_delta=0.01,
    steps=16,
    converged=True,
    unseen=(REST,),
)


@pytest.mark.parametrize(
    "explanation",
    [
        EXPLANATION,
        replace(EXPLANATION, label=("a", "b"), relative_delta=math.inf, note="n", converged=False),
        replace(EXPLANATION, label=(), words=(), unseen=()),
    ],
)
def test_a_record_survives_json(explanation: Explanation) -> None:
    assert Explanation.from_dict(json.loads(json.dumps(explanation.to_dict()))) == explanation


def test_stronger_words_have_higher_levels() -> None:
    levels = [EXPLANATION.level(word) for word in EXPLANATION.words]
    assert levels == [0, -2, 5, 2, -2]
    assert [word.text for word in EXPLANATION.strongest(1)] == ["great", "film"]
    assert [word.text for word in EXPLANATION.strongest(-1, most=1)] == ["dull"]
    silent = replace(EXPLANATION, words=words((GREAT, 5, 0.0)))
    assert silent.level(silent.words[0]) == 0
    assert "Against <strong>&lt;b&gt;Positive&lt;/b&gt;</strong>: none." in words_html(silent)


def test_html_marks_words_and_escapes_the_text() -> None:
    page = explanations_page([EXPLANATION], "Why: <runs>")
    for part in (words_html(EXPLANATION), page):
        assert '<span class="for-5" title="+1.25">great</span>' in part
        assert '<span class="against-2" title="−0.60">dull</span>' in part
        assert '<span class="unseen" title="left out">and then it goes on</span>' in part
        assert "<script" not in part
        assert "<b>" not in part
        assert "&lt;b&gt;Positive" in part
    assert "Why: &lt;runs&gt;" in page
    assert not re.search(r"\b(src|href)=\"(?!data:)|https?:|url\(", page)


@given(st.text(max_size=60), st.data())
def test_html_holds_the_whole_text(text: str, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.sets(st.integers(0, len(text)), max_size=8)))
    spans = list(itertools.pairwise(cuts))[::2]
    scores = st.floats(-3, 3, allow_nan=False)
    found = tuple(Word(text[a:b], a, b, data.draw(scores)) for a, b in spans[1:])
    unseen = tuple(Span(a, b) for a, b in spans[:1])
    explanation = replace(EXPLANATION, text=text, words=found, unseen=unseen)
    shown = re.fullmatch(
        r'<div class="explanation"><p class="words" dir="auto">(.*)</p><p class="strongest">.*',
        words_html(explanation),
        re.DOTALL,
    )
    assert shown is not None
    readable = html.unescape(re.sub(r"</?span[^>]*>", "", shown[1]))
    # unescape() reads a carriage return reference the way browsers do, which is not asked here
    assert readable == printable(text)


def test_a_long_unseen_part_is_shortened() -> None:
    text = "good " + "x" * 5_000
    explanation = replace(EXPLANATION, text=text, words=(), unseen=(Span(5, len(text)),))
    assert "[4,880 characters left out]" in words_html(explanation)
    assert len(words_html(explanation)) < 600
    assert "5,000 of 5,005 characters are left out." in quality_in_words(explanation)


def test_quality_is_said_honestly() -> None:
    assert quality_in_words(EXPLANATION).startswith(
        "The scores miss their sum by 0.01 log-odds (1.0 % of the difference) after 16 steps."
    )
    rough = replace(EXPLANATION, converged=False, relative_delta=math.inf, note="Window 2 of 3.")
    assert ": take them as rough." in quality_in_words(rough)
    assert "difference" not in quality_in_words(rough)
    assert quality_in_words(rough).endswith("Window 2 of 3.")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("ground", ["paper", "panel"])
@pytest.mark.parametrize(("name", "line"), [("accent", "solid"), ("wrong", "dashed")])
def test_marked_words_can_be_read_and_told_apart(
    name: str, line: str, ground: str, theme: str
) -> None:
    shares = [int(s) for s in re.findall(rf"var\(--{name}\) (\d+)%,transparent", words_css())]
    assert shares == sorted(set(shares))
    assert len(shares) == LEVELS
    paper = getattr(COLOURS[ground], theme)
    fullest = blend(getattr(COLOURS[name], theme), paper, shares[-1] / 100)
    assert contrast(getattr(COLOURS["ink"], theme), fullest) >= 4.5
    assert words_css().count(f"{line} var(--{name})") == LEVELS
