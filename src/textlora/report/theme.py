"""The colours of plots and report, each stated once, for light and for dark."""

from __future__ import annotations

from dataclasses import dataclass

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
