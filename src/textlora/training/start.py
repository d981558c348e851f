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

from textlora.baselines import FrozenEncoder, LabelledTexts
from textlora.baselines.logistic import regression_layer
from textlora.config import SettledConfig
from textlora.data.labels import Targets
from textlora.data.loading import Weights
from textlora.inference.logits import FrozenStates
from textlora.inference.predictor import Predictor
from textlora.metrics.scores import FloatArray
from textlora.metrics.statistics import Metric
from textlora.model.heads import HeadSpec, classification_loss

SHARE_LEFT = 0.8  # of the loss at random that the start has on the rows to train on, at least


def starts_at_regression(config: SettledConfig) -> bool:
    """Return whether the head begins as the regression, and not at random."""
    return config.model.head_init == "logistic_regression"


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


def start_at_regression(
    predictor: Predictor,
    rows: Mapping[str, LabelledTexts],
    states: FrozenStates,
    metric: Metric,
) -> FrozenEncoder:
    """Make the head, one linear layer on the mean state, the logistic regression of the baseline.

    Args:
        predictor: the classifier with its fresh adapter, whose update is zero.
        rows: of the splits "train" and "validation".
        states: the frozen encoder.
        metric: by which the penalty is chosen.

    Returns:
        The regression.
    """
    regression = FrozenEncoder(states, predictor.spec.head.num_labels, metric)
    regression.fit(rows["train"], rows["validation"])
    start_at_layer(predictor, regression, rows["train"])
    states.release()
    return regression


def start_at_layer(predictor: Predictor, regression: FrozenEncoder, rows: LabelledTexts) -> None:
    """Make the head a regression that was fitted on these rows."""
    states = regression.states(rows.sequences)
    _start_at(predictor, regression.linear_layer(), states, rows.targets)


def start_at_states(
    predictor: Predictor, states: FloatArray, targets: Targets, weights: Weights | None
) -> None:
    """Do the same with a fixed strength, where no rows are set apart to choose it by.

    Args:
        predictor: as above.
        states: of the frozen encoder, `[n, hidden]`.
        targets: class numbers `[n]`, or 0/1 `[n, k]`.
        weights: how much each row counts, `[n]`; None: all the same.
    """
    classes = predictor.spec.head.num_labels
    layer = regression_layer(states, targets, classes=classes, weights=weights)
    _start_at(predictor, layer, states, targets)


def _start_at(
    predictor: Predictor,
    layer: tuple[FloatArray, FloatArray],
    states: FloatArray,
    targets: Targets,
) -> None:
    head = predictor.spec.head
    set_head(predictor.model, *flattened(*units_of(*layer, head), states, targets, head))


@torch.no_grad()
def set_head(model: nn.Module, weights: FloatArray, biases: FloatArray) -> None:
    """Put weights `[units, hidden]` and biases `[units]` into the head that is trained."""
    layer = trained_head(model)
    layer.weight.copy_(torch.from_numpy(weights))
    layer.bias.copy_(torch.from_numpy(biases))


def flattened(
    weights: FloatArray,
    biases: FloatArray,
    states: FloatArray,
    targets: Targets,
    head: HeadSpec,
) -> tuple[FloatArray, FloatArray]:
    """Return the same layer, for several labels with smaller logits.

    A regression per label on few positive rows fits them all but perfectly, and from there
    nothing reaches the adapter but what the head has memorized. All logits are divided by one
    number, which changes no answer, until the training loss is a share of the one at random.
    (With one label per text, where the contrastive loss reaches the adapter, it did not help.)

    Args:
        weights: `[units, hidden]`.
        biases: `[units]`.
        states: that the regression was fitted on, `[n, hidden]`.
        targets: their class numbers `[n]`, or 0/1 `[n, k]`.
        head: what the units mean.
    """
    if not head.multi_label:
        return weights, biases
    logits = torch.from_numpy(states @ weights.T + biases)
    truth = torch.from_numpy(targets)

    def loss(scale: float) -> float:
        return float(classification_loss(logits * scale, truth, head.loss))

    wanted = SHARE_LEFT * loss(0.0)
    low, high = 0.0, 1.0
    if loss(high) < wanted:
        for _ in range(30):
            middle = (low + high) / 2
            low, high = (low, middle) if loss(middle) < wanted else (middle, high)
    return weights * high, biases * high


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


def trained_head(model: nn.Module) -> nn.Linear:
    """Return the linear layer that is the head of a `PooledClassifier` with an adapter."""
    # PEFT keeps the fresh head beside the copy that it trains; an adapter on the head is none.
    found = [
        module
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear)
        and name.endswith("classifier.modules_to_save.default")
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
