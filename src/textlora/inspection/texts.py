"""What is looked at in one text: its words, its HTML, whether there is anything in it."""

from __future__ import annotations

import re
import unicodedata

from textlora.data.cleaning import decode_entities, without_tags

FEW_WORDS = 3
"""Texts with fewer words are called very short."""

_WORD = re.compile(r"\w+")
# Chinese and Japanese put no spaces between words: there, a character counts as one.
_WORD_OR_CHARACTER = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W\u3040-\u30ff\u3400-\u9fff]+")


def words_of(text: str) -> list[str]:
    """Return the words of a text, in lower case, without HTML and punctuation."""
    text = decode_entities(without_tags(text))
    if text.isascii():
        return _WORD.findall(text.lower())
    return _WORD_OR_CHARACTER.findall(unicodedata.normalize("NFKC", text).casefold())


def is_empty(text: str) -> bool:
    """Say whether nothing is left without HTML, white space and invisible characters."""
    rest = decode_entities(without_tags(text))
    return all(unicodedata.category(character)[0] in "ZC" for character in rest)
