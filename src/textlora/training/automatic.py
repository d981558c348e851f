"""Settings that nobody set, by the table: its rows, classes, unevenness and lengths.

The rules, and the experiments behind them, are told in docs/defaults.md. They look at the rows
to train on; of validation and test rows they know nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from textlora.config import RunConfig, SettledConfig
from textlora.data.labels import Targets

UNEVEN = 3.0  # rows of the largest class over those of the smallest: judged by macro F1
EPOCHS, MULTI_LABEL_EPOCHS = 6, 10
FEWEST_UPDATES = 80  # however few the rows are
BATCH, LARGE_BATCH, CONTRASTIVE_BATCH = 16, 32, 64
FEW_CLASSES = 8
CONTRASTIVE_ROWS = 20_000  # up to here rows are drawn to those of their class, too
CONTRASTIVE_WEIGHT = 0.5
LEARNING_RATE, HIGH_LEARNING_RATE = 5e-4, 1e-3
TOKEN_DROPOUT = 0.1
# Rows, tokens of a row on average, and tokens of all epochs: seconds or a few minutes.
REFIT_ROWS, REFIT_LENGTH, REFIT_TOKENS = 10_000, 100, 1_000_000


@dataclass(frozen=True)
class TableFacts:
    """What the rules look at.

    Args:
        rows: to train on.
        classes: k.
        multi_label: whether a text may have several labels.
        tokens: of all rows together, as the encoder gets them.
        smallest: rows of the smallest class that has any.
        largest: rows of the largest class.
    """

    rows: int
    classes: int
    multi_label: bool
    tokens: int
    smallest: int
    largest: int

    @classmethod
    def of(cls, targets: Targets, classes: int, lengths: npt.NDArray[Any]) -> TableFacts:
        """Count.

        Args:
            targets: class numbers `[rows]`, or 0/1 `[rows, classes]`.
            classes: k.
            lengths: tokens of each sequence.
        """
        if targets.ndim == 2:
            counts = targets.sum(axis=0).astype(np.int64)
        else:
            counts = np.bincount(targets.astype(np.int64), minlength=classes)
        present = counts[counts > 0]
        return cls(
            rows=len(targets),
            classes=classes,
            multi_label=targets.ndim == 2,
            tokens=int(lengths.sum()),
            smallest=int(present.min()),
            largest=int(present.max()),
        )

    @property
    def told(self) -> str:
        """The facts in words."""
        kind = "several labels per text" if self.multi_label else "one label per text"
        spread = f"{self.smallest:,} to {self.largest:,} rows each"
        mean = self.tokens / self.rows
        return f"{self.rows:,} rows, {self.classes} classes ({spread}), {kind}, {mean:.0f} tokens"

    @property
    def uneven(self) -> bool:
        """Whether accuracy would hide what becomes of the small classes."""
        return self.multi_label or self.largest >= UNEVEN * self.smallest


def is_complete(config: RunConfig) -> bool:
    """Return whether every setting that can follow the table has a value."""
    training = config.training
    return (
        None
        not in (
            training.num_train_epochs,
            training.learning_rate,
            training.per_device_train_batch_size,
            training.contrastive_weight,
            training.token_dropout,
            training.class_names,
            training.refit,
        )
        and "auto" not in (training.class_weight, training.metric_for_best_model)
        and "auto"
        not in (
            config.data.truncation_side,
            config.model.head_init,
            config.evaluation.threshold,
        )
    )


def with_automatic(
    config: RunConfig, facts: TableFacts, *, names_help: bool = False
) -> SettledConfig:
    """Return the settings with a value for each that is automatic; what was set stays.

    Args:
        config: the settings.
        facts: of the rows to train on.
        names_help: whether names of the classes are worth training on.
    """
    training, model = config.training, config.model
    linear = config.trains_linear_head and model.pooling == "mean"
    chosen: dict[str, Any] = {}
    alike = training.contrastive_weight
    if alike is None:
        few = linear and not facts.multi_label and facts.rows <= CONTRASTIVE_ROWS
        alike = CONTRASTIVE_WEIGHT if few and model.loss != "bce" else 0.0
        chosen["contrastive_weight"] = alike
    batch = training.per_device_train_batch_size
    if batch is None:
        batch = chosen["per_device_train_batch_size"] = _batch(facts, alike > 0)
    epochs = training.num_train_epochs
    if epochs is None:
        updates = batch * training.gradient_accumulation_steps
        epochs = chosen["num_train_epochs"] = _epochs(facts, updates)
    if training.token_dropout is None:
        many = alike > 0 and facts.classes > FEW_CLASSES
        chosen["token_dropout"] = TOKEN_DROPOUT if many else 0.0
    if training.class_names is None:
        chosen["class_names"] = names_help
    if training.refit is None:
        # Thresholds of labels belong to the classifier that they were chosen for.
        short = facts.tokens <= REFIT_LENGTH * facts.rows and facts.rows <= REFIT_ROWS
        cheap = short and epochs * facts.tokens <= REFIT_TOKENS
        chosen["refit"] = linear and cheap and not facts.multi_label
    if training.learning_rate is None:
        few = facts.classes <= FEW_CLASSES and not facts.multi_label
        chosen["learning_rate"] = LEARNING_RATE if few else HIGH_LEARNING_RATE
    if training.class_weight == "auto":
        chosen["class_weight"] = "sqrt_balanced" if facts.uneven else None
    if training.metric_for_best_model == "auto":
        chosen["metric_for_best_model"] = "f1" if facts.uneven else "accuracy"
    if model.head_init == "auto":
        start = "logistic_regression" if linear else "random"
        model = model.model_copy(update={"head_init": start})
    training = training.model_copy(update=chosen)
    evaluation = config.evaluation
    if evaluation.threshold == "auto":
        by_label = facts.multi_label and training.metric_for_best_model == "f1"
        rule = {"threshold": "f1" if by_label else "default"}
        evaluation = evaluation.model_copy(update=rule)
    settled = config.model_copy(
        update={"training": training, "model": model, "evaluation": evaluation}
    )
    return SettledConfig.of(settled)


def _batch(facts: TableFacts, contrastive: bool) -> int:
    if facts.classes <= FEW_CLASSES and not facts.multi_label:
        return BATCH
    return CONTRASTIVE_BATCH if contrastive else LARGE_BATCH


def _epochs(facts: TableFacts, rows_an_update: int) -> float:
    epochs = MULTI_LABEL_EPOCHS if facts.multi_label else EPOCHS
    return float(max(epochs, math.ceil(FEWEST_UPDATES * rows_an_update / facts.rows)))
