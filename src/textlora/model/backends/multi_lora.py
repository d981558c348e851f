"""Many adapters on one base: its frozen weights once, and of each adapter no more than it adds.

Only for inference, and only where the fast path has the model. An adapter is read by PEFT, as
everywhere, on a copy of the base's modules that shares its weights; then the tensors of its
updates and its head are kept, and the modules are let go.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from peft.utils import ModulesToSaveWrapper
from torch import Tensor, nn

from textlora.config import Precision
from textlora.fast.encoder import LayerUpdates, Segment, encode_mixed
from textlora.fast.packing import pack
from textlora.fast.weights import Layer, Lora, Update
from textlora.model.adapters import leaves_base_alone, load_adapter
from textlora.model.architectures import BaseClassifier, max_positions
from textlora.model.backends.fast import FastForward, bind, classify
from textlora.model.backends.plain import TokenIds, UnsupportedError
from textlora.model.encoders import Backbone, resize_embeddings
from textlora.model.heads import HeadSpec, PooledClassifier, load_base_classifier


@dataclass(frozen=True)
class BoundAdapter:
    """What an adapter adds to its base.

    Args:
        updates: to each layer, bottom to top.
        head: what its logits mean.
        classifier: the module that makes logits of pooled states; its encoder is empty.
    """

    updates: tuple[LayerUpdates, ...]
    head: HeadSpec
    classifier: nn.Module


class SharedBase:
    """A base on the fast path, for any number of adapters.

    Args:
        backbone: the encoder.
        tokenizer: the adapters' tokenizer, which may have more tokens than the encoder.
        precision: type of the frozen products.

    Raises:
        UnsupportedError: the fast path does not have the encoder.
        ModelError: it cannot be loaded.
    """

    def __init__(self, backbone: Backbone, tokenizer: Any, precision: Precision) -> None:
        self._backbone = backbone
        self._tokenizer = tokenizer
        self._templates: dict[HeadSpec, BaseClassifier] = {}
        self._weights: dict[str, nn.Parameter] = {}
        any_head = HeadSpec("linear", "cls", "cross_entropy", 2)
        base = self._template(any_head)
        self._max_positions = max_positions(_encoder(base.model).config)
        self.forward: FastForward = bind(
            base.model.eval(), any_head, precision, attention_dropout=False
        )

    def load(self, folder: Path, head: HeadSpec) -> BoundAdapter:
        """Read an adapter.

        Raises:
            UnsupportedError: it changes more than can be shared, or has no fast path.
            ModelError: it is damaged, or does not fit the base.
        """
        known = head in self._templates
        try:
            return self._read(folder, head)
        except Exception:
            if not known:
                self._templates.pop(head, None)  # nobody has this head
            raise

    @property
    def max_positions(self) -> int | None:
        """How many tokens the encoder takes; None: it sets no limit."""
        return self._max_positions

    def _read(self, folder: Path, head: HeadSpec) -> BoundAdapter:
        template = self._template(head)
        if not leaves_base_alone(template, folder):
            raise UnsupportedError("the adapter changes weights of its base")
        shell = BaseClassifier(_shell(template.model), template.trained_head)
        model = load_adapter(shell, folder).eval().requires_grad_(False)
        bound = bind(model, head, "fp32", attention_dropout=False)
        updates = tuple(_own(layer) for layer in bound.encoder.layers)
        return BoundAdapter(updates, head, _head_alone(model.get_base_model()))

    @torch.inference_mode()
    def logits(self, work: Sequence[tuple[BoundAdapter, Sequence[TokenIds]]]) -> list[Tensor]:
        """Return the logits of every adapter's sequences, [its sequences, units] in fp32.

        Args:
            work: adapters, each with at least one sequence; all run in one batch.
        """
        packed = pack([sequence for _, sequences in work for sequence in sequences])
        segments = [
            Segment(adapter.updates, adapter.head.pooling, len(sequences))
            for adapter, sequences in work
        ]
        pooled = encode_mixed(self.forward.batch(packed, training=False), segments)
        return [
            classify(adapter.classifier, states)
            for (adapter, _), states in zip(work, pooled, strict=True)
        ]

    def size(self, adapter: BoundAdapter) -> int:
        """Return the bytes of the tensors that are an adapter's own."""
        loras = (lora for layer in adapter.updates for lora in vars(layer).values() if lora)
        updates = sum(lora.a.nbytes + lora.b.nbytes for lora in loras)
        shared = {weight.data_ptr() for weight in self._weights.values()}
        head = adapter.classifier.parameters()
        return int(updates + sum(own.nbytes for own in head if own.data_ptr() not in shared))

    def _template(self, head: HeadSpec) -> BaseClassifier:
        """Return a classifier on the shared weights; its own head is a fresh one."""
        if head not in self._templates:
            names = [str(number) for number in range(head.num_labels)]
            base = load_base_classifier(self._backbone, head, names)
            encoder = _encoder(base.model)
            resize_embeddings(encoder, self._tokenizer)
            for name, own in list(encoder.named_parameters()):
                shared = self._weights.setdefault(name, own.requires_grad_(False))
                path, _, last = name.rpartition(".")
                setattr(encoder.get_submodule(path), last, shared)
            self._templates[head] = base
        return self._templates[head]


def _encoder(model: Any) -> Any:
    return model.encoder if isinstance(model, PooledClassifier) else model.base_model


def _shell(model: nn.Module) -> nn.Module:
    """Return a copy of the modules on the same weights, as parameters of its own."""
    shared: dict[int, Any] = {
        id(own): nn.Parameter(own.detach(), requires_grad=False) for own in model.parameters()
    }
    shared.update({id(own): own for own in model.buffers()})
    return copy.deepcopy(model, shared)


def _head_alone(model: Any) -> nn.Module:
    """Empty a classifier's encoder, but for what `classify` runs as a module."""
    modules = _encoder(model)._modules
    for name in [name for name in modules if name != "pooler"]:
        del modules[name]
    # PEFT keeps the fresh head beside the trained one.
    for name, module in list(model.named_modules()):
        if isinstance(module, ModulesToSaveWrapper):
            parent, _, last = name.rpartition(".")
            trained = module.modules_to_save[module.active_adapters[0]]
            setattr(model.get_submodule(parent), last, trained)
    return model  # type: ignore[no-any-return]


def _own(layer: Layer) -> LayerUpdates:
    return LayerUpdates(
        query=_kept(layer.query),
        key=_kept(layer.key),
        value=_kept(layer.value),
        output=_kept(layer.output.lora),
        up=_kept(layer.up.lora),
        down=_kept(layer.down.lora),
    )


def _kept(lora: Update | None) -> Lora | None:
    if not isinstance(lora, Lora):
        return None
    # B lies in memory as the kernels read it, so that no call copies it.
    return replace(lora, a=lora.a.detach(), b=lora.b.detach().t().contiguous().t())
