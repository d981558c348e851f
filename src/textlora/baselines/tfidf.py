"""Logistic regression on words and pairs of words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from textlora.baselines.logistic import LogisticModel, fit_logistic
from textlora.baselines.protocol import LabelledTexts
from textlora.metrics.scores import FloatArray
from textlora.metrics.statistics import Metric

STRENGTHS = (1.0, 3.0, 10.0, 30.0, 100.0)
MAX_FEATURES = 100_000
# Words; and signs one by one, so that no text is left empty. scikit-learn's own pattern drops
# both signs and words of one letter.
TOKENS = r"\w+|[^\w\s]"


class TfidfLogisticRegression:
    """TF-IDF of words and pairs of words (sublinear), then logistic regression.

    Args:
        classes: how many classes there are.
        metric: by which the penalty is chosen.
    """

    name = "TF-IDF + logistic regression"
    _model: LogisticModel

    def __init__(self, classes: int, metric: Metric = "accuracy") -> None:
        self.classes = classes
        self.metric = metric

    def fit(self, train: LabelledTexts, validation: LabelledTexts) -> None:
        """Learn words and weights; the penalty is chosen on validation."""
        self._vectorizer, features = fit_words(train.texts)
        self._model = fit_logistic(
            features,
            train.targets,
            self._vectorizer.transform(validation.texts),
            validation.targets,
            classes=self.classes,
            strengths=STRENGTHS,
            metric=self.metric,
            weights=train.weights,
        )

    def refit(self, rows: LabelledTexts) -> None:
        """Learn words and weights on these rows, with the penalty that was chosen."""
        self._vectorizer, features = fit_words(rows.texts)
        self._model = self._model.refitted(features, rows.targets, rows.weights)

    def predict_proba(self, rows: LabelledTexts) -> FloatArray:
        """Return the probabilities `[n, k]`."""
        return self._model.predict_proba(self._vectorizer.transform(rows.texts))

    @property
    def size_bytes(self) -> int:
        """Words as text, a weight a word for TF-IDF, and the regression's weights."""
        words = sum(len(word.encode()) + 1 for word in self._vectorizer.vocabulary_)
        return words + int(self._vectorizer.idf_.nbytes) + self._model.size_bytes


def fit_words(texts: Sequence[str]) -> tuple[Any, Any]:
    """Return the fitted vectorizer and its features: of words that occur in two texts or more."""
    try:
        return _fitted(texts, min_df=2)
    except ValueError:  # no word does
        return _fitted(texts, min_df=1)


def _fitted(texts: Sequence[str], min_df: int) -> tuple[Any, Any]:
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(
        ngram_range=(1, 2),
        sublinear_tf=True,
        min_df=min_df,
        max_features=MAX_FEATURES,
        token_pattern=TOKENS,
    )
    return vectorizer, vectorizer.fit_transform(texts)
