"""Which library finds near duplicates: rensa or datasketch, by time and recall.

    pip install datasketch
    python benchmarks/near_duplicates.py --data ../shared/data

1,000 of the 6,000 reviews get a copy in which 1 to 14 % of the words are others. A library should
propose every pair that shares at least 70 % of its pairs of words. Times are processor seconds.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pandas as pd

from textlora.inspection.copies import ALIKE, group_alike, similarity
from textlora.inspection.facts import words_of

FILES = ("imdb_train_1000", "imdb_validation_1000", "imdb_test_4000")
PERMUTATIONS, BANDS = 128, 32

Candidates = list[list[int]]


def reviews(folder: Path) -> list[str]:
    """Return the reviews as words with a space between, each one once."""
    tables = [pd.read_parquet(folder / f"{name}.parquet") for name in FILES]
    texts = [text for table in tables for text in table["text"]]
    return list(dict.fromkeys(" ".join(words_of(text)) for text in texts))


def planted(forms: list[str]) -> tuple[list[str], list[tuple[int, int]]]:
    """Return the texts with edited copies, and the pairs that are near duplicates."""
    draw = random.Random(0)  # noqa: S311
    vocabulary = " ".join(forms[:300]).split()
    texts, pairs = list(forms), []
    for row in draw.sample(range(len(forms)), 1_000):
        share = draw.choice((0.01, 0.03, 0.06, 0.1, 0.14))
        words = forms[row].split()
        edited = " ".join(draw.choice(vocabulary) if draw.random() < share else w for w in words)
        if edited != forms[row] and similarity(edited, forms[row]) >= ALIKE:
            pairs.append((row, len(texts)))
        texts.append(edited)
    return texts, pairs


def word_pairs(form: str) -> list[str]:
    """Return the pairs of neighbouring words."""
    words = form.split()
    return [f"{one} {two}" for one, two in pairwise(words)]


def by_rensa(texts: list[str]) -> Candidates:
    """Return what rensa proposes for each text, of those before it."""
    from rensa import RMinHash, RMinHashLSH

    sketches = RMinHash.from_token_sets([word_pairs(text) for text in texts], PERMUTATIONS, 1)
    index = RMinHashLSH(ALIKE, PERMUTATIONS, BANDS)
    found = []
    for row, sketch in enumerate(sketches):
        found.append(index.query(sketch))
        index.insert(row, sketch)
    return found


def by_datasketch(texts: list[str], params: tuple[int, int] | None) -> Candidates:
    """Return what datasketch proposes for each text, of those before it."""
    from datasketch import MinHash, MinHashLSH

    pairs = [[pair.encode() for pair in word_pairs(text)] for text in texts]
    sketches = MinHash.bulk(pairs, num_perm=PERMUTATIONS, seed=1)
    index = MinHashLSH(threshold=ALIKE, num_perm=PERMUTATIONS, params=params)
    found = []
    for row, sketch in enumerate(sketches):
        found.append(index.query(sketch))
        index.insert(row, sketch)
    return found


def main() -> None:
    """Run each, print a line and a JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    texts, pairs = planted(reviews(parser.parse_args().data))
    print(f"{len(texts):,} texts, {len(pairs):,} near duplicates among them")
    ways: dict[str, Callable[[], Candidates]] = {
        "rensa, 32 bands of 4": lambda: by_rensa(texts),
        "datasketch, 32 bands of 4": lambda: by_datasketch(texts, (BANDS, 4)),
        "datasketch, its own bands": lambda: by_datasketch(texts, None),
    }
    for name, way in ways.items():
        started = time.process_time()
        candidates = way()
        seconds = time.process_time() - started
        proposed = sum(map(len, candidates))
        recall = sum(one in candidates[other] for one, other in pairs) / len(pairs)
        print(f"{name:<28} {seconds:5.2f} s  recall {recall:.4f}  {proposed:,} pairs proposed")
        print(json.dumps({"way": name, "seconds": seconds, "recall": recall}))
    started = time.process_time()
    group_of = {row: number for number, group in enumerate(group_alike(texts)) for row in group}
    seconds = time.process_time() - started
    recall = sum(group_of.get(one, -1) == group_of.get(other, -2) for one, other in pairs)
    print(f"textlora, all of it          {seconds:5.2f} s  recall {recall / len(pairs):.4f}")


if __name__ == "__main__":
    main()
