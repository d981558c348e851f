"""From settings with gaps to settings without: what nobody set follows from the table."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from rich.console import Console

from textlora.config import RunConfig, SettledConfig
from textlora.data.cutting import Side, Truncation
from textlora.data.loading import Parts
from textlora.data.tokenizing import tokenize
from textlora.inference.frozen_states import FrozenStates
from textlora.model.backbones import Backbone, resolve_max_length
from textlora.paths import cache_dir
from textlora.report.terminal import progress_bar
from textlora.training.automatic import TableFacts, is_complete, with_automatic
from textlora.training.class_names import names_help
from textlora.training.truncating import side_losses

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
