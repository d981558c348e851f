"""Which words spoke for an answer and which against it: the record, and its HTML.

The scores come from `inference.explaining`; nothing here knows of models.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from markupsafe import Markup, escape

from textlora.evaluation.report_view import printable
from textlora.evaluation.theme import DARK_MEDIA, FONT_STACK, css_variables
from textlora.evaluation.wording import percent

LEVELS = 5
# Text stays readable on the fullest background: see the theme's test.
_FULLEST = 45
_TOP_WORDS = 5
_UNSEEN_SHOWN = 60


@dataclass(frozen=True)
class Word:
    """A word and what it did for the target.

    Args:
        text: the word as it stands in the text.
        start: its first character's place in the text.
        end: the place after its last.
        score: log-odds of the target that it adds; below 0 it speaks against the target.
    """

    text: str
    start: int
    end: int
    score: float


@dataclass(frozen=True)
class Span:
    """Characters `start` to `end` (exclusive) of a text."""

    start: int
    end: int


@dataclass(frozen=True)
class Explanation:
    """What every word of a text did for one class.

    Args:
        text: the text as the model read it, after the run's own cleaning.
        label: the answer, or "unsure"; several for multi-label data.
        probability: of `target`.
        target: the class that the scores speak for or against.
        words: in the order of the text, without overlap; white space lies between them.
        baseline_probability: of `target`, with every word replaced by `baseline`.
        baseline: the token that stands for "no word here", for example "[MASK]".
        delta: sum of the scores less what they should sum to: the log-odds of the text less
            those of the baseline.
        relative_delta: its absolute share of that difference.
        steps: points at which the gradient was taken.
        converged: whether the delta is within the tolerance that was asked for.
        unseen: parts of the text that the scores leave out: they were cut off, or stand in
            another window.
        note: what else a reader must know; empty if nothing.
    """

    text: str
    label: str | tuple[str, ...]
    probability: float
    target: str
    words: tuple[Word, ...]
    baseline_probability: float
    baseline: str
    delta: float
    relative_delta: float
    steps: int
    converged: bool
    unseen: tuple[Span, ...] = ()
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that JSON can hold."""
        values = asdict(self)
        # Zero differences make it infinite, which JSON has no word for.
        if not math.isfinite(self.relative_delta):
            values["relative_delta"] = None
        for name in ("words", "unseen"):
            values[name] = list(values[name])
        if not isinstance(self.label, str):
            values["label"] = list(self.label)
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Explanation:
        """Rebuild from `to_dict`'s values."""
        values = dict(values)
        values["words"] = tuple(Word(**word) for word in values["words"])
        values["unseen"] = tuple(Span(**span) for span in values["unseen"])
        if not isinstance(values["label"], str):
            values["label"] = tuple(values["label"])
        if values["relative_delta"] is None:
            values["relative_delta"] = math.inf
        return cls(**values)

    def level(self, word: Word) -> int:
        """Return how much a word counts beside the strongest: -5 (against) to 5 (for)."""
        strongest = max((abs(other.score) for other in self.words), default=0.0)
        if strongest == 0:
            return 0
        return round(LEVELS * word.score / strongest)

    def strongest(self, sign: int, most: int = _TOP_WORDS) -> list[Word]:
        """Return the words that count most for (`sign` 1) or against (-1) the target."""
        on_this_side = (word for word in self.words if word.score * sign > 0 and self.level(word))
        return sorted(on_this_side, key=lambda word: -abs(word.score))[:most]

    def pieces(self) -> Iterator[Word | Span | str]:
        """Go through the text in its order: words, unseen parts, and what lies between."""
        marked: list[Word | Span] = [*self.words, *self.unseen]
        marked.sort(key=lambda piece: piece.start)
        place = 0
        for piece in marked:
            if piece.start > place:
                yield self.text[place : piece.start]
            yield piece
            place = max(place, piece.end)
        if place < len(self.text):
            yield self.text[place:]


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
            _safe(answer_in_words(explanation)),
            _safe(target_in_words(explanation)),
            words_html(explanation),
            _safe(quality_in_words(explanation)),
        )
        for explanation in explanations
    )
    css = Markup(_page_css())  # noqa: S704 - made of constants
    return _PAGE.format(title=_safe(title), css=css, articles=articles)


def answer_in_words(explanation: Explanation) -> str:
    """Return the answer: "Positive", or the labels of a multi-label answer."""
    label = explanation.label
    return label if isinstance(label, str) else ", ".join(label) or "(none)"


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
