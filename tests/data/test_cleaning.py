"""HTML goes, the text stays."""

from __future__ import annotations

import warnings
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from textlora.data.cleaning import has_html, strip_html


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
        ("<BR CLEAR=all>two", "two"),
        ("stock <VRLN> fell, <whistles> and <sigh/>", "stock <VRLN> fell, <whistles> and <sigh/>"),
        ("shares of <A>, <F> and <B > rose", "shares of <A>, <F> and <B > rose"),
        ("<B>bold</B>, <I>not", "bold , <I>not"),
        ("<P ALIGN=left>one<P>two <A> three", "one two <A> three"),
        ("<p>one<P>two<b>three", "one two three"),
        ("<a title=\"x > y\" href='z'>here</a>", "here"),
        ("<p title=it's>it's</p>", "it's"),
        ("a <b", "a <b"),
        ("<style>p {}</style>seen <STYLE>b</STYLE >", "seen"),
        ("a <script>never closed", "a never closed"),
        ("a <!-- never closed", "a <!-- never closed"),
        ("<!DOCTYPE html><?xml version='1.0'?>x", "x"),
        ("&copy 2020, &eacute;t&eacute; &nothing;", "© 2020, été &nothing;"),
        ("&#150; &#x263A; &#0; &#99999999999;", "– ☺ \ufffd &#99999999999;"),
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


@pytest.mark.parametrize("file", ["reviews_2000.csv", "imdb_validation_1000.parquet"])
def test_reviews_are_stripped_as_by_beautifulsoup(file: str) -> None:
    path = Path(__file__).parents[3] / "shared" / "data" / file
    if not path.is_file():
        pytest.skip("the reviews are not there")
    bs4 = pytest.importorskip("bs4")
    table = pd.read_csv(path) if path.suffix == ".csv" else pd.read_parquet(path)
    # Known elements alone: BeautifulSoup takes <SPOILER> for one, too.
    texts = [text for text in table["text"] if "<br" in text and "<S" not in text]
    assert len(texts) > 500
    for text in texts:
        soup = bs4.BeautifulSoup(text, "html.parser")
        assert strip_html(text) == " ".join(soup.get_text(" ").split())


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    "piece",
    [
        *("<a ", '<a b="', "<a b='", "<!--", "<script>", "<a =", "&#9", "&a", "<!doctype ", "</"),
        *("<A>", "<A =", "<A b><B>"),
    ],
)
def test_time_grows_with_the_length(piece: str) -> None:
    """Reading such a text in quadratic time takes many minutes."""
    long = piece * 60_000
    assert len(strip_html(long)) <= len(long)
    assert has_html(long) == (piece in ("<script>", "<A b><B>"))


@given(st.text(alphabet=st.sampled_from("<>&;!/[]-#ax \n'\"?="), max_size=40))
def test_never_fails(raw: str) -> None:
    strip_html(raw)
