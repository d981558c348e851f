"""What is seen in one text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from textlora.data.cleaning import has_html
from textlora.data.splitting import plain_form
from textlora.inspection.facts import is_empty, words_of


@pytest.mark.parametrize(
    "text",
    [
        "Good.<br />Bad.",
        "<p>It was fine.</p>",
        '<a href="x">here</a>',
        "Tom &amp; Jerry",
        "caf&eacute;",
        "&#39;tis",
        "a <!-- note --> b",
        "<B>bold</B>",
        "<A HREF=x>",
        "<p>",
        "</B>",
    ],
)
def test_html_is_seen(text: str) -> None:
    assert has_html(text)


@pytest.mark.parametrize(
    "text",
    [
        "a < b and c > d",
        "AT&T; AT&T",
        "I <3 it",
        "1 <= 2",
        "x<y",
        "R&D; done",
        "&nothing;",
        "<VRLN>",
        "<whistles>",
        "shares of <F>, <A> and <B/> rose",
    ],
)
def test_what_only_looks_like_html_is_not(text: str) -> None:
    assert not has_html(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("It WAS good!", ["it", "was", "good"]),
        ("It was<br />good", ["it", "was", "good"]),
        ("caf&eacute; am Eck", ["café", "am", "eck"]),
        ("ﬁne", ["fine"]),
        ("とても良い", ["と", "て", "も", "良", "い"]),
        (":)", []),
    ],
)
def test_words(text: str, words: list[str]) -> None:
    assert words_of(text) == words


@pytest.mark.parametrize("text", ["", " \t\n", "<br />", "<p> </p>", "\u200b", "\ufeff", "&nbsp;"])
def test_nothing_can_be_read(text: str) -> None:
    assert is_empty(text)


@pytest.mark.parametrize("text", [":)", "5", "&hearts;", "no", "!"])
def test_something_can_be_read(text: str) -> None:
    assert not is_empty(text)


@given(st.text())
def test_forms_are_stable(text: str) -> None:
    plain = plain_form(text)
    assert plain_form(plain) == plain
    assert words_of("  " + text.replace(" ", "  ")) == words_of(text)
