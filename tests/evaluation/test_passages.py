"""The passage that is shown of an explained text."""

from __future__ import annotations

import html
import re
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from support.reports import explanation
from textlora.evaluation.passages import passage, strongest_passage

LONG = "plain " * 200 + "wonderful and moving " + "plain " * 200


def test_a_short_text_is_shown_whole() -> None:
    shown = passage(explanation("a good film", "positive"))
    assert shown.whole is None
    assert readable(shown.marked) == "a good film"
    assert "For <strong>positive</strong>" in shown.strongest


def test_of_a_long_text_the_passage_that_counts_is_shown() -> None:
    told = explanation(LONG, "positive")
    loud = tuple(
        replace(word, score=3.0 if word.text in {"wonderful", "moving"} else 0.001)
        for word in told.words
    )
    shown = passage(replace(told, words=loud))
    assert "wonderful and moving" in readable(shown.marked)
    assert readable(shown.marked).startswith("… ")
    assert readable(shown.marked).endswith(" …")
    assert len(readable(shown.marked)) < 350
    assert shown.whole is not None
    assert readable(shown.whole) == LONG
    assert shown.characters == len(LONG)


def test_a_text_without_words_shows_its_beginning() -> None:
    shown = passage(replace(explanation(LONG, "positive"), words=(), unseen=()))
    assert readable(shown.marked).startswith("plain plain")


@given(st.lists(st.tuples(st.integers(1, 30), st.floats(-2, 2)), min_size=1, max_size=40))
def test_the_passage_is_the_heaviest_of_its_length(drawn: list[tuple[int, float]]) -> None:
    text = " ".join("x" * length for length, _ in drawn)
    told = explanation(text, "positive")
    found = list(re.finditer(r"\S+", text))
    words = tuple(
        replace(told.words[0], text=match[0], start=match.start(), end=match.end(), score=score)
        for match, (_, score) in zip(found, drawn, strict=True)
    )
    told = replace(told, words=words, unseen=())
    best = strongest_passage(told, 40)
    assert best.end - best.start <= 40

    def weight(first: int, last: int) -> float:
        return sum(abs(word.score) for word in words[first : last + 1])

    heaviest = max(
        weight(first, last)
        for first in range(len(words))
        for last in range(first, len(words))
        if words[last].end - words[first].start <= 40
    )
    inside = [word for word in words if best.start <= word.start and word.end <= best.end]
    assert abs(sum(abs(word.score) for word in inside) - heaviest) < 1e-9


def readable(marked: str) -> str:
    return html.unescape(re.sub(r"</?span[^>]*>", "", marked))
