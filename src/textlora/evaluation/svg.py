"""Matplotlib's SVG made fit for files of its own and for one shared HTML page."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from textlora.evaluation.theme import FONT_STACK, PLOT_CLASS, svg_dark_rules

SVG = "http://www.w3.org/2000/svg"
_HREF = "{http://www.w3.org/1999/xlink}href"
_REFERENCE = re.compile(r"url\(#([^)]+)\)")
_STROKES = f".{PLOT_CLASS} *{{stroke-linejoin:round;stroke-linecap:butt}}"


def standalone_svg(raw: str, title: str) -> str:
    """Return Matplotlib's SVG as a small file that suits light and dark screens.

    Args:
        raw: what Matplotlib wrote.
        title: the plot's name, for screen readers and as a tooltip.
    """
    root = ElementTree.fromstring(raw)  # noqa: S314 (Matplotlib's, of this process)
    for unwanted in (f"{{{SVG}}}metadata", f"{{{SVG}}}defs"):
        for element in root.findall(unwanted):
            # the first defs holds a rule for "*", which would reach out into a page
            if element.find(f"{{{SVG}}}style") is not None or unwanted.endswith("metadata"):
                root.remove(element)
    _use_page_fonts(root)
    _rename_ids(root, "")
    root.set("class", PLOT_CLASS)
    style = ElementTree.Element(f"{{{SVG}}}style")
    style.text = ":root{color-scheme:light dark}" + page_rules()
    root.insert(0, style)
    _set_title(root, title)
    return _serialized(root) + "\n"


def inline_svg(svg: str, prefix: str, description: str) -> str:
    """Return an SVG to be placed inside a page, next to others.

    Args:
        svg: the text of an SVG file.
        prefix: put before every id, which plots would otherwise share.
        description: what a screen reader says instead of the picture.

    Raises:
        xml.etree.ElementTree.ParseError: the text is no XML.
    """
    root = ElementTree.fromstring(svg)  # noqa: S314 (a plot of the user's own run)
    for style in root.findall(f"{{{SVG}}}style"):
        root.remove(style)  # the page has the same rules, once for all plots
    _rename_ids(root, f"{prefix}-")
    _set_title(root, description)
    for name in ("width", "height"):
        root.attrib.pop(name, None)
    root.set("class", PLOT_CLASS)
    root.set("role", "img")
    root.set("aria-label", description)
    return _serialized(root)


def page_rules() -> str:
    """Return the CSS that a page with inlined plots needs."""
    return _STROKES + svg_dark_rules()


def _use_page_fonts(root: ElementTree.Element) -> None:
    for element in root.iter(f"{{{SVG}}}text"):
        style = element.get("style", "")
        element.set("style", style.replace("'DejaVu Sans'", FONT_STACK))


def _rename_ids(root: ElementTree.Element, prefix: str) -> None:
    """Prefix the ids that something refers to and drop the others, which only name groups."""
    used: set[str] = set()
    for element in root.iter():
        for name, value in list(element.attrib.items()):
            used.update(_REFERENCE.findall(value))
            if name in (_HREF, "href"):
                used.add(value.removeprefix("#"))
                del element.attrib[name]
                element.set("href", f"#{prefix}{value.removeprefix('#')}")
            elif name != "id":
                element.set(name, _REFERENCE.sub(rf"url(#{prefix}\1)", value))
    for element in root.iter():
        identifier = element.attrib.pop("id", None)
        if identifier in used:
            element.set("id", f"{prefix}{identifier}")


def _set_title(root: ElementTree.Element, text: str) -> None:
    tag = f"{{{SVG}}}title"
    for old in root.findall(tag):
        root.remove(old)
    title = ElementTree.Element(tag)
    title.text = text
    root.insert(0, title)


def _serialized(root: ElementTree.Element) -> str:
    ElementTree.register_namespace("", SVG)
    return ElementTree.tostring(root, encoding="unicode")
