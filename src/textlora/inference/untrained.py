"""What a classifier answered before training: the same encoder, and a head of random weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from textlora.inference.predictor import Predictor, adapter_folder, load_tokenizer
from textlora.metrics.decisions import Decision
from textlora.model.architectures import BaseClassifier
from textlora.model.backends.plain import PlainForward
from textlora.model.encoders import resize_embeddings
from textlora.model.heads import load_base_classifier
from textlora.model.spec import ClassifierSpec

# As BERT and those after it draw their weights.
_STD = 0.02


def load_untrained(path: Path, seed: int = 0) -> Predictor:
    """Load the classifier that a run, or an adapter folder, started from.

    Its head is drawn anew, so it is no more than of the same kind as the one that training began
    with. Neither temperature nor rule are applied: they were fitted to the trained classifier.

    Args:
        path: the run or adapter folder.
        seed: of the head's weights.

    Raises:
        RunError: the run is missing or did not finish.
        ModelError: the adapter is damaged, or its base cannot be loaded.
    """
    folder = adapter_folder(path)
    spec = ClassifierSpec.load(folder)
    tokenizer = load_tokenizer(folder)
    base = load_base_classifier(spec.backbone, spec.head, list(spec.label_names))
    resize_embeddings(base.encoder, tokenizer)
    _draw_head(base, seed)
    plain = replace(spec, temperature=1.0, decision=Decision())
    forward = PlainForward(int(tokenizer.pad_token_id))
    return Predictor(base.model.eval().requires_grad_(False), tokenizer, plain, forward)


def _draw_head(base: BaseClassifier, seed: int) -> None:
    """Draw every weight matrix of the head, whether or not the checkpoint brought one."""
    generator = torch.Generator().manual_seed(seed)
    for name in base.trained_head:
        for part, weight in base.model.get_submodule(name).named_parameters():
            if weight.ndim > 1:
                nn.init.normal_(weight, std=_STD, generator=generator)
            elif part.endswith("bias"):
                nn.init.zeros_(weight)
