"""HTML goes, the text stays."""

from __future__ import annotations

import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from textlora.data.cleaning import strip_html


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("Good.<br /><br />Bad.", "Good. Bad."),
        ("<p>One</p><p>two</p>", "One two"),
        ("Tom &amp; Jerry &lt;3 &quot;fun&quot;", 'Tom & Jerry <3 "fun"'),
        ("a&nbsp;b", "a b"),
        ("it&#39;s", "it's"),
        ("AT&T and R&D", "AT&T and R&D"),
        ("a&b;c", "a&b;c"),
        ("me & you", "me & you"),
        ("I <3 this", "I <3 this"),
        ("5 < 6 > 4", "5 < 6 > 4"),
        ("<!-- note -->seen<script>x()</script>", "seen"),
        ("<![wow", "<![wow"),
        ("<br>", ""),
    ],
)
def test_examples(raw: str, clean: str) -> None:
    assert strip_html(raw) == clean


def test_text_without_html_is_untouched() -> None:
    raw = "  two  spaces\tand\nlines  "
    assert strip_html(raw) is raw


def test_no_warning_for_a_text_like_a_path_or_address() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        strip_html("https://example.org/?a=1&b=2")


@given(st.text(alphabet=st.sampled_from("<>&;!/[]-#ax \n'\"?="), max_size=40))
def test_never_fails(raw: str) -> None:
    strip_html(raw)
