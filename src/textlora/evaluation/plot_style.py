"""How the plots look: transparent, mid-tone, their text kept as text."""

from __future__ import annotations

import io
import unicodedata
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from textlora.evaluation.svg import standalone_svg
from textlora.evaluation.theme import COLOURS

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
    with style.context(["default", _STYLE]):
        yield


def legend(axes: Axes, loc: str = "best") -> None:
    """Name the labelled lines; names are text, never formulas."""
    handles = [line for line in axes.get_lines() if not str(line.get_label()).startswith("_child")]
    if handles:
        names = [str(line.get_label()) for line in handles]
        for text in axes.legend(handles, names, loc=loc).get_texts():
            text.set_parse_math(False)


def short(name: str, width: int) -> str:
    """Return a class name that fits, without characters that XML forbids."""
    clean = "".join(" " if unicodedata.category(sign)[0] == "C" else sign for sign in name)
    clean = " ".join(clean.split())
    return clean if len(clean) <= width else f"{clean[: width - 1]}…"
