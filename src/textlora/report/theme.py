"""The look of plots and report: colours for light and dark, each stated once, and SVG files.

Plots are transparent and their text stays text, so that one file suits light and dark screens.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.etree import ElementTree

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FONT_STACK = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
PLOT_CLASS = "textlora-plot"
# restricted to screens: what is printed is light
DARK_MEDIA = "screen and (prefers-color-scheme: dark)"


@dataclass(frozen=True)
class Colour:
    """One role's colour in both themes, as lower-case #rrggbb."""

    light: str
    dark: str


COLOURS = {
    "paper": Colour("#faf9f6", "#14171c"),
    "panel": Colour("#fffefc", "#1b1f26"),
    "ink": Colour("#1e2430", "#e5e8ec"),
    "muted": Colour("#565f6e", "#a6afbb"),
    "line": Colour("#d8d6cf", "#353c47"),
    "accent": Colour("#1b5e9b", "#82b9ec"),
    "wrong": Colour("#a8461f", "#f2a27c"),
}

# the first two are the roles above, so that two classes look like right and wrong do elsewhere
SERIES = (
    COLOURS["accent"],
    COLOURS["wrong"],
    Colour("#2c7550", "#84cfa3"),
    Colour("#74479b", "#c6a6ec"),
    Colour("#80660d", "#dcc06a"),
    Colour("#0e7075", "#72cdd2"),
)


def css_variables(theme: str) -> str:
    """Return the colours as CSS custom properties.

    Args:
        theme: "light" or "dark".
    """
    return "".join(f"--{name}:{getattr(colour, theme)};" for name, colour in COLOURS.items())


def svg_dark_rules() -> str:
    """Return CSS rules that repaint a plot for dark screens.

    The plots carry plain light colours, which every viewer understands; browsers
    on dark screens swap them by these rules, in the file and inside the report.
    """
    colours = {colour.light: colour.dark for colour in (*COLOURS.values(), *SERIES)}
    rules = "".join(
        f'.{PLOT_CLASS} [style*="{paint}: {light}"]{{{paint}:{dark}!important}}'
        for light, dark in colours.items()
        for paint in ("fill", "stroke")
    )
    return f"@media {DARK_MEDIA}{{{rules}}}"


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
    for rules in root.findall(f"{{{SVG}}}style"):
        root.remove(rules)  # the page has the same rules, once for all plots
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


INK, MUTED, LINE = (COLOURS[name].light for name in ("ink", "muted", "line"))
ACCENT, WRONG = COLOURS["accent"].light, COLOURS["wrong"].light
WIDTH = 4.8  # inches: one column, still readable when scaled to a phone

_STYLE: dict[str, object] = {
    "figure.facecolor": "none",
    "figure.constrained_layout.use": True,
    "figure.constrained_layout.h_pad": 0.12,
    "savefig.facecolor": "none",
    "font.family": ["DejaVu Sans"],
    "font.size": 10.5,
    "text.color": INK,
    "axes.facecolor": "none",
    "axes.edgecolor": MUTED,
    "axes.labelcolor": MUTED,
    "axes.titlecolor": INK,
    "axes.titlesize": 11.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 10,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "grid.color": LINE,
    "grid.linewidth": 0.8,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.major.size": 0,
    "xtick.major.pad": 6,
    "ytick.major.size": 0,
    "lines.linewidth": 1.9,
    "lines.markersize": 5.5,
    "lines.markeredgewidth": 0,
    "legend.frameon": False,
    "legend.fontsize": 10,
    "svg.fonttype": "none",
    "svg.hashsalt": "textlora",
}


def svg_text(figure: Figure, title: str) -> str:
    """Return a figure as the text of an SVG file."""
    target = io.StringIO()
    with styled(), warnings.catch_warnings():
        # a class name may have characters that the measuring font lacks; the viewer's has them
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        figure.savefig(target, format="svg", metadata={"Date": None, "Creator": None})
    return standalone_svg(target.getvalue(), title)


@contextmanager
def styled() -> Iterator[None]:
    """Draw or save in this package's style, whatever the user's own settings are."""
    from matplotlib import style

    with style.context(["default", _STYLE]):
        yield


def legend(axes: Axes, loc: str = "best") -> None:
    """Name the labelled lines; names are text, never formulas."""
    handles = [line for line in axes.get_lines() if not str(line.get_label()).startswith("_child")]
    if handles:
        names = [str(line.get_label()) for line in handles]
        for text in axes.legend(handles, names, loc=loc).get_texts():
            text.set_parse_math(False)
