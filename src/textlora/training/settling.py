"""From settings with gaps to settings without: what nobody set follows from the table.

Two questions go to the frozen encoder, by cross-validation on the rows to train on: which end of
long texts to keep (reviews end with their verdict, news begin with their headline), and whether the
names of the classes help as further texts (`card_arrival` is a description somebody has written).

Source: M.-W. Chang, L. Ratinov, D. Roth, V. Srikumar, Importance of semantic representation:
dataless classification, AAAI 2008.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from rich.console import Console

from textlora.baselines.logistic import cross_validated_log_loss
from textlora.config import RunConfig, SettledConfig
from textlora.data.labels import Targets
from textlora.data.loading import Part, Parts
from textlora.data.splitting import random_subset
from textlora.data.tables import TextTable
from textlora.data.tokenizing import TokenizedTexts, tokenize
from textlora.data.truncation import Side, Truncation
from textlora.files import cache_dir
from textlora.inference.logits import FrozenStates
from textlora.metrics.scores import FloatArray
from textlora.model.encoders import Backbone, resolve_max_length
from textlora.report.progress import progress_bar
from textlora.training.automatic import TableFacts, is_complete, with_automatic

# Fewer long texts than this tell nothing, and matter little.
FEWEST_LONG, LEAST_SHARE = 20, 0.02
MOST_ROWS = 2_000


def side_losses(
    texts: Sequence[str], targets: Targets, states: FrozenStates, cut: Truncation
) -> dict[Side, float]:
    """Return what the long texts cost when truncated on either side; empty if they are too few.

    The cost is the cross-validated log loss, on the texts that are truncated, of logistic
    regression on the frozen encoder's states.

    Args:
        texts: to train on.
        targets: their class numbers `[n]`, or 0/1 `[n, k]`.
        states: the frozen encoder with its tokenizer.
        cut: how long texts may be.
    """
    rows = random_subset(len(texts), MOST_ROWS, seed=0)
    left = _tokenized([texts[row] for row in rows], states, replace(cut, side="left"))
    long = np.flatnonzero(left.truncated)
    if len(long) < max(FEWEST_LONG, LEAST_SHARE * len(rows)):
        return {}
    right = _tokenized([texts[row] for row in rows[long]], states, replace(cut, side="right"))
    features: dict[Side, FloatArray] = {"left": states(left), "right": states(left).copy()}
    features["right"][long] = states(right)
    return {
        side: cross_validated_log_loss(each, targets[rows], judged=long)
        for side, each in features.items()
    }


def _tokenized(texts: Sequence[str], states: FrozenStates, cut: Truncation) -> TokenizedTexts:
    return tokenize(texts, states.tokenizer, cut=cut, cache_dir=cache_dir() / "tokens")


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


USUAL_SIDE: Side = "left"


@dataclass(frozen=True)
class Settled:
    """Settings without gaps.

    Args:
        config: every setting has a value.
        states: the frozen encoder, with what it has made of texts so far.
        reasons: what was chosen, and by what, in words; empty if everything was set.
    """

    config: SettledConfig
    states: FrozenStates
    reasons: tuple[str, ...] = ()


def settle(config: RunConfig, parts: Parts, console: Console) -> Settled:
    """Choose what nobody set, by the rows to train on alone.

    Args:
        config: every setting, some of them automatic.
        parts: the data.
        console: where progress is shown.
    """
    backbone = Backbone(config.model.name_or_path, config.model.revision).absolute()
    tokenizer = backbone.load_tokenizer()
    bar = partial(progress_bar, console, "encoding by the frozen encoder")
    states = FrozenStates(backbone, tokenizer, config.compute, bar)
    if is_complete(config):
        return Settled(SettledConfig.of(config), states)
    max_length = resolve_max_length(config.data.max_length, backbone.load_config(), tokenizer)
    texts, targets = parts.train.table.texts, parts.train.targets
    reasons = []
    if config.data.truncation_side == "auto":
        cut = Truncation(max_length, USUAL_SIDE, config.data.head_share)
        losses: dict[Side, float] = {}
        if config.data.long_texts == "truncate":
            losses = side_losses(texts, targets, states, cut)
        side = min(losses, key=lambda each: losses[each], default=USUAL_SIDE)
        if losses:
            told = " against ".join(f"{loss:.3f} ({each})" for each, loss in losses.items())
            reasons.append(f"long texts lose their {side} end: log loss {told}, frozen encoder")
        data = config.data.model_copy(update={"truncation_side": side})
        config = config.model_copy(update={"data": data})
    else:
        side = config.data.truncation_side
    cut = Truncation(max_length, side, config.data.head_share)
    tokens = tokenize(texts, tokenizer, cut=cut, cache_dir=cache_dir() / "tokens")
    facts = TableFacts.of(targets, parts.labels.num_labels, tokens.lengths)
    asked = config.training.class_names is None
    helpful = asked and names_help(parts.train, parts.labels.names, states, cut)
    settled = with_automatic(config, facts, names_help=helpful)
    if settled.training.class_names:
        reasons.append(f"names of the classes are {parts.labels.num_labels} further texts")
    if may_refit(settled, parts):
        reasons.append("in the end once more on all rows, those of validation among them")
    return Settled(settled, states, (*_told(settled, facts), *reasons))


def may_refit(config: SettledConfig, parts: Parts) -> bool:
    """Return whether there may be a last training, on the validation rows as well.

    Not if they are what the classifier is judged by. Nor if they were named: who keeps them apart
    wants them apart; nor if so many rows were asked for and no more.
    """
    own = parts.validation_split_off and parts.test is not None
    return config.training.refit and own and config.data.subset is None


def _told(config: SettledConfig, facts: TableFacts) -> tuple[str, ...]:
    training = config.training
    weights = "as set" if isinstance(training.class_weight, dict) else training.class_weight
    alike, left_out = training.contrastive_weight, training.token_dropout
    chosen = (
        f"{training.num_train_epochs:g} epochs, learning rate {training.learning_rate:g}, batches "
        f"of {training.per_device_train_batch_size}, class weights {weights or 'none'}, "
        f"{f'contrastive loss {alike:g}, ' if alike else ''}"
        f"{f'token dropout {left_out:g}, ' if left_out else ''}"
        f"judged by {training.metric_for_best_model}"
    )
    return chosen, f"by {facts.told}"
