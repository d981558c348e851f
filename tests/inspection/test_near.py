"""Near duplicates."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspection.support import VOCABULARY, sentences
from support.examples import examples
from textlora.inspection.copies import ALIKE, group_alike, similarity
from textlora.inspection.facts import words_of


def forms_of(texts: list[str]) -> list[str]:
    return [" ".join(words_of(text)) for text in texts]


def test_edited_copies_are_found_and_nothing_else() -> None:
    forms = forms_of(sentences(300, words=60))
    draw = random.Random(1)  # noqa: S311
    copies = []
    for form in forms[:50]:
        words = form.split()
        for _ in range(3):
            words[draw.randrange(len(words))] = "zzz"
        copies.append(" ".join(words))
    groups = group_alike(forms + copies)
    assert sorted(groups) == [[row, 300 + row] for row in range(50)]


def test_short_texts_are_left_alone() -> None:
    assert group_alike(["a b c d", "a b c d e"]) == []
    assert group_alike([]) == []


def test_a_template_with_many_copies_is_one_group() -> None:
    (base,) = forms_of(sentences(1, words=80))
    assert group_alike([f"{base} {number}" for number in range(3_000)]) == [list(range(3_000))]


@given(st.lists(st.sampled_from(VOCABULARY[:12]), min_size=6, max_size=14), st.integers(0, 10**6))
@examples(50)
def test_members_are_alike_to_the_first(words: list[str], seed: int) -> None:
    draw = random.Random(seed)  # noqa: S311
    forms = {" ".join(words)}
    for _ in range(10):
        other = list(words)
        other[draw.randrange(len(other))] = draw.choice(VOCABULARY)
        forms.add(" ".join(other))
    listed = sorted(forms)
    for group in group_alike(listed):
        for member in group[1:]:
            assert similarity(listed[group[0]], listed[member]) >= ALIKE


@pytest.mark.parametrize(("one", "other", "share"), [("a b c", "a b c", 1), ("a b", "b a", 0)])
def test_similarity(one: str, other: str, share: float) -> None:
    assert similarity(one, other) == share
