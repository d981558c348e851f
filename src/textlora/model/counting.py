"""How many parameters settings would train, from the configuration alone."""

from __future__ import annotations

import torch

from textlora.config import RunConfig
from textlora.model.adapters import ParameterCount, add_adapter, count_parameters
from textlora.model.backbones import Backbone
from textlora.model.heads import build_base_classifier, resolve_head


def count_config(config: RunConfig) -> ParameterCount:
    """Build the real architecture without weights and count.

    Args:
        config: the settings; without class names two classes are assumed.

    Raises:
        ModelError: the encoder is neither well known nor local, and the Hub is out of reach.
    """
    names = config.data.label_names
    multi_label = config.data.label_separator is not None
    head = resolve_head(config.model, len(names) if names else 2, multi_label)
    encoder = Backbone(config.model.name_or_path, config.model.revision).known_config()
    with torch.device("meta"):
        base = build_base_classifier(encoder, head)
        # Initialisations that decompose the weights cannot run without them; the count is the same.
        lora = config.lora.model_copy(update={"init_lora_weights": True})
        return count_parameters(add_adapter(base, lora))
