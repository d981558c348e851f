"""What a text classifier without fine-tuning gives: the bar that LoRA has to clear.

The majority class, words and pairs of words, and the frozen encoder; the latter two by the logistic
regression of `logistic`, whose strength is chosen on validation.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from sklearn.preprocessing import StandardScaler

from textlora.baselines.logistic import LogisticModel, fit_logistic, unscaled
from textlora.data.labels import Targets
from textlora.data.loading import Weights
from textlora.data.tokenizing import TokenizedTexts
from textlora.inference.logits import FrozenStates
from textlora.metrics.comparison import Contender, Predictions
from textlora.metrics.decisions import BY_PROBABILITY, Decision
from textlora.metrics.scores import FloatArray, one_hot
from textlora.metrics.statistics import Metric


@dataclass(frozen=True)
class LabelledTexts:
    """Texts of one part, as words and as tokens, with their labels.

    Args:
        texts: as they were read.
        sequences: their token ids, prepared as the tuned classifier gets them.
        targets: class numbers `[n]`; multi-label: 0 or 1, `[n, k]`.
        weights: how much each counts in training, 1 on average; None: all the same.
    """

    texts: Sequence[str]
    sequences: TokenizedTexts
    targets: Targets
    weights: Weights | None = None


class Baseline(Protocol):
    """A classifier that is quick to train."""

    @property
    def name(self) -> str:
        """What it is called in the verdict."""
        ...

    def fit(self, train: LabelledTexts, validation: LabelledTexts) -> None:
        """Train; whatever there is to choose is chosen on validation."""
        ...

    def refit(self, rows: LabelledTexts) -> None:
        """Train once more on these rows; what was chosen stays."""
        ...

    def predict_proba(self, rows: LabelledTexts) -> FloatArray:
        """Return the probabilities `[n, k]`; the labels of `rows` are not looked at."""
        ...

    @property
    def size_bytes(self) -> int:
        """Size on disk if saved, without an encoder that stays as it is."""
        ...


def measure(
    baseline: Baseline,
    train: LabelledTexts,
    validation: LabelledTexts,
    test: LabelledTexts | None,
    *,
    all_rows: LabelledTexts | None = None,
    decide: Callable[[FloatArray], Decision] = lambda _: BY_PROBABILITY,
) -> Contender:
    """Train a baseline, and let it answer.

    Args:
        baseline: not trained yet.
        train: the rows that the tuned classifier was trained on.
        validation: the rows to choose by.
        test: the rows to judge by, used after every choice; None: validation once more.
        all_rows: to train on once more before that, if the tuned classifier was.
        decide: chooses the rule by the probabilities of the validation rows.
    """
    started = time.perf_counter()
    baseline.fit(train, validation)
    seconds = time.perf_counter() - started
    on_validation = baseline.predict_proba(validation)
    if all_rows is not None:
        started = time.perf_counter() - seconds
        baseline.refit(all_rows)
        seconds = time.perf_counter() - started
    rule = decide(on_validation)
    predictions = known = Predictions.of(validation.targets, on_validation, rule)
    if test is not None:
        predictions = Predictions.of(test.targets, baseline.predict_proba(test), rule)
    return Contender(baseline.name, predictions, known, seconds, baseline.size_bytes)


class MajorityClass:
    """Answers every text with the most frequent class of the training rows.

    Args:
        classes: how many classes there are.
    """

    name = "Majority class"

    def __init__(self, classes: int) -> None:
        self.classes = classes

    def fit(self, train: LabelledTexts, validation: LabelledTexts) -> None:
        """Count the classes; there is nothing to choose."""
        rows = one_hot(np.asarray(train.targets, dtype=np.int64), self.classes)
        self._shares = np.average(rows, axis=0, weights=train.weights)

    def refit(self, rows: LabelledTexts) -> None:
        """Count the classes of these rows."""
        self.fit(rows, rows)

    def predict_proba(self, rows: LabelledTexts) -> FloatArray:
        """Return the classes' shares `[n, k]`, the same for every text."""
        return np.tile(self._shares, (len(rows.targets), 1))

    @property
    def size_bytes(self) -> int:
        """The shares."""
        return int(self._shares.nbytes)


TFIDF_STRENGTHS = (1.0, 3.0, 10.0, 30.0, 100.0)
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
            strengths=TFIDF_STRENGTHS,
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


FROZEN_STRENGTHS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3)


class FrozenEncoder:
    """Mean-pooled states of the untouched encoder, scaled, then logistic regression.

    Args:
        states: encodes texts by the untouched encoder.
        classes: how many classes there are.
        metric: by which the penalty is chosen.
    """

    name = "Frozen encoder + logistic regression"
    _model: LogisticModel

    def __init__(self, states: FrozenStates, classes: int, metric: Metric = "accuracy") -> None:
        self.states = states
        self.classes = classes
        self.metric = metric
        self._scaler: Any = StandardScaler()

    def fit(self, train: LabelledTexts, validation: LabelledTexts) -> None:
        """Encode both parts and learn weights; the penalty is chosen on validation."""
        self._model = fit_logistic(
            self._scaler.fit_transform(self.states(train.sequences)),
            train.targets,
            self._scaler.transform(self.states(validation.sequences)),
            validation.targets,
            classes=self.classes,
            strengths=FROZEN_STRENGTHS,
            metric=self.metric,
            weights=train.weights,
        )

    def refit(self, rows: LabelledTexts) -> None:
        """Learn weights on these rows, with the penalty that was chosen."""
        features = self._scaler.fit_transform(self.states(rows.sequences))
        self._model = self._model.refitted(features, rows.targets, rows.weights)

    def predict_proba(self, rows: LabelledTexts) -> FloatArray:
        """Return the probabilities `[n, k]`."""
        return self._model.predict_proba(self._scaler.transform(self.states(rows.sequences)))

    def linear_layer(self) -> tuple[FloatArray, FloatArray]:
        """Return weights `[units, hidden]` and biases `[units]` on the states as they are.

        One unit for two classes, else one a class.
        """
        return unscaled(*self._model.linear_layer(), self._scaler)

    @property
    def size_bytes(self) -> int:
        """Mean and scale of each feature, and the regression's weights."""
        scaling = self._scaler.mean_.nbytes + self._scaler.scale_.nbytes
        return int(scaling) + self._model.size_bytes
