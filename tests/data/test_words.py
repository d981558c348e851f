"""Tokens stand where the text says, and make up its words."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from support.examples import examples
from support.tiny import BERT_SPECIALS, build_tokenizer
from textlora.data.tokenizing import token_places, unseen_places, word_places

WORDPIECE = build_tokenizer(BERT_SPECIALS)


def byte_level() -> Any:
    """A byte-level BPE tokenizer as RoBERTa's, which knows a few merges."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = ["<s>", "</s>", "<pad>", *alphabet, "oo", "Ġg", "ood"]
    ids = {token: number for number, token in enumerate(vocabulary)}
    merges = [("o", "o"), ("Ġ", "g"), ("oo", "d")]
    backend = Tokenizer(models.BPE(ids, merges))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.post_processor = processors.RobertaProcessing(("</s>", 1), ("<s>", 0))
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, cls_token="<s>", sep_token="</s>", pad_token="<pad>"
    )


TOKENIZERS = {"wordpiece": WORDPIECE, "bytes": byte_level()}
# Half of the texts are made of pieces that meet the rules for compounds.
TEXTS = st.text(max_size=40) | st.lists(
    st.sampled_from(
        ["good", "films", "don't", "well-made", " ", "\n", ",", "…", "é", "電影", "👍🏽"]
    ),
    max_size=12,
).map("".join)


def shown(text: str, tokenizer: Any) -> list[str]:
    places = token_places(text, tokenizer)
    return [text[word.start : word.end] for word in word_places(text, places)]


@pytest.mark.parametrize("kind", TOKENIZERS)
@given(text=TEXTS)
@example(text="a\u0301b ﬁne")
@examples(150)
def test_words_cover_the_text_without_overlap(kind: str, text: str) -> None:
    places = token_places(text, TOKENIZERS[kind])
    words = word_places(text, places)
    covered, last = set(), 0
    for word in words:
        assert last <= word.start < word.end <= len(text)
        last = word.end
        covered |= set(range(word.start, word.end))
    missed = [text[place] for place in range(len(text)) if place not in covered]
    assert all(character.isspace() or not character.isprintable() for character in missed)
    tokens = [number for word in words for number in word.tokens]
    expected = [n for n, place in enumerate(places) if place.word is not None]
    assert tokens == (expected if words else [])
    assert bool(words) == any(places[number].end > places[number].start for number in expected)


@pytest.mark.parametrize("kind", TOKENIZERS)
@given(text=TEXTS, data=st.data())
@examples(150)
def test_what_is_not_kept_is_unseen(kind: str, text: str, data: st.DataObject) -> None:
    places = token_places(text, TOKENIZERS[kind])
    first = data.draw(st.integers(0, len(places)))
    kept = [*range(first), *range(data.draw(st.integers(first, len(places))), len(places))]
    words = word_places(text, places, kept)
    unseen = unseen_places(text, places, kept, words)
    everything = [(word.start, word.end) for word in words] + unseen
    last = 0
    for start, end in sorted(everything):
        assert last <= start < end
        last = end
    read = {p for number in kept for p in range(places[number].start, places[number].end)}
    assert not any(place in read for start, end in unseen for place in range(start, end))
    covered = {place for start, end in everything for place in range(start, end)}
    tokens = {p for place in places for p in range(place.start, place.end)}
    assert all(text[place].isspace() for place in tokens - covered)


@pytest.mark.parametrize("kind", TOKENIZERS)
def test_words_are_those_of_a_reader(kind: str) -> None:
    text = "I don't like films, it's\twell-made (good) !"
    expected = ["I", "don't", "like", "films", ",", "it's", "well-made", "(", "good", ")", "!"]
    assert shown(text, TOKENIZERS[kind]) == expected
    assert shown("", TOKENIZERS[kind]) == shown(" \n ", WORDPIECE) == []


def test_bytes_of_one_character_are_one_word() -> None:
    text = "so 👍 é"
    assert len(token_places(text, TOKENIZERS["bytes"])) > 8
    assert shown(text, TOKENIZERS["bytes"]) == ["so", "👍", "é"]


def test_the_seam_of_head_and_tail_joins_nothing() -> None:
    text = "films films"
    places = token_places(text, WORDPIECE)
    numbers = [number for number, place in enumerate(places) if place.word is not None]
    ends = [numbers[0], numbers[-1]]
    words = word_places(text, places, ends)
    assert [text[word.start : word.end] for word in words] == ["film", "s"]
    assert [text[a:b] for a, b in unseen_places(text, places, ends, words)] == ["s film"]
