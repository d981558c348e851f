"""All that a training needs before its first step: settings, classifier, token sequences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from rich.console import Console
from transformers import PreTrainedTokenizerBase, set_seed

from textlora.baselines import LabelledTexts
from textlora.config import RunConfig, SettledConfig
from textlora.data.loading import Part, Parts
from textlora.data.tokenizing import TokenizedTexts, tokenize
from textlora.errors import ConfigError
from textlora.files import cache_dir
from textlora.inference.logits import FrozenStates
from textlora.inference.predictor import Predictor
from textlora.metrics.decisions import check_rule
from textlora.model.adapters import (
    ParameterCount,
    UntrainedAdapter,
    add_adapter,
    count_parameters,
    untrained_adapter,
)
from textlora.model.backends import choose_forward, choose_prefix
from textlora.model.encoders import Backbone, resize_embeddings, resolve_max_length
from textlora.model.heads import load_base_classifier, resolve_head
from textlora.model.spec import ClassifierSpec
from textlora.report.progress import LongWork
from textlora.training.arguments import check_precision, check_trackers, class_weights
from textlora.training.settling import settle, taught

if TYPE_CHECKING:
    from textlora.model.backends.frozen_layers import PrefixForward


@dataclass(frozen=True)
class Classifier:
    """A classifier that is ready to be trained.

    Args:
        predictor: model, tokenizer and spec; its model is the one that is trained.
        parameters: how many parameters are trained.
        untrained: what saving must know of the adapter before training.
        path_reason: which way the arithmetic goes, and why.
        prefix: the way of the training where the frozen layers are run once; None: they are
            run every time.
    """

    predictor: Predictor
    parameters: ParameterCount
    untrained: UntrainedAdapter
    path_reason: str
    prefix: PrefixForward | None


@dataclass(frozen=True)
class Prepared:
    """A training before its first step.

    Args:
        config: every setting; none is automatic any more.
        parts: the data.
        classifier: with fresh head and adapter.
        sequences: token ids by split.
        states: the frozen encoder, with what it has made of texts so far.
        reasons: what was chosen for the settings that nobody set, and by what, in words.
    """

    config: SettledConfig
    parts: Parts
    classifier: Classifier
    sequences: dict[str, TokenizedTexts]
    states: FrozenStates
    reasons: tuple[str, ...] = ()

    def taught(self) -> Prepared:
        """Return the same with the names of the classes among the rows to train on, if asked for.

        What is told of the data is told of the table; all that learns, learns from this.
        """
        train = taught(self.parts.train, self.parts.labels.names, self.config)
        if train is self.parts.train:
            return self
        whole = self.config.data.train_windows
        tokens = tokenize_part(train, self.classifier.predictor, whole=whole)
        return replace(
            self,
            parts=replace(self.parts, train=train),
            sequences={**self.sequences, "train": tokens},
        )

    def rows(self) -> dict[str, LabelledTexts]:
        """Return texts, token ids, targets and weights by split."""
        return labelled_texts(self.parts, self.sequences)


def prepare(config: RunConfig, parts: Parts, console: Console | None = None) -> Prepared:
    """Choose what nobody set, build the classifier and tokenize: nothing is trained or written.

    Args:
        config: every setting, some of them automatic.
        parts: the data.
        console: where progress is shown; None for silence.

    Raises:
        TextloraError: settings that do not fit the data or this machine, or no such model.
    """
    console = console or Console(quiet=True)
    settled = settle(config, parts, console)
    check_settings(settled.config, parts)
    classifier = build_classifier(settled.config, parts)
    # Without rows to validate on, those to train on are answered, too, and cut as answers are.
    windows = config.data.train_windows or parts.validation is None
    with LongWork(console, "tokenizing"):
        sequences = tokenize_parts(parts, classifier.predictor, train_windows=windows)
    return Prepared(
        settled.config, parts, classifier, sequences, settled.states, tuple(settled.reasons)
    )


def check_settings(config: SettledConfig, parts: Parts) -> None:
    """Refuse what does not fit the classes or this machine, before anything is trained.

    Raises:
        ConfigError: a setting does not.
    """
    labels, settings, training = parts.labels, config.evaluation, config.training
    check_rule(labels.names, labels.multi_label, settings.threshold, settings.costs)
    for name in ("contrastive_weight", "class_names"):
        if labels.multi_label and getattr(training, name):
            raise ConfigError(
                f"training.{name} is for one label per text; here a text may have several.",
                f"Leave it out, or set it to {'0' if name == 'contrastive_weight' else 'false'}.",
            )
    class_weights(training.class_weight, parts.train.targets, labels.names)
    check_precision(training.mixed_precision)
    check_trackers(training.report_to)


def build_classifier(config: SettledConfig, parts: Parts) -> Classifier:
    """Load the encoder, put a fresh head and adapter on it, and fix how texts are prepared."""
    set_seed(config.training.seed)
    backbone = Backbone(config.model.name_or_path, config.model.revision).absolute()
    head = resolve_head(config.model, parts.labels.num_labels, parts.labels.multi_label)
    tokenizer = backbone.load_tokenizer()
    max_length = resolve_max_length(config.data.max_length, backbone.load_config(), tokenizer)
    base = load_base_classifier(backbone, head, list(parts.labels.names))
    resize_embeddings(base.encoder, tokenizer)
    model = add_adapter(base, config.lora, backbone)
    spec = ClassifierSpec(
        backbone=backbone,
        head=head,
        label_names=parts.labels.names,
        label_values=parts.labels.values,  # type: ignore[arg-type]
        max_length=max_length,
        truncation_side=config.data.truncation_side,
        strip_html=config.data.strip_html,
        head_share=config.data.head_share,
        long_texts=config.data.long_texts,
        window_stride=_window_stride(config.data.window_stride, max_length),
        window_pooling=config.data.window_pooling,
        max_windows=config.data.max_windows,
        merged_labels=parts.labels.merged,  # type: ignore[arg-type]
    )
    untrained = untrained_adapter(model, base, config.lora)
    if torch.cuda.is_available():
        model.to("cuda")
    choice = choose_forward(model, head, int(tokenizer.pad_token_id), config.compute)
    prefix = choose_prefix(choice) if config.compute.prefix_cache else None
    predictor = Predictor(model, tokenizer, spec, choice.forward)
    return Classifier(predictor, count_parameters(model), untrained, choice.reason, prefix)


def tokenize_parts(
    parts: Parts, predictor: Predictor, *, train_windows: bool = False
) -> dict[str, TokenizedTexts]:
    """Return the token sequences of every part that there is, by its name.

    Args:
        parts: the texts.
        predictor: prepares the texts to be answered; its spec says how.
        train_windows: whether the rows to train on are cut as these are; else they are truncated.
    """
    return {
        name: tokenize_part(part, predictor, whole=name != "train" or train_windows)
        for name, part in named_parts(parts).items()
    }


def tokenize_part(part: Part, predictor: Predictor, *, whole: bool) -> TokenizedTexts:
    """Return the token sequences of one part.

    Args:
        part: the texts.
        predictor: prepares the texts to be answered; its spec says how.
        whole: whether texts are cut as those to be answered are; else they are truncated.
    """
    tokenizer: PreTrainedTokenizerBase = predictor.tokenizer
    cut = predictor.spec.cut if whole else predictor.spec.truncation
    return tokenize(part.table.texts, tokenizer, cut=cut, cache_dir=cache_dir() / "tokens")


def named_parts(parts: Parts) -> dict[str, Part]:
    """Return the parts that there are, by name, in the order of their use."""
    named = {"train": parts.train, "validation": parts.validation, "test": parts.test}
    return {name: part for name, part in named.items() if part is not None}


def labelled_texts(
    parts: Parts, sequences: Mapping[str, TokenizedTexts]
) -> dict[str, LabelledTexts]:
    """Return texts, token ids, targets and weights by split."""
    return {
        name: LabelledTexts(part.table.texts, sequences[name], part.targets, part.relative_weights)
        for name, part in named_parts(parts).items()
    }


def _window_stride(asked: int | None, max_length: int) -> int:
    return max_length // 4 if asked is None else asked
