"""Which words spoke for an answer and which against it, as HTML.

The scores come from `inference.explaining`; nothing here knows of models.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from textlora.metrics.decisions import label_text
from textlora.metrics.mistakes import LEVELS, Explanation, Span, Word
from textlora.report.theme import DARK_MEDIA, FONT_STACK, css_variables
from textlora.report.view import EXCERPT, WHOLE_TEXT_LIMIT, printable
from textlora.report.wording import percent

# Text stays readable on the fullest background: see the theme's test.
_FULLEST = 45
_UNSEEN_SHOWN = 60


def words_html(explanation: Explanation) -> Markup:
    """Return the text with its words marked, and a line that names the strongest ones.

    Words for the target lie on one colour and are underlined, words against it lie on another
    and are underlined with dashes; stronger is fuller. `words_css` has the rules. The line
    below says the same to those who see no colours.
    """
    parts = [piece_html(explanation, piece) for piece in explanation.pieces()]
    text = Markup("").join(parts)
    return Markup('<div class="explanation"><p class="words" dir="auto">{}</p>{}</div>').format(
        text, strongest_html(explanation)
    )


def words_css() -> str:
    """Return the rules for `words_html`; they use the theme's variables."""
    rules = [
        ".words{white-space:pre-line;line-height:1.9}",
        ".words span{padding:.1em .05em;border-radius:3px;text-underline-offset:.25em}",
        ".words .unseen{color:var(--muted);font-style:italic}",
        ".strongest{color:var(--muted);font-size:.9375rem}",
        ".strongest strong{color:var(--ink)}",
    ]
    for name, colour, line in (("for", "accent", "solid"), ("against", "wrong", "dashed")):
        for level in range(1, LEVELS + 1):
            share = _FULLEST * level // LEVELS
            rules.append(
                f".words .{name}-{level}{{"
                f"background:color-mix(in srgb,var(--{colour}) {share}%,transparent);"
                f"text-decoration:underline {1 + level // 3}px {line} var(--{colour})}}"
            )
    return "\n".join(rules)


def explanations_page(explanations: Sequence[Explanation], title: str) -> str:
    """Return explanations as one HTML page: no script, nothing from outside it."""
    articles = Markup("\n").join(
        _ARTICLE.format(
            _safe(label_text(explanation.label)),
            _safe(target_in_words(explanation)),
            words_html(explanation),
            _safe(quality_in_words(explanation)),
        )
        for explanation in explanations
    )
    css = Markup(_page_css())  # noqa: S704 - made of constants
    return _PAGE.format(title=_safe(title), css=css, articles=articles)


def target_in_words(explanation: Explanation) -> str:
    """Return what the scores are about: "Positive 97.1 %; without its words 48.0 %"."""
    return (
        f"{explanation.target} {percent(explanation.probability)}; with every word replaced by "
        f"{explanation.baseline} {percent(explanation.baseline_probability)}"
    )


def quality_in_words(explanation: Explanation) -> str:
    """Say how exact the scores are, and what of the text they leave out."""
    share = explanation.relative_delta
    relative = f" ({percent(share)} of the difference)" if math.isfinite(share) else ""
    said = [
        f"The scores miss their sum by {abs(explanation.delta):.2f} log-odds{relative} "
        f"after {explanation.steps} steps"
        + ("." if explanation.converged else ": take them as rough.")
    ]
    lost = sum(span.end - span.start for span in explanation.unseen)
    if lost:
        said.append(f"{lost:,} of {len(explanation.text):,} characters are left out.")
    if explanation.note:
        said.append(explanation.note)
    return " ".join(said)


def signed(score: float) -> str:
    """Return a score with its sign: "+1.25", "−0.40"."""
    return f"{score:+.2f}".replace("-", "\N{MINUS SIGN}")


def piece_html(explanation: Explanation, piece: Word | Span | str) -> Markup:
    """Return one of `Explanation.pieces`: a word is marked by its level."""
    if isinstance(piece, str):
        return _safe(piece)
    if isinstance(piece, Span):
        shown = shortened(explanation.text[piece.start : piece.end])
        return Markup('<span class="unseen" title="left out">{}</span>').format(_safe(shown))
    level = explanation.level(piece)
    if level == 0:
        return _safe(piece.text)
    name = "for" if level > 0 else "against"
    return Markup('<span class="{}-{}" title="{}">{}</span>').format(
        name, abs(level), signed(piece.score), _safe(piece.text)
    )


def shortened(text: str) -> str:
    """Return an unseen part of a text, without its middle where it is long."""
    if len(text) <= 3 * _UNSEEN_SHOWN:
        return text
    left_out = len(text) - 2 * _UNSEEN_SHOWN
    middle = f" … [{left_out:,} characters left out] … "
    return text[:_UNSEEN_SHOWN] + middle + text[-_UNSEEN_SHOWN:]


def strongest_html(explanation: Explanation) -> Markup:
    """Return a line that names the words that count most for and against the target."""
    sides = []
    for start, sign in (("For", 1), ("Against", -1)):
        words = explanation.strongest(sign)
        named = ", ".join(f"{word.text} {signed(word.score)}" for word in words) or "none"
        sides.append(
            Markup("{} <strong>{}</strong>: {}.").format(
                start, _safe(explanation.target), _safe(named)
            )
        )
    return Markup('<p class="strongest">{} {}</p>').format(*sides)


@dataclass(frozen=True)
class Passage:
    """An explained text, as the report shows it.

    Args:
        marked: the passage, its words marked.
        whole: the whole text, marked; None where the passage is the whole.
        strongest: the words that count most, named.
        quality: how exact the scores are.
        characters: of the whole text.
    """

    marked: Markup
    whole: Markup | None
    strongest: Markup
    quality: str
    characters: int


def passage(explanation: Explanation) -> Passage:
    """Return the passage to show, and the whole text where that is longer."""
    text = explanation.text
    everything = Span(0, len(text))
    whole = None
    shown = everything
    if len(text) > WHOLE_TEXT_LIMIT:
        shown = strongest_passage(explanation)
        whole = _marked(explanation, everything)
    return Passage(
        _marked(explanation, shown),
        whole,
        strongest_html(explanation),
        quality_in_words(explanation),
        len(text),
    )


def strongest_passage(explanation: Explanation, characters: int = EXCERPT) -> Span:
    """Return the passage of whole words whose scores are largest, for and against together.

    Args:
        explanation: what every word did.
        characters: its length at most; a single longer word is taken whole.
    """
    words = explanation.words
    if not words:
        return Span(0, min(characters, len(explanation.text)))
    best, best_weight = Span(words[0].start, words[0].end), -1.0
    first, weight = 0, 0.0
    for word in words:
        weight += abs(word.score)
        while word.end - words[first].start > characters and words[first] is not word:
            weight -= abs(words[first].score)
            first += 1
        if weight > best_weight:
            best, best_weight = Span(words[first].start, word.end), weight
    return best


def _marked(explanation: Explanation, shown: Span) -> Markup:
    before = "… " if shown.start > 0 else ""
    after = " …" if shown.end < len(explanation.text) else ""
    pieces, place = [], 0
    for piece in explanation.pieces():
        start = place if isinstance(piece, str) else piece.start
        place = start + len(piece) if isinstance(piece, str) else max(place, piece.end)
        low, high = max(start, shown.start), min(place, shown.end)
        if low >= high:
            continue
        if isinstance(piece, str):
            piece = piece[low - start : high - start]
        elif not isinstance(piece, Word):
            piece = Span(low, high)
        pieces.append(piece_html(explanation, piece))
    return Markup("{}{}{}").format(before, Markup("").join(pieces), after)


def _safe(text: str) -> Markup:
    """Escape a text, and replace characters that HTML forbids."""
    return escape(printable(text))


def _page_css() -> str:
    return (
        f":root{{{css_variables('light')}--fonts:{FONT_STACK}}}"
        f"@media {DARK_MEDIA}{{:root{{{css_variables('dark')}}}}}\n{_LAYOUT}\n{words_css()}"
    )


_LAYOUT = """html{color-scheme:light dark}
body{margin:0 auto;max-width:48rem;padding:1rem clamp(1rem,4vw,2.5rem) 4rem;background:var(--paper);
  color:var(--ink);font:1rem/1.6 var(--fonts);overflow-wrap:break-word}
h1{font-size:1.35rem}
h2{margin-bottom:.25rem;font-size:1.15rem}
article{margin-top:2rem;border-top:1px solid var(--line)}
.quality{color:var(--muted);font-size:.875rem}"""

_ARTICLE = Markup("""<article>
<h2>{}</h2>
<p>{}</p>
{}
<p class="quality">{}</p>
</article>""")

_PAGE = Markup("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<link rel="icon" href="data:,">
<title>{title}</title>
<style>
{css}
</style>
</head>
<body>
<main>
<h1>{title}</h1>
{articles}
</main>
</body>
</html>
""")
