"""What counting words gets on the bundled reviews: the figure beside `textlora demo`'s.

    python benchmarks/demo_baseline.py

TF-IDF of words and pairs of words with logistic regression, trained on the demo's
training part; prints a line and one JSON line.
"""

from __future__ import annotations

import csv
import json

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from textlora.recipes import reviews_path


def rows(part: str) -> tuple[list[str], list[str]]:
    """Return the texts and labels of a part."""
    with reviews_path(part).open(encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))
    return [row["text"] for row in table], [row["label"] for row in table]


def main() -> None:
    """Train, score the test part, print."""
    model = make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True),
        LogisticRegression(C=10, max_iter=1000),
    )
    model.fit(*rows("train"))
    texts, labels = rows("test")
    accuracy = float(model.score(texts, labels))
    print(f"TF-IDF + logistic regression: {accuracy:.1%} of {len(texts)} test reviews right")
    print(json.dumps({"test_accuracy": accuracy, "rows": len(texts)}))


if __name__ == "__main__":
    main()
