"""What the tests of the report share: hostile text, findings, an explanation, a verdict."""

from __future__ import annotations

import re

import numpy as np

from textlora.metrics.comparison import Contender, JudgedPart, Predictions
from textlora.metrics.mistakes import Explanation, Span, Word
from textlora.metrics.statistics import Resampling
from textlora.report.verdict import Verdict, judge
from textlora.report.view import Example, Finding

HOSTILE = "<script>alert('x')</script> \" & $a_{b}$ [bold]\x00\u202e"

FINDINGS = (
    Finding(
        "leakage",
        "error",
        12,
        f"12 texts of test are in training, too. {HOSTILE}",
        "Remove them from training.",
        (
            Example("train", "reviews.csv", 12, HOSTILE, "also in test.csv line 3"),
            Example("train", "reviews.csv", 9, ""),
        ),
    ),
    Finding("label_spelling", "warning", 7, "The labels pos and Pos look like the same class."),
    Finding("short", "note", 3, "3 texts have fewer than three words.", "Look at them."),
)


def explanation(text: str, target: str) -> Explanation:
    """Return an explanation with made-up scores, the last words unseen."""
    found = list(re.finditer(r"\S+", text))
    words = tuple(
        Word(match[0], *match.span(), np.sin(number) * 1.5) for number, match in enumerate(found)
    )
    unseen = () if len(words) < 20 else (Span(words[-5].start, len(text)),)
    return Explanation(
        text=text,
        label=target,
        probability=0.9,
        target=target,
        words=words[:-5] if unseen else words,
        baseline_probability=0.5,
        baseline="[MASK]",
        delta=0.01,
        relative_delta=0.004,
        steps=16,
        converged=True,
        unseen=unseen,
    )


def verdict(targets: np.ndarray, probabilities: np.ndarray, part: JudgedPart) -> Verdict:
    """Return a verdict between these predictions and a baseline that knows half of it."""
    dull = np.roll(probabilities, 1, axis=-1) * 0.6 + probabilities * 0.4
    results = {
        "LoRA": (probabilities, 734.2, 2_600_000),
        "TF-IDF + logistic regression": (dull, 3.1, 900_000),
        f"Other {HOSTILE}": (np.roll(probabilities, 1, axis=-1), 0.0, 10),
    }
    tuned, *baselines = (
        Contender(name, given := Predictions.of(targets, values), given, seconds, size)
        for name, (values, seconds, size) in results.items()
    )
    return judge(tuned, baselines, part, how=Resampling(resamples=100))
