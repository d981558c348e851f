"""Names of the classes as further texts, where rows are few and the names say something.

A name such as `card_arrival` is a description of its class that somebody has written already.
Whether it helps is asked of the frozen encoder, by cross-validation on the rows to train on.

Source: M.-W. Chang, L. Ratinov, D. Roth, V. Srikumar, Importance of semantic representation:
dataless classification, AAAI 2008.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from textlora.baselines.logistic import cross_validated_log_loss
from textlora.config import SettledConfig
from textlora.data.cutting import Truncation
from textlora.data.loading import Part
from textlora.data.tables import TextTable
from textlora.data.tokenizing import tokenize
from textlora.inference.frozen_states import FrozenStates
from textlora.paths import cache_dir

FEWEST_CLASSES = 3  # two names are too little to be asked about
MOST_ROWS_A_CLASS = 20  # with more of them one name more or less changes nothing
FEWEST_ROWS = 2  # of every class: one to learn from while the other is held out
LEAST_GAIN = 0.01  # of the log loss


def names_help(part: Part, names: Sequence[str], states: FrozenStates, cut: Truncation) -> bool:
    """Return whether held out rows are told apart better once the names are trained on, too.

    Args:
        part: rows to train on, one label per text.
        names: of the classes, in the order of their numbers.
        states: the frozen encoder.
        cut: how long texts may be.
    """
    few = len(part) <= MOST_ROWS_A_CLASS * len(names) and len(names) >= FEWEST_CLASSES
    if part.targets.ndim == 2 or not few or not _say_something(names):
        return False
    if np.bincount(part.targets, minlength=len(names)).min() < FEWEST_ROWS:
        return False
    more = with_names(part, names)
    tokens = tokenize(more.table.texts, states.tokenizer, cut=cut, cache_dir=cache_dir() / "tokens")
    features = states(tokens)
    judged = np.arange(len(part))
    without, with_them = (
        cross_validated_log_loss(
            features[: len(each)], each.targets, judged=judged, always=len(each) - len(part)
        )
        for each in (part, more)
    )
    return with_them < (1 - LEAST_GAIN) * without


def taught(part: Part, names: Sequence[str], config: SettledConfig) -> Part:
    """Return what is trained on: the rows, and the names if the settings say so."""
    return with_names(part, names) if config.training.class_names else part


def with_names(part: Part, names: Sequence[str]) -> Part:
    """Return the rows and, after them, one of each class, whose text is the name of the class.

    Each counts as much as a row does on average.
    """
    texts, numbers = [in_words(name) for name in names], list(range(len(names)))
    table = TextTable("names of the classes", texts, list(names), numbers, [], None)
    weights = None if part.weights is None else np.full(len(names), part.weights.mean())
    return part.joined(Part(table, np.array(numbers, np.int64), weights))


def in_words(name: str) -> str:
    """Return a name as one would write it in a text: `cardArrival` and `card_arrival` alike."""
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    return " ".join(re.sub(r"[_\-./|]+", " ", apart).split())


def _say_something(names: Sequence[str]) -> bool:
    apart = len({in_words(name).lower() for name in names}) == len(names)
    return apart and all(re.search(r"[^\W\d_]{3}", name) for name in names)
