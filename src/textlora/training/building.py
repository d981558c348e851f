"""A classifier that is ready to be trained, and the token sequences that it is trained on."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from transformers import PreTrainedTokenizerBase, set_seed

from textlora.config import SettledConfig
from textlora.data.loading import Part, Parts
from textlora.data.tokenizing import TokenizedTexts, tokenize
from textlora.files import cache_dir
from textlora.inference.predictor import Predictor
from textlora.model.adapters import (
    ParameterCount,
    UntrainedAdapter,
    add_adapter,
    count_parameters,
    untrained_adapter,
)
from textlora.model.backends import choose_forward, choose_prefix
from textlora.model.backends.frozen_layers import PrefixForward
from textlora.model.encoders import Backbone, resize_embeddings, resolve_max_length
from textlora.model.heads import load_base_classifier, resolve_head
from textlora.model.spec import ClassifierSpec


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


def _window_stride(asked: int | None, max_length: int) -> int:
    return max_length // 4 if asked is None else asked
