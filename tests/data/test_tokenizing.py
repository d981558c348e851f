"""Token ids: order, truncation at either end, and a cache that never changes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from support.examples import examples
from textlora.data import tokenizing
from textlora.data.tokenizing import TokenizedTexts, tokenize
from textlora.data.truncation import Cut, Side, Truncation, Windows
from textlora.errors import ConfigError, ModelError, StorageError

from .conftest import WORDS

TEXTS = ["a good film", "it was bad", "not the end not the end", "a"]


def run(
    texts: list[str],
    tokenizer: Any,
    cache_dir: Path | None = None,
    max_length: int = 6,
    side: Side = "right",
    cut: Cut | None = None,
) -> TokenizedTexts:
    cut = cut or Truncation(max_length, side, head_share=0.25)
    return tokenize(texts, tokenizer, cut=cut, cache_dir=cache_dir)


def words(tokens: TokenizedTexts, index: int) -> str:
    return " ".join(WORDS[token] for token in tokens[index])


def same(one: TokenizedTexts, other: TokenizedTexts) -> bool:
    return all(
        np.array_equal(getattr(one, name), getattr(other, name))
        and getattr(one, name).dtype == getattr(other, name).dtype
        for name in ("tokens", "offsets", "text_offsets", "full_lengths", "truncated")
    )


def test_order_types_and_lengths(tokenizer: Any) -> None:
    tokens = run(TEXTS, tokenizer)
    assert len(tokens) == 4
    assert words(tokens, 0) == "[CLS] a good film [SEP]"
    assert words(tokens, -1) == "[CLS] a [SEP]"
    assert tokens.lengths.tolist() == [5, 5, 6, 3] == [len(one) for one in tokens]
    assert [tokens.tokens.dtype.name, tokens.offsets.dtype.name] == ["int32", "int64"]
    with pytest.raises(IndexError):
        tokens[4]


def test_truncation_keeps_special_tokens_at_both_ends(tokenizer: Any) -> None:
    right, left = run(TEXTS, tokenizer), run(TEXTS, tokenizer, side="left")
    assert words(right, 2) == "[CLS] not the end not [SEP]"
    assert words(left, 2) == "[CLS] end not the end [SEP]"
    assert right.truncated.tolist() == left.truncated.tolist() == [False, False, True, False]


def test_both_ends_are_kept(tokenizer: Any) -> None:
    cut = Truncation(6, "head+tail", head_share=0.25)
    tokens = run(TEXTS, tokenizer, cut=cut)
    assert words(tokens, 0) == "[CLS] a good film [SEP]"
    assert words(tokens, 2) == "[CLS] not not the end [SEP]"
    assert tokens.truncated.tolist() == [False, False, True, False]
    assert tokens.full_lengths.tolist() == [5, 5, 8, 3]


def test_windows_of_a_text_follow_each_other(tokenizer: Any) -> None:
    tokens = run(TEXTS, tokenizer, cut=Windows(6, stride=2, max_windows=9))
    assert [words(tokens, place) for place in range(len(tokens))] == [
        "[CLS] a good film [SEP]",
        "[CLS] it was bad [SEP]",
        "[CLS] not the end not [SEP]",
        "[CLS] end not the end [SEP]",
        "[CLS] a [SEP]",
    ]
    assert tokens.text_offsets.tolist() == [0, 1, 2, 4, 5]
    assert tokens.full_lengths.tolist() == [5, 5, 8, 3]
    assert not tokens.truncated.any()


@pytest.mark.parametrize("side", ["right", "left"])
def test_same_ids_as_transformers(side: Side, tokenizer: Any) -> None:
    other = type(tokenizer)(
        tokenizer_object=tokenizer.backend_tokenizer, truncation_side=side, pad_token="[PAD]"
    )
    expected = other(TEXTS, truncation=True, max_length=6)["input_ids"]
    assert [one.tolist() for one in run(TEXTS, tokenizer, side=side)] == expected


def test_windows_without_overlap_are_those_of_transformers(tokenizer: Any) -> None:
    text = " ".join(WORDS[4:] * 4)  # 36 words: windows of 4 end with the text
    expected = tokenizer(
        text, truncation=True, max_length=6, stride=0, return_overflowing_tokens=True
    )["input_ids"]
    tokens = run([text], tokenizer, cut=Windows(6, stride=0, max_windows=9))
    assert [one.tolist() for one in tokens] == expected


def test_a_start_token_is_not_needed(tokenizer: Any) -> None:
    from tokenizers import Tokenizer, processors

    backend = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    backend.post_processor = processors.TemplateProcessing(
        single="$A [SEP]", special_tokens=[("[SEP]", 3)]
    )
    tokens = run(["not the end"], mock.Mock(backend_tokenizer=backend), max_length=3, side="left")
    assert words(tokens, 0) == "the end [SEP]"


def test_the_tokenizer_is_left_alone(tokenizer: Any) -> None:
    before = tokenizer.backend_tokenizer.to_str()
    run(TEXTS, tokenizer, side="left")
    assert tokenizer.backend_tokenizer.to_str() == before
    tokenizer(TEXTS, padding="max_length", truncation=True, max_length=3)
    assert run(TEXTS, tokenizer).lengths.tolist() == [5, 5, 6, 3]


@examples(30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(st.text(st.sampled_from("agood film\n"), max_size=30), max_size=6))
def test_cache_equals_no_cache(texts: list[str], tokenizer: Any, tmp_path: Path) -> None:
    expected = run(texts, tokenizer)
    assert same(run(texts, tokenizer, tmp_path), expected)
    assert same(run(texts, tokenizer, tmp_path), expected)


def test_second_call_reads_the_cache(tokenizer: Any, tmp_path: Path) -> None:
    first = run(TEXTS, tokenizer, tmp_path)
    with mock.patch.object(tokenizing, "_encode", side_effect=AssertionError("tokenized again")):
        assert same(run(TEXTS, tokenizer, tmp_path), first)
        tokenizer(TEXTS, truncation=True, max_length=4)
        assert same(run(TEXTS, tokenizer, tmp_path), first)


def test_every_input_is_part_of_the_key(tokenizer: Any, tmp_path: Path) -> None:
    run(["a b", "c"], tokenizer, tmp_path)
    run(["a", "b c"], tokenizer, tmp_path)
    run(["a b", "c"], tokenizer, tmp_path, max_length=7)
    run(["a b", "c"], tokenizer, tmp_path, side="left")
    for share in (0.25, 0.5):
        run(["a b", "c"], tokenizer, tmp_path, cut=Truncation(6, "head+tail", share))
    for stride, limit in ((1, 9), (2, 9), (2, 8)):
        run(["a b", "c"], tokenizer, tmp_path, cut=Windows(6, stride, limit))
    assert len(list(tmp_path.iterdir())) == 9


@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "text"])
def test_damaged_cache_is_computed_again(damage: str, tokenizer: Any, tmp_path: Path) -> None:
    expected = run(TEXTS, tokenizer, tmp_path)
    (file,) = tmp_path.iterdir()
    content = file.read_bytes()
    flipped = content[:-1] + bytes([content[-1] ^ 1])
    file.write_bytes({"cut": content[:-3], "flip": flipped, "empty": b"", "text": b"no"}[damage])
    assert same(run(TEXTS, tokenizer, tmp_path), expected)
    assert file.read_bytes() == content


def test_no_texts(tokenizer: Any, tmp_path: Path) -> None:
    assert len(run([], tokenizer, tmp_path)) == 0
    assert len(run([], tokenizer, tmp_path)) == 0


def test_more_texts_than_a_batch(tokenizer: Any) -> None:
    texts = ["a", "a good film"] * 1_100
    tokens = run(texts, tokenizer)
    assert tokens.lengths.tolist() == [3, 5] * 1_100


def test_no_room_beside_special_tokens(tokenizer: Any) -> None:
    with pytest.raises(ConfigError, match="max_length=2 leaves no room"):
        run(TEXTS, tokenizer, max_length=2)


def test_slow_tokenizer_is_refused() -> None:
    with pytest.raises(ModelError, match="not a fast one"):
        run(TEXTS, object())


def test_full_disk(tokenizer: Any, tmp_path: Path) -> None:
    with (
        mock.patch("os.replace", side_effect=OSError(28, "No space left on device")),
        pytest.raises(StorageError, match="token cache"),
    ):
        run(TEXTS, tokenizer, tmp_path)
    assert list(tmp_path.iterdir()) == []
