"""Which texts are copies."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from textlora.data.splitting import copied_in, plain_form, text_groups

TEXTS = st.lists(st.sampled_from(["a", "b", " a", "a\n", "a b", "a  b", ""]), max_size=12)


@given(TEXTS, TEXTS, TEXTS)
def test_copied_in(texts: list[str], first: list[str], second: list[str]) -> None:
    known = [plain_form(text) for text in [*first, *second]]
    assert copied_in(texts, first, second).tolist() == [plain_form(text) in known for text in texts]


def test_white_space_alone_is_no_difference() -> None:
    assert copied_in(["so  it\nis", "So it is"], ["so it is "]).tolist() == [True, False]


@given(TEXTS)
def test_groups_are_the_first_rows(texts: list[str]) -> None:
    plain = [plain_form(text) for text in texts]
    assert text_groups(texts).tolist() == [plain.index(text) for text in plain]
