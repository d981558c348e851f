"""Recognise and remove HTML, in time that grows with the length of the text and no faster.

HTML is what browsers know: elements by name, comments, entities. "<VRLN>" is a ticker, "<sigh>" is
a word. So is "<A>" a ticker, unless the text has "</A>", "<a>" or an A with attributes, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from html.entities import html5

# Those of today, and those of old pages, mails and word processors.
_NAMES = """
    a abbr acronym address applet area article aside audio b base basefont bdi bdo bgsound big blink
    blockquote body br button canvas caption center cite code col colgroup data datalist dd del
    details dfn dialog dir div dl dt em embed fieldset figcaption figure font footer form frame
    frameset h1 h2 h3 h4 h5 h6 head header hgroup hr html i iframe img input ins isindex kbd keygen
    label layer legend li link main map mark marquee math menu menuitem meta meter nav nobr noembed
    noframes noscript object ol optgroup option output p param picture plaintext pre progress q rb
    rp rt rtc ruby s samp script search section select slot small source span strike strong style
    sub summary sup svg table tbody td template textarea tfoot th thead time title tr track tt u ul
    var video wbr xmp
"""
ELEMENTS = frozenset(_NAMES.split())
_UNREADABLE = ("script", "style")
"""Elements of which the content goes, too."""

# No tag goes beyond the next "<", and nothing is tried twice (the pluses that end in "+"):
# "<a <a <a" is given up once for each "<".
_TAG = re.compile(
    r"""<(?P<closing>/?)(?P<name>[A-Za-z][A-Za-z0-9]*+)(?=[\s/>])
        (?P<attributes> (?: [^<>=]++ | =\s*+ (?: "[^"<]*+" | '[^'<]*+' )?+ )*+ )
        >""",
    re.VERBOSE,
)
_DECLARATION = re.compile(r"<!doctype\b[^<>]*+>|<\?xml\b[^<>]*+>", re.IGNORECASE)
_ENTITY = re.compile(
    r"&(?:#[0-9]{1,7}+(?![0-9]);?|#[xX][0-9a-fA-F]{1,6}+(?![0-9a-fA-F]);?|[A-Za-z][A-Za-z0-9]*+;?)"
)


def strip_html(text: str) -> str:
    """Return the text without tags, with entities decoded and white space collapsed.

    A text with neither `<` nor `&` comes back unchanged. Tags become a space,
    so that `good.<br />Bad` does not grow together. Comments, scripts and
    styles go. What browsers know no element of stays.

    Args:
        text: the text as it was read.

    Returns:
        The readable text.
    """
    if "<" not in text and "&" not in text:
        return text
    return " ".join(decode_entities(without_tags(text)).split())


def without_tags(text: str) -> str:
    """Return the text with a space for each tag, comment, script and style."""
    if "<" not in text:
        return text
    text = _DECLARATION.sub(" ", _without_comments(text))
    pieces, at = [], 0
    lowered, unclosed = "", set[str]()
    for tag in tags(text):
        if tag.start() < at:  # inside a script
            continue
        pieces.append(text[at : tag.start()])
        at = tag.end()
        name = tag["name"].lower()
        if name not in _UNREADABLE or tag["closing"] or name in unclosed:
            continue
        lowered = lowered or text.lower()
        end = lowered.find(f"</{name}", at)
        if end < 0:
            unclosed.add(name)
        at = max(at, end)
    return " ".join([*pieces, text[at:]])


def decode_entities(text: str) -> str:
    """Return the text with the entities that there are decoded; "AT&T" stays."""
    return _ENTITY.sub(_decoded, text) if "&" in text else text


def tags(text: str) -> Iterator[re.Match[str]]:
    """Yield the tags of elements that browsers know."""
    known = [tag for tag in _TAG.finditer(text) if tag["name"].lower() in ELEMENTS]
    used = {tag["name"].lower() for tag in known if not _may_be_a_ticker(tag)}
    return (tag for tag in known if tag["name"].lower() in used)


def has_html(text: str) -> bool:
    """Say whether a text has a tag, a comment or a whole entity in it; "a < b" has none."""
    if "<" in text and (_without_comments(text) is not text or any(True for _ in tags(text))):
        return True
    return "&" in text and any(
        one[0].endswith(";") and _decoded(one) != one[0] for one in _ENTITY.finditer(text)
    )


def _may_be_a_ticker(tag: re.Match[str]) -> bool:
    name = tag["name"]
    bare = not tag["closing"] and not tag["attributes"].strip("/ \t\r\n\f")
    return bare and len(name) == 1 and name.isupper()


def _without_comments(text: str) -> str:
    pieces, at = [], 0
    while (start := text.find("<!--", at)) >= 0 and (end := text.find("-->", start + 4)) >= 0:
        pieces.append(text[at:start])
        at = end + 3
    return " ".join([*pieces, text[at:]]) if pieces else text


def _decoded(entity: re.Match[str]) -> str:
    name = entity[0][1:]
    if name.startswith("#"):
        return unescape(entity[0])
    return html5.get(name) or html5.get(f"{name};", entity[0])
