"""The bundled reviews are what the documentation says they are."""

from __future__ import annotations

import csv
import re
from collections import Counter
from itertools import combinations

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from textlora.recipes import PARTS, demo_config, reviews_path

# Words of the shortest review; what is shorter is a line.
REVIEW = 20
Rows = list[tuple[str, str]]


@pytest.fixture(scope="module")
def parts() -> dict[str, Rows]:
    read: dict[str, Rows] = {}
    for part in PARTS:
        with reviews_path(part).open(encoding="utf-8", newline="") as file:
            read[part] = [(row["text"], row["label"]) for row in csv.DictReader(file)]
    return read


def test_sizes_and_balance(parts: dict[str, Rows]) -> None:
    assert {part: len(rows) for part, rows in parts.items()} == {
        "train": 1862,
        "validation": 266,
        "test": 532,
    }
    for rows in parts.values():
        counts = Counter(label for _, label in rows)
        assert counts["positive"] == counts["negative"]


def test_lengths(parts: dict[str, Rows]) -> None:
    for rows in parts.values():
        words = [len(text.split()) for text, _ in rows]
        assert min(words) >= 3
        assert max(words) <= 150
        # Both kinds in every part: reviews, and verdicts of a line.
        assert 0.5 < np.mean(np.array(words) >= REVIEW) < 0.7


def test_no_two_are_alike(parts: dict[str, Rows]) -> None:
    everything = [text for rows in parts.values() for text, _ in rows]
    texts = [text for text in everything if len(text.split()) >= REVIEW]
    shingles = [_shingles(text) for text in texts]
    for left, right in combinations(range(len(texts)), 2):
        shared = len(shingles[left] & shingles[right])
        assert shared / min(len(shingles[left]), len(shingles[right])) < 0.15, (
            texts[left],
            texts[right],
        )


def test_no_two_lines_have_the_same_words(parts: dict[str, Rows]) -> None:
    texts = [text for rows in parts.values() for text, _ in rows if len(text.split()) < REVIEW]
    words = [set(re.findall(r"[\w']+", text.lower())) for text in texts]
    for left, right in combinations(range(len(texts)), 2):
        shared = len(words[left] & words[right]) / len(words[left] | words[right])
        assert shared <= 0.7, (texts[left], texts[right])


def test_no_sample_sentence_was_trained_on(parts: dict[str, Rows]) -> None:
    texts = {text.lower() for rows in parts.values() for text, _ in rows}
    assert not texts & {sample.text.lower() for sample in demo_config().data.sample_texts}


def test_counting_words_is_not_enough(parts: dict[str, Rows]) -> None:
    model = make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), LogisticRegression(max_iter=1000)
    )
    model.fit(*zip(*parts["train"], strict=True))
    assert 0.6 < model.score(*zip(*parts["test"], strict=True)) < 0.85


def test_the_demo_uses_all_three_parts_and_the_bundled_encoder() -> None:
    config = demo_config()
    assert config.model.name_or_path == "bundled"
    assert [config.data.train, config.data.validation, config.data.test] == [
        str(reviews_path(part)) for part in PARTS
    ]
    assert len(config.data.sample_texts) == 5


def test_another_part_is_refused() -> None:
    with pytest.raises(ValueError, match="not one of"):
        reviews_path("dev")


def _shingles(text: str) -> set[tuple[str, ...]]:
    words = re.findall(r"\w+", text.lower())
    return {tuple(words[start : start + 4]) for start in range(len(words) - 3)}
