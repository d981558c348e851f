"""Classification heads: from a pooled hidden state to logits, loss and probabilities.

A model whose head is `auto` on the [CLS] state is the architecture's own
`…ForSequenceClassification`; every other combination is a `PooledClassifier`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional
from transformers import (
    AutoModel,
    AutoModelForSequenceClassification,
    PretrainedConfig,
    PreTrainedModel,
)
from transformers.modeling_outputs import SequenceClassifierOutput

from textlora.config import ModelConfig
from textlora.errors import ConfigError
from textlora.model.architectures import BaseClassifier, architecture_of, is_inside
from textlora.model.encoders import Backbone
from textlora.model.safety import MAX_CLASSES

HEAD_DROPOUT = 0.1
Loss = Literal["cross_entropy", "bce"]


@dataclass(frozen=True)
class HeadSpec:
    """A head with every choice made.

    Args:
        kind: "auto" (the architecture's own), "mlp" or "linear".
        pooling: "cls" or "mean".
        loss: "cross_entropy" or "bce".
        num_labels: classes.
        multi_label: whether a text may have several labels.
    """

    kind: Literal["auto", "mlp", "linear"]
    pooling: Literal["cls", "mean"]
    loss: Loss
    num_labels: Annotated[int, Field(ge=1, le=MAX_CLASSES)]
    multi_label: bool = False

    @property
    def num_units(self) -> int:
        """Output units: one a class, or a single one for two classes with `bce`."""
        return 1 if self.one_unit else self.num_labels

    @property
    def one_unit(self) -> bool:
        """Whether two classes share one sigmoid unit."""
        return self.loss == "bce" and not self.multi_label


def resolve_head(config: ModelConfig, num_labels: int, multi_label: bool) -> HeadSpec:
    """Make the choices that the settings leave open.

    Raises:
        ConfigError: the loss does not fit the labels.
    """
    kind = config.head
    if kind == "auto" and config.pooling == "mean":
        kind = "mlp"
    loss: Loss = "bce" if multi_label else "cross_entropy"
    if config.loss != "auto":
        loss = config.loss
    if multi_label and loss != "bce":
        raise ConfigError(
            "model.loss=cross_entropy does not fit multi-label data.", "Set model.loss=bce."
        )
    if loss == "bce" and not multi_label and num_labels != 2:
        raise ConfigError(
            f"model.loss=bce with one output unit takes two classes; the data has {num_labels}.",
            "Set model.loss=cross_entropy.",
        )
    return HeadSpec(kind, config.pooling, loss, num_labels, multi_label)


class PooledClassifier(nn.Module):
    """An encoder, a pooling and a linear or two-layer head.

    Args:
        encoder: any encoder whose output has `last_hidden_state`.
        head: which head, pooling and number of units.
    """

    def __init__(self, encoder: PreTrainedModel, head: HeadSpec) -> None:
        super().__init__()
        self.config = encoder.config
        self.encoder = encoder
        self.head_spec = head
        size = encoder.config.hidden_size
        self.pre_classifier = nn.Linear(size, size) if head.kind == "mlp" else None
        self.dropout = nn.Dropout(HEAD_DROPOUT if head.kind == "mlp" else 0.0)
        self.classifier = nn.Linear(size, head.num_units)
        for layer in (self.pre_classifier, self.classifier):
            if layer is not None:
                nn.init.normal_(
                    layer.weight, std=getattr(encoder.config, "initializer_range", 0.02)
                )
                nn.init.zeros_(layer.bias)

    def get_input_embeddings(self) -> nn.Module:
        """Return the encoder's token embeddings."""
        return self.encoder.get_input_embeddings()  # type: ignore[no-any-return]

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        **_: Any,
    ) -> SequenceClassifierOutput:
        """Classify a padded batch.

        Args:
            input_ids: [batch, length].
            attention_mask: [batch, length], 1 for tokens and 0 for padding; None for no padding.
            inputs_embeds: [batch, length, hidden] in place of `input_ids`.

        Returns:
            `logits` [batch, units].
        """
        hidden = self.encoder(
            input_ids=input_ids, attention_mask=attention_mask, inputs_embeds=inputs_embeds
        ).last_hidden_state
        return SequenceClassifierOutput(logits=self.classify(self.pool(hidden, attention_mask)))

    def pool(self, hidden: Tensor, attention_mask: Tensor | None) -> Tensor:
        """Return [batch, hidden]: the first state, or the mean over the tokens."""
        if self.head_spec.pooling == "cls":
            return hidden[:, 0]
        if attention_mask is None:
            return hidden.mean(dim=1)
        mask = attention_mask.unsqueeze(-1).to(hidden.dtype)
        return (hidden * mask).sum(dim=1) / mask.sum(dim=1)

    def classify(self, pooled: Tensor) -> Tensor:
        """Return logits [batch, units] of pooled states [batch, hidden]."""
        if self.pre_classifier is not None:
            pooled = functional.relu(self.pre_classifier(pooled))
        return self.classifier(self.dropout(pooled))  # type: ignore[no-any-return]


def load_base_classifier(
    backbone: Backbone, head: HeadSpec, label_names: list[str]
) -> BaseClassifier:
    """Load the pretrained encoder and put a fresh head on it."""
    if head.kind != "auto":
        return _pooled(backbone.load_encoder(), head)
    model, new_weights = backbone.load_classifier(**_label_config(head, label_names))
    # A pooler that the checkpoint lacks is random: it must be trained, or it stays so.
    return BaseClassifier(model, _own_head(model, new_weights))


def build_base_classifier(config: PretrainedConfig, head: HeadSpec) -> BaseClassifier:
    """Build the same from a configuration alone, with random weights and no download."""
    if head.kind != "auto":
        return _pooled(AutoModel.from_config(config), head)
    config.num_labels = head.num_units
    model = AutoModelForSequenceClassification.from_config(config)
    return BaseClassifier(model, _own_head(model, []))


def classification_loss(
    logits: Tensor,
    targets: Tensor,
    loss: Loss,
    class_weights: Tensor | None = None,
    row_weights: Tensor | None = None,
) -> Tensor:
    """Return the mean loss over a batch.

    Args:
        logits: [batch, units].
        targets: [batch] class numbers, or [batch, classes] of 0/1 for multi-label.
        loss: "cross_entropy" or "bce".
        class_weights: [classes], and the mean is the weighted one, as torch's cross entropy has
            it; multi-label: [2, classes], the weights of a label's absence and of its presence.
            None: all 1.
        row_weights: [batch], as if a row were there so many times, 1 on average over all rows.
            Their sum divides nothing: a row counts the same in whatever batch it is. None: all 1.
    """
    logits = logits.float()
    if class_weights is not None:
        class_weights = class_weights.to(logits)
    each, total = _row_losses(logits, targets, loss, class_weights)
    if row_weights is not None:
        each = each * row_weights.to(each)
    return each.sum() / total


def _row_losses(
    logits: Tensor, targets: Tensor, loss: Loss, class_weights: Tensor | None
) -> tuple[Tensor, Tensor | int]:
    """Return the loss of each row [batch], by its class's weight, and what the mean divides by."""
    if targets.ndim == 2:
        labels, weights = targets.to(logits.dtype), None
        if class_weights is not None:
            weights = torch.where(labels == 1, class_weights[1], class_weights[0])
        by_label = functional.binary_cross_entropy_with_logits(
            logits, labels, weights, reduction="none"
        )
        return by_label.mean(dim=1), len(targets)
    numbers = targets.long()
    total = len(targets) if class_weights is None else class_weights[numbers].sum()
    if loss == "cross_entropy":
        return functional.cross_entropy(logits, numbers, class_weights, reduction="none"), total
    each = functional.binary_cross_entropy_with_logits(
        logits[:, 0],
        numbers.to(logits.dtype),
        None if class_weights is None else class_weights[numbers],
        reduction="none",
    )
    return each, total


def probabilities(logits: Tensor, head: HeadSpec, temperature: float = 1.0) -> Tensor:
    """Return [batch, classes] probabilities of logits [batch, units], divided by a temperature."""
    logits = logits.float() / temperature
    if head.loss == "cross_entropy":
        return logits.softmax(dim=-1)
    if head.one_unit:
        # Both from the logit: 1 - sigmoid loses digits where the model is sure.
        return torch.cat([torch.sigmoid(-logits), torch.sigmoid(logits)], dim=-1)
    return torch.sigmoid(logits)


def log_odds(logits: Tensor, head: HeadSpec, target: int, temperature: float = 1.0) -> Tensor:
    """Return log(p / (1 - p)) [batch] of class number `target`, of logits [batch, units].

    p is that of `probabilities`; unlike p this does not flatten out where the model is sure.
    """
    logits = logits.float() / temperature
    if head.loss == "cross_entropy":
        others = torch.cat([logits[:, :target], logits[:, target + 1 :]], dim=-1)
        return logits[:, target] - others.logsumexp(dim=-1)
    if head.one_unit:
        return logits[:, 0] if target == 1 else -logits[:, 0]
    return logits[:, target]


def _pooled(encoder: PreTrainedModel, head: HeadSpec) -> BaseClassifier:
    model = PooledClassifier(encoder, head)
    names = ["classifier"] if model.pre_classifier is None else ["pre_classifier", "classifier"]
    return BaseClassifier(model, names)


def _own_head(model: PreTrainedModel, new_weights: list[str]) -> list[str]:
    known = architecture_of(model.config)
    names = list(known.trained_head) if known else []
    for weight in new_weights:
        module = weight.rpartition(".")[0]
        if not is_inside(module, names):
            names.append(module)
    return names or [name for name in ("classifier", "score") if hasattr(model, name)]


def _label_config(head: HeadSpec, label_names: list[str]) -> dict[str, Any]:
    kind = "multi_label_classification" if head.multi_label else "single_label_classification"
    # Transformers counts the names, not `num_labels`: a single unit has the second class's.
    units = label_names[1:] if head.one_unit else label_names
    return {
        "num_labels": head.num_units,
        "id2label": dict(enumerate(units)),
        "label2id": {name: number for number, name in enumerate(units)},
        "problem_type": kind,
    }
