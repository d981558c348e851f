"""What is looked at in one text: its words, its HTML, whether there is anything in it."""

from __future__ import annotations

import re
import unicodedata
from html import unescape
from html.entities import html5

FEW_WORDS = 3
"""Texts with fewer words are called very short."""

_TAG = re.compile(r"</?[A-Za-z][A-Za-z0-9]*(?:\s[^<>]*)?/?>|<!--.*?-->", re.DOTALL)
_ENTITY = re.compile(r"&(#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_WORD = re.compile(r"\w+")
# Chinese and Japanese put no spaces between words: there, a character counts as one.
_WORD_OR_CHARACTER = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W\u3040-\u30ff\u3400-\u9fff]+")


def has_html(text: str) -> bool:
    """Say whether a text has a tag or an entity in it; "a < b" and "AT&T" have none."""
    if "<" in text and _TAG.search(text):
        return True
    if "&" not in text:
        return False
    return any(name[0] == "#" or f"{name};" in html5 for name in _ENTITY.findall(text))


def words_of(text: str) -> list[str]:
    """Return the words of a text, in lower case, without HTML and punctuation."""
    if "<" in text:
        text = _TAG.sub(" ", text)
    if "&" in text:
        text = unescape(text)
    if text.isascii():
        return _WORD.findall(text.lower())
    return _WORD_OR_CHARACTER.findall(unicodedata.normalize("NFKC", text).casefold())


def is_empty(text: str) -> bool:
    """Say whether nothing is left without HTML, white space and invisible characters."""
    rest = unescape(_TAG.sub(" ", text))
    return all(unicodedata.category(character)[0] in "ZC" for character in rest)
