"""Remove HTML from texts."""

from __future__ import annotations

import re
import warnings
from html.entities import html5

_AMPERSAND = re.compile(r"&(#[0-9]+;?|#[xX][0-9a-fA-F]+;?|[A-Za-z][A-Za-z0-9]*;?)?")


def strip_html(text: str) -> str:
    """Return the text without tags, with entities decoded and white space collapsed.

    A text with neither `<` nor `&` comes back unchanged. Tags become a space,
    so that `good.<br />Bad` does not grow together. Comments, scripts and
    styles go.

    Args:
        text: the text as it was read.

    Returns:
        The readable text.
    """
    if "<" not in text and "&" not in text:
        return text
    from bs4 import BeautifulSoup, MarkupResemblesLocatorWarning
    from bs4.exceptions import ParserRejectedMarkup

    markup = _AMPERSAND.sub(_escape_unless_entity, text)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MarkupResemblesLocatorWarning)
        try:
            soup = BeautifulSoup(markup, "html.parser")
        except ParserRejectedMarkup:
            # html.parser gives up on declarations such as "<![wow": take them as text.
            soup = BeautifulSoup(markup.replace("<!", "&lt;!"), "html.parser")
    return " ".join(soup.get_text(" ").split())


def _escape_unless_entity(match: re.Match[str]) -> str:
    # BeautifulSoup drops the "&" of "AT&T", which looks to it like an unknown entity.
    body = match.group(1) or ""
    if body.startswith("#") or body in html5 or f"{body};" in html5:
        return match.group(0)
    return f"&amp;{body}"
