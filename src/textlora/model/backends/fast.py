"""The fast way to run a classifier: its modules bound to `textlora.fast`.

The only place where both sides meet: names of Transformers and PEFT modules on
one, tensors on the other. `bind` says what it cannot take, and why.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import torch
from peft import PeftModel
from peft.tuners.lora import Linear as LoraLinear
from torch import Tensor, nn

from textlora.config import Precision
from textlora.fast.encoder import Batch, encode
from textlora.fast.kernels import Kernels, kernels_for
from textlora.fast.packing import Packed, pack
from textlora.fast.weights import Embeddings, Encoder, Layer, Linear, Lora, Norm, Product, fast_type
from textlora.files import cache_dir
from textlora.model.architectures import architecture_of
from textlora.model.backends.plain import TokenIds, UnsupportedError
from textlora.model.heads import HeadSpec, PooledClassifier


@dataclass(frozen=True)
class _Names:
    """Where one architecture keeps the parts of a layer, as dotted paths."""

    query: str
    key: str
    value: str
    output: str
    attention_norm: str
    up: str
    down: str
    output_norm: str
    output_dropout: str | None
    hidden_dropout: str


_BERT = _Names(
    query="attention.self.query",
    key="attention.self.key",
    value="attention.self.value",
    output="attention.output.dense",
    attention_norm="attention.output.LayerNorm",
    up="intermediate.dense",
    down="output.dense",
    output_norm="output.LayerNorm",
    output_dropout="attention.output.dropout",
    hidden_dropout="output.dropout",
)
_NAMES = {
    "bert": _BERT,
    "roberta": _BERT,
    "electra": _BERT,
    "distilbert": _Names(
        query="attention.q_lin",
        key="attention.k_lin",
        value="attention.v_lin",
        output="attention.out_lin",
        attention_norm="sa_layer_norm",
        up="ffn.lin1",
        down="ffn.lin2",
        output_norm="output_layer_norm",
        output_dropout=None,
        hidden_dropout="ffn.dropout",
    ),
}


@dataclass(frozen=True)
class FastForward:
    """Packed sequences through the bound encoder, then the classifier's own head.

    Args:
        encoder: the bound weights.
        head: the classifier's head.
        kernels: what runs between the products.
    """

    encoder: Encoder
    head: HeadSpec
    kernels: Kernels
    name: str = "fast"

    @property
    def dtype(self) -> torch.dtype:
        """The type of the frozen products."""
        return self.encoder.dtype

    @property
    def description(self) -> str:
        """Type and attention backend, for the log."""
        dtype = str(self.dtype).removeprefix("torch.")
        return f"packed sequences, {dtype}, attention by {self.kernels.attention.name}"

    def collate(self, sequences: Sequence[TokenIds]) -> dict[str, Tensor]:
        """Return `input_ids` and `position_ids` [total_tokens], and `cu_seqlens`."""
        return vars(pack(sequences)).copy()

    def logits(self, model: nn.Module, batch: dict[str, Tensor]) -> Tensor:
        """Return [sequences, units]."""
        return self.run(model, self.batch(Packed(**batch), training=model.training))

    def batch(
        self,
        packed: Packed,
        *,
        training: bool,
        states: Tensor | None = None,
        first_layer: int = 0,
    ) -> Batch:
        """Return what the encoder needs to run packed sequences; arguments as in `Batch`."""
        return Batch(
            encoder=self.encoder,
            packed=packed,
            pooling=self.head.pooling,
            kernels=self.kernels,
            training=training,
            states=states,
            first_layer=first_layer,
        )

    def run(self, model: nn.Module, batch: Batch) -> Tensor:
        """Return the logits [sequences, units] of a batch.

        Autocast is off in here: the types are chosen where the model is bound.
        """
        with torch.autocast(batch.packed.cu_seqlens.device.type, enabled=False):
            return classify(_without_adapter(model), encode(batch))

    def cost(self, lengths: Sequence[int]) -> int:
        """Return the tokens of a batch: nothing is padded."""
        return sum(lengths)


def bind(
    model: nn.Module, head: HeadSpec, precision: Precision, *, attention_dropout: bool
) -> FastForward:
    """Bind a classifier to the fast encoder.

    Args:
        model: the classifier, with or without an adapter.
        head: its head.
        precision: type of the frozen products; auto: bf16 where the processor has it.
        attention_dropout: whether the attention weights keep the model's dropout.

    Raises:
        UnsupportedError: the model has something that the fast encoder does not compute.
    """
    inner: Any = _without_adapter(model)
    backbone: Any = inner.encoder if isinstance(inner, PooledClassifier) else inner.base_model
    config = backbone.config
    names = _NAMES.get(config.model_type)
    known = architecture_of(config)
    if names is None or known is None:
        raise UnsupportedError(f"the architecture {config.model_type} has no fast path")
    _check(model, backbone, config)
    device = next(model.parameters()).device
    if device.type != "cpu":
        raise UnsupportedError(f"the fast path has not been tried on {device.type} yet")
    dtype = fast_type() if precision == "auto" else getattr(torch, _TYPES[precision])
    layers = tuple(
        _layer(layer, names, config, dtype, attention_dropout)
        for layer in attrgetter(known.layers)(backbone)
    )
    encoder = Encoder(_embeddings(backbone, config, dtype), layers, config.num_attention_heads)
    head_size = config.hidden_size // config.num_attention_heads
    _check_adapters(backbone, encoder)
    kernels = kernels_for(dtype, head_size, cache_dir() / "native")
    return FastForward(encoder, head, kernels)


def classify(inner: Any, pooled: Tensor) -> Tensor:
    """Return the logits [sequences, units] of pooled states [sequences, hidden].

    Args:
        inner: the classifier under the adapter.
        pooled: fp32.
    """
    if isinstance(inner, PooledClassifier):
        return inner.classify(pooled)
    kind = inner.config.model_type
    if kind == "distilbert":
        hidden = torch.relu(inner.pre_classifier(pooled))
        return inner.classifier(inner.dropout(hidden))  # type: ignore[no-any-return]
    # The heads of the others take hidden states and use the first.
    states = pooled.unsqueeze(1)
    if kind == "bert":
        states = inner.dropout(inner.bert.pooler(states))
    return inner.classifier(states)  # type: ignore[no-any-return]


_TYPES = {"fp32": "float32", "bf16": "bfloat16"}
_ACTIVATIONS = ("gelu",)
# What _linear looks at; anything else that is trained inside the encoder has no fast path.
_LORA_PARTS = (".lora_A.", ".lora_B.", ".lora_magnitude_vector.")


def _without_adapter(model: nn.Module) -> Any:
    return model.get_base_model() if isinstance(model, PeftModel) else model


def _check(model: nn.Module, backbone: nn.Module, config: Any) -> None:
    activation = getattr(config, "hidden_act", None) or getattr(config, "activation", None)
    if activation not in _ACTIVATIONS:
        raise UnsupportedError(f"the activation {activation} has no fast path")
    if getattr(config, "position_embedding_type", "absolute") != "absolute":
        raise UnsupportedError("relative positions have no fast path")
    if getattr(config, "is_decoder", False):
        raise UnsupportedError("decoders have no fast path")
    for name, parameter in backbone.named_parameters():
        if parameter.requires_grad and not any(part in name for part in _LORA_PARTS):
            raise UnsupportedError(f"{name} is trained in full inside the encoder")


def _check_adapters(backbone: nn.Module, encoder: Encoder) -> None:
    bound = {id(tensor) for tensor in encoder.parameters()}
    for name, parameter in backbone.named_parameters():
        # The pooler is run as a module, by `classify`.
        if ".lora_" in name and id(parameter) not in bound and not name.startswith("pooler."):
            raise UnsupportedError(f"an adapter on {name.partition('.lora_')[0]} has no fast path")


def _layer(layer: Any, names: _Names, config: Any, dtype: torch.dtype, keep: bool) -> Layer:
    def linear(path: str) -> Linear:
        module = attrgetter(path)(layer)
        return Linear(_product([_base(module)], dtype), _update(module))

    def norm(path: str) -> Norm:
        module = attrgetter(path)(layer)
        return Norm(module.weight.detach(), module.bias.detach(), module.eps)

    projections = [attrgetter(path)(layer) for path in (names.query, names.key, names.value)]
    query, key, value = (_update(module) for module in projections)
    attention_dropout = getattr(config, "attention_probs_dropout_prob", None)
    if attention_dropout is None:
        attention_dropout = config.attention_dropout
    output_dropout = attrgetter(names.output_dropout)(layer).p if names.output_dropout else 0.0
    return Layer(
        qkv=_product([_base(module) for module in projections], dtype),
        query=query,
        key=key,
        value=value,
        output=linear(names.output),
        attention_norm=norm(names.attention_norm),
        up=linear(names.up),
        down=linear(names.down),
        output_norm=norm(names.output_norm),
        attention_dropout=attention_dropout if keep else 0.0,
        output_dropout=output_dropout,
        hidden_dropout=attrgetter(names.hidden_dropout)(layer).p,
    )


def _base(module: Any) -> nn.Linear:
    if isinstance(module, LoraLinear):
        if len(module.active_adapters) != 1 or module.merged:
            raise UnsupportedError("several or merged adapters have no fast path")
        module = module.get_base_layer()
    if not isinstance(module, nn.Linear):
        raise UnsupportedError(f"a {type(module).__name__} module has no fast path")
    return module


def _update(module: Any) -> Lora | None:
    if not isinstance(module, LoraLinear) or module.active_adapters[0] not in module.lora_A:
        return None
    name = module.active_adapters[0]
    if name in module.lora_variant:
        variant = type(module.lora_variant[name]).__name__.removesuffix("LinearVariant")
        raise UnsupportedError(f"the LoRA variant {variant} has no fast path")
    if module.lora_B[name].bias is not None:
        raise UnsupportedError("LoRA with a bias has no fast path")
    return Lora(
        a=module.lora_A[name].weight,
        b=module.lora_B[name].weight,
        scale=float(module.scaling[name]),
        dropout=float(getattr(module.lora_dropout[name], "p", 0.0)),
    )


def _product(modules: list[nn.Linear], dtype: torch.dtype) -> Product:
    weights = [module.weight.detach().to(dtype) for module in modules]
    biases = [module.bias.detach().to(dtype) for module in modules]
    if len(modules) == 1:
        return Product(weights[0], biases[0])
    return Product(torch.cat(weights), torch.cat(biases))


def _embeddings(backbone: Any, config: Any, dtype: torch.dtype) -> Embeddings:
    module = backbone.embeddings
    positions = module.position_embeddings.weight.detach()
    if config.model_type == "roberta":
        positions = positions[module.padding_idx + 1 :]
    types = getattr(module, "token_type_embeddings", None)
    projection = getattr(backbone, "embeddings_project", None)
    norm = module.LayerNorm
    return Embeddings(
        words=module.word_embeddings.weight.detach(),
        positions=positions,
        token_type=None if types is None else types.weight[0].detach(),
        norm=Norm(norm.weight.detach(), norm.bias.detach(), norm.eps),
        dropout=module.dropout.p,
        projection=None if projection is None else _product([_base(projection)], dtype),
    )
