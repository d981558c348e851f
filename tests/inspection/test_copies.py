"""Texts that are there more than once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from inspection.support import sentences, table_of
from textlora.data.splitting import copied_in
from textlora.inspection.corpus import Corpus
from textlora.inspection.facts import Facts, gather

TEXTS = st.lists(st.sampled_from("abcde"), max_size=12)


def facts_of(near: bool = False, **parts: list[str]) -> Facts:
    tables = {name: table_of(texts, source=f"{name}.csv") for name, texts in parts.items()}
    return gather(Corpus.of(tables), (), near=near)


@given(TEXTS, TEXTS, TEXTS)
def test_leaks_are_the_rows_that_an_earlier_part_has(
    train: list[str], validation: list[str], test: list[str]
) -> None:
    facts = facts_of(train=train, validation=validation, test=test)
    corpus, parts = facts.corpus, (train, validation, test)
    for earlier, later in ((0, 1), (0, 2), (1, 2)):
        found = facts.exact_leaks.get((earlier, later), {})
        start = corpus.starts[later]
        expected = [row for row, text in enumerate(parts[later], start) if text in parts[earlier]]
        assert sorted(found) == expected
        for row, copy in found.items():
            assert corpus.texts[row] == corpus.texts[copy]
            assert corpus.part_of(copy) == earlier


@given(TEXTS, TEXTS, TEXTS)
def test_what_is_given_up_is_what_training_drops(
    train: list[str], validation: list[str], test: list[str]
) -> None:
    facts = facts_of(train=train, validation=validation, test=test)
    dropped = [*copied_in(train, validation, test), *copied_in(validation, test)]
    expected = [*dropped, *(False for _ in test)]
    assert [row in facts.exact_given_up for row in range(len(facts.corpus))] == expected
    for row, copy in facts.exact_given_up.items():
        assert facts.corpus.texts[row] == facts.corpus.texts[copy]
        assert facts.corpus.part_of(copy) > facts.corpus.part_of(row)


def test_rows_are_counted_not_texts() -> None:
    train = [*sentences(275, seed=1), "hi", "lol", "thanks a lot for having me here"]
    test = [*sentences(275), *["hi"] * 60, *["lol"] * 40, *[train[-1].upper()] * 25]
    facts = facts_of(train=train, test=test)
    assert {parts: len(rows) for parts, rows in facts.exact_leaks.items()} == {(0, 1): 100}
    assert {parts: len(rows) for parts, rows in facts.near_leaks.items()} == {(0, 1): 25}


@given(TEXTS, TEXTS)
def test_repeats_are_what_came_before_in_the_part(train: list[str], test: list[str]) -> None:
    facts = facts_of(train=train, test=test)
    expected = [text in train[:row] for row, text in enumerate(train)]
    expected += [text in test[:row] for row, text in enumerate(test)]
    assert [row in facts.exact_repeats for row in range(len(facts.corpus))] == expected


def test_the_test_part_is_last_wherever_it_is_given() -> None:
    corpus = Corpus.of({name: table_of(["a"]) for name in ("train", "test", "more")})
    assert corpus.names == ("train", "more", "test")


def test_case_and_html_make_a_near_copy_without_a_search() -> None:
    text = sentences(1)[0]
    facts = facts_of(train=[f"<b>{text.upper()}</b>", "x"], test=[text])
    assert not facts.exact_leaks
    assert facts.near_leaks == {(0, 1): {2: 0}}
    assert facts.near_given_up == {0: 2}


def test_an_edited_copy_takes_a_search() -> None:
    text = sentences(1)[0]
    edited = text.replace(".", " indeed.")
    assert not facts_of(train=[edited], test=[text]).near_leaks
    assert facts_of(near=True, train=[edited], test=[text]).near_leaks == {(0, 1): {1: 0}}


def test_white_space_alone_is_an_exact_copy() -> None:
    assert facts_of(train=["so  it\nis", "so it is"]).exact_repeats == {1: 0}


def test_texts_without_words_are_not_all_the_same() -> None:
    facts = facts_of(train=[":)", ":("], test=[":)"])
    assert facts.exact_leaks == {(0, 1): {2: 0}}
    assert not facts.near_leaks


def test_conflicts_after_spelling() -> None:
    table = table_of(["It was so.", "it was so", "Twice.", "twice"], ["pos", "neg", "pos", "POS"])
    facts = gather(Corpus.of({"train": table}), (), near=False)
    assert [sorted(group) for group in facts.conflicts] == [[0, 1]]
