"""Where training starts, and what becomes of it when training does not get beyond it.

The head begins as the logistic regression on the frozen encoder's states, so that what LoRA adds
is added to the best that the encoder gives as it is.

Source: A. Kumar, A. Raghunathan, R. Jones, T. Ma, P. Liang, Fine-tuning can distort pretrained
features and underperform out-of-distribution, ICLR 2022 (LP-FT).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from textlora.baselines.frozen import FrozenEncoder
from textlora.evaluation.scores import FloatArray
from textlora.model.heads import HeadSpec


def trained_weights(model: nn.Module) -> dict[str, Tensor]:
    """Return copies of the parameters that are trained, by name."""
    parameters = model.named_parameters()
    return {name: each.detach().clone() for name, each in parameters if each.requires_grad}


@torch.no_grad()
def put_weights(model: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Put weights in, in place: the fast path holds on to these tensors."""
    for name, parameter in model.named_parameters():
        if name in weights:
            parameter.copy_(weights[name])


@torch.no_grad()
def start_from(frozen: FrozenEncoder, model: nn.Module, head: HeadSpec) -> None:
    """Make the head, one linear layer on the mean state, the fitted logistic regression.

    Args:
        frozen: fitted on the rows to train on.
        model: the classifier with its fresh adapter, whose update is zero.
        head: its head.
    """
    weights, biases = units_of(*frozen.linear_layer(), head)
    layer = _trained_layer(model)
    layer.weight.copy_(torch.from_numpy(weights))
    layer.bias.copy_(torch.from_numpy(biases))


def units_of(
    weights: FloatArray, biases: FloatArray, head: HeadSpec
) -> tuple[FloatArray, FloatArray]:
    """Return the same regression with as many units as the head has.

    Args:
        weights: `[units, hidden]`; one unit stands for two classes.
        biases: `[units]`.
        head: whose units are wanted.
    """
    if len(weights) == head.num_units:
        return weights, biases
    return np.concatenate([-weights, weights]) / 2, np.concatenate([-biases, biases]) / 2


def _trained_layer(model: nn.Module) -> nn.Linear:
    # PEFT keeps the fresh head beside the copy that it trains.
    found = [
        module
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear)
        and "classifier" in name.split(".")
        and module.weight.requires_grad
    ]
    (layer,) = found
    return layer


class StartCounts(TrainerCallback):
    """Evaluates the start, too, so that a later checkpoint is best only if it beats it."""

    trainer: Any

    def on_train_begin(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: Any,
    ) -> None:
        """Evaluate before the first step; a resumed training has it in its state."""
        if state.global_step:
            return
        state.epoch = 0.0
        metrics = self.trainer.evaluate()
        self.trainer._determine_best_metric(metrics=metrics, trial=None)
