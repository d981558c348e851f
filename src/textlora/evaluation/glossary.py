"""What the report's figures and the compared classifiers are, in plain words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Meaning:
    """A term and what it means."""

    term: str
    words: str


_ECE = Meaning(
    "ECE",
    "Expected calibration error: how far confidence and reality lie apart on average. At 2 %, "
    "answers that say 90 % are right in about 88 to 92 % of cases. With several labels per text "
    "it is the mean over the labels.",
)

FIGURES = (
    Meaning(
        "Accuracy",
        "The share of texts that are answered right; with several labels a text, right in "
        "every label.",
    ),
    Meaning(
        "95 % interval",
        "Other texts of the same kind would have given another figure; an interval made this way "
        "holds the true one 95 times in 100. By Wilson’s formula for accuracy and recall; by "
        "drawing the texts anew, again and again (bootstrap), for F1 and in the verdict.",
    ),
    Meaning(
        "Precision and recall",
        "Of the texts answered with a class, the share that belong to it; of the texts that "
        "belong to it, the share answered with it.",
    ),
    Meaning(
        "F1",
        "Precision and recall in one number, which is low if either is (their harmonic mean). "
        "Macro: every class counts the same. Micro: every single label does.",
    ),
    Meaning(
        "MCC",
        "Matthews’ correlation of labels and answers: 1 is perfect, 0 no better than guessing; "
        "not fooled by one class being frequent.",
    ),
    Meaning(
        "ROC-AUC",
        "How often a text of a class gets a higher probability of it than a text of another: "
        "1 is always, 0.5 is guessing.",
    ),
    Meaning(
        "Log loss",
        "How surprised the model is by the labels; 0 is best. Being sure and wrong costs most.",
    ),
    _ECE,
    Meaning(
        "Brier score",
        "The squared distance between the probabilities and the truth: 0 is perfect, 0.5 is "
        "always saying fifty-fifty of two classes, 2 is sure and wrong every time.",
    ),
)

CONFIDENCE = (
    Meaning("Confidence", "The probability that the model gives its own answer."),
    Meaning(
        "Temperature",
        "One number, fitted on the validation part, that makes the model as sure as it is right. "
        "Above 1, it was too sure. It changes how sure an answer sounds, not which class is the "
        "most probable.",
    ),
    _ECE,
    Meaning(
        "Texts answered",
        "With a least confidence, the model says “unsure” below it. The fewer texts it answers, "
        "the more of its answers should be right.",
    ),
)

CLASSIFIERS = (
    Meaning("Majority class", "Always answers the most frequent class. It has learnt nothing."),
    Meaning(
        "TF-IDF + logistic regression",
        "Counts words, gives rare ones more weight, and learns which words speak for which class. "
        "Trains in seconds.",
    ),
    Meaning(
        "Frozen encoder + logistic regression",
        "The pretrained language model as it is; only the last step, from its reading of a text "
        "to a class, is learnt.",
    ),
    Meaning(
        "LoRA",
        "This run: small additions to the language model’s weights are trained, the model "
        "itself stays as it is.",
    ),
    Meaning("Full fine-tuning", "All weights of the language model are trained."),
)


def classifiers_among(names: Iterable[str]) -> list[Meaning]:
    """Return what the named classifiers are, unknown ones left out."""
    known = {entry.term: entry for entry in CLASSIFIERS}
    return [known[name] for name in names if name in known]
