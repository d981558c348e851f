"""A tuned classifier without adapter, temperature and one-unit head: as plain as it gets.

What is left to the reader of the logits is a softmax, or for multi-label data a sigmoid. Three
things go into the weights, and none of them changes a probability:

- the low-rank updates, by PEFT's own merge;
- the temperature: the last linear layer is divided by it;
- the single unit of a `bce` head: a softmax over (0, z) is (1 - sigmoid(z), sigmoid(z)), so it
  becomes the second of two units, the first of which is always 0.

Where the architecture's own `…ForSequenceClassification` can hold textlora's head, it gets it:

- DistilBERT's head is textlora's `mlp` head on the [CLS] state. It also holds a linear one, since
  relu(x) - relu(-x) = x: two of its hidden units for each output unit.
- ELECTRA's holds a linear one the same way, since gelu(x) - gelu(-x) = x.

The heads of the other architectures have a tanh or a LayerNorm in the way, and none of them
pools by the mean: such a head stays beside the encoder.

The tokenizer beside an exported model: it truncates and pads as the model was trained.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import (
    AutoModelForSequenceClassification,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from textlora.data.truncation import Truncation
from textlora.errors import ModelError
from textlora.inference.predictor import Predictor
from textlora.model.architectures import architecture_of
from textlora.model.heads import HeadSpec, PooledClassifier
from textlora.model.spec import ClassifierSpec

TOKENIZER_FILE = "tokenizer.json"


def save_tokenizer(tokenizer: PreTrainedTokenizerBase, spec: ClassifierSpec, folder: Path) -> None:
    """Write the tokenizer for Transformers, with the run's length and side as its own."""
    tokenizer.model_max_length = spec.max_length
    tokenizer.truncation_side = _side(spec)
    tokenizer.save_pretrained(folder)


def save_ready_tokenizer(
    tokenizer: PreTrainedTokenizerBase, spec: ClassifierSpec, folder: Path
) -> None:
    """Write a single `tokenizer.json` that truncates and pads by itself."""
    from textlora.data.tokenizing import own_backend

    backend = own_backend(tokenizer)
    backend.enable_truncation(spec.max_length, direction=_side(spec))
    backend.enable_padding(
        pad_id=int(tokenizer.pad_token_id),  # type: ignore[arg-type]
        pad_token=str(tokenizer.pad_token),
    )
    backend.save(str(folder / TOKENIZER_FILE))


def own_cut(spec: ClassifierSpec) -> bool:
    """Return whether a tokenizer alone can cut long texts as the run does."""
    return isinstance(spec.cut, Truncation) and spec.cut.side != "head+tail"


def _side(spec: ClassifierSpec) -> Any:
    # Tokenizers cut at one end: what textlora cuts otherwise, they cut on the right.
    return spec.truncation_side if own_cut(spec) else "right"


@dataclass(frozen=True)
class Portable:
    """A merged classifier.

    Args:
        model: a plain Transformers classifier, or a `PooledClassifier` where there is none.
        spec: what the model is now; its temperature is what the logits still have to be divided
            by, 1 but for texts read in windows (there the windows are pooled first).
    """

    model: nn.Module
    spec: ClassifierSpec

    @property
    def is_plain(self) -> bool:
        """Whether Transformers has a class for it."""
        return not isinstance(self.model, PooledClassifier)


@torch.no_grad()
def portable(predictor: Predictor) -> Portable:
    """Merge a classifier; the predictor cannot be used any more.

    Args:
        predictor: loaded in fp32 on the plain path.

    Raises:
        ModelError: the architecture is not known well enough to find its last layer.
    """
    spec = predictor.spec
    merged: Any = predictor.model
    model: nn.Module = merged.merge_and_unload().eval()
    temperature = spec.temperature if spec.long_texts == "truncate" else 1.0
    _finish_last_layer(model, spec.head, temperature)
    head = replace(spec.head, loss="bce" if spec.head.multi_label else "cross_entropy")
    if isinstance(model, PooledClassifier):
        model.head_spec = head
        own = _in_own_class(model)
        if own is not None:
            model, head = own, replace(head, kind="auto")
    _name_labels(model.config, spec.label_names, spec.head.multi_label)
    left = spec.temperature / temperature
    return Portable(model.eval(), replace(spec, head=head, temperature=left))


def _finish_last_layer(model: nn.Module, head: HeadSpec, temperature: float) -> None:
    parent, _, name = _last_layer(model).rpartition(".")
    owner = model.get_submodule(parent)
    last: Any = getattr(owner, name)
    weight, bias = last.weight / temperature, last.bias / temperature
    if head.one_unit:
        weight = torch.cat([torch.zeros_like(weight), weight])
        bias = torch.cat([torch.zeros_like(bias), bias])
    setattr(owner, name, _linear(weight, bias))


def _last_layer(model: nn.Module) -> str:
    """Return the path of the linear layer that gives the logits."""
    if isinstance(model, PooledClassifier):
        return "classifier"
    known = architecture_of(model.config)
    names = [known.head[-1]] if known else ["classifier", "score", "classifier.out_proj"]
    modules = dict(model.named_modules())
    for name in names:
        found = modules.get(name)
        if isinstance(found, nn.Linear) and found.bias is not None:
            return name
    architecture: Any = model.config
    raise ModelError(
        f"The last layer of {architecture.model_type} is not known, so it cannot be exported.",
        "Use a DistilBERT, BERT, RoBERTa, ELECTRA, MPNet or ModernBERT.",
    )


@torch.no_grad()
def _in_own_class(pooled: PooledClassifier) -> PreTrainedModel | None:
    """Return the architecture's own classifier with this head; None where it cannot hold it."""
    kind = pooled.config.model_type
    head, units = pooled.head_spec, pooled.classifier.out_features
    if head.pooling != "cls" or kind not in ("distilbert", "electra"):
        return None
    paired = head.kind == "linear" and 2 * units <= pooled.config.hidden_size
    if not paired and (head.kind, kind) != ("mlp", "distilbert"):
        return None
    config = pooled.config
    config.num_labels = units
    model: Any = AutoModelForSequenceClassification.from_config(config)
    getattr(model, model.base_model_prefix).load_state_dict(pooled.encoder.state_dict())
    hidden, last = pooled.pre_classifier, pooled.classifier
    if paired:
        hidden, last = _paired(last)
    if kind == "distilbert":
        model.pre_classifier, model.classifier = hidden, last
    else:
        model.classifier.dense, model.classifier.out_proj = hidden, last
    return model  # type: ignore[no-any-return]


def _paired(linear: nn.Linear) -> tuple[nn.Linear, nn.Linear]:
    """Return two layers that are the linear one with act(x) - act(-x) = x between them."""
    units, size = linear.weight.shape
    inner = torch.zeros(size, size)
    outer = torch.zeros(units, size)
    for unit in range(units):
        inner[2 * unit], inner[2 * unit + 1] = linear.weight[unit], -linear.weight[unit]
        outer[unit, 2 * unit], outer[unit, 2 * unit + 1] = 1.0, -1.0
    return _linear(inner, torch.zeros(size)), _linear(outer, linear.bias)


def _linear(weight: torch.Tensor, bias: torch.Tensor) -> nn.Linear:
    layer = nn.Linear(weight.shape[1], weight.shape[0])
    layer.weight.copy_(weight)
    layer.bias.copy_(bias)
    return layer


def _name_labels(config: Any, names: tuple[str, ...], multi_label: bool) -> None:
    kind = "multi_label_classification" if multi_label else "single_label_classification"
    config.problem_type = kind
    config.id2label = dict(enumerate(names))
    config.label2id = {name: number for number, name in enumerate(names)}
