"""The passage of a text whose words count most, where the whole is too long to be looked at."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from textlora.evaluation.attributions import (
    Explanation,
    Span,
    Word,
    piece_html,
    quality_in_words,
    strongest_html,
)
from textlora.evaluation.report_view import EXCERPT, WHOLE_TEXT_LIMIT


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
