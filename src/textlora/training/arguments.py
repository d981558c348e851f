"""From settings to `transformers.TrainingArguments`, an optimizer and the classes' weights."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from transformers import TrainingArguments

from textlora.config import SettledTraining
from textlora.errors import ConfigError, MissingExtraError


def class_weights(
    setting: Literal["balanced", "sqrt_balanced"] | Mapping[str, float] | None,
    targets: np.ndarray[Any, Any],
    label_names: Sequence[str],
) -> Tensor | None:
    """Return the weights that `classification_loss` takes; None where all count alike.

    "balanced" is scikit-learn's: rows / (classes x rows of the class), so that every class
    weighs the same in all and a row weighs 1 on average; multi-label: the same for the absence
    and the presence of each label. "sqrt_balanced" takes the square roots of these: between all
    rows and all classes alike. A class without rows weighs 1: it is in no loss.

    Args:
        setting: "balanced", "sqrt_balanced", weights by class name (1 for those not named), None.
        targets: of the training part: class numbers [rows], or 0/1 [rows, classes].
        label_names: the class names.

    Returns:
        [classes], or for multi-label [2, classes]: absence and presence.

    Raises:
        ConfigError: a name is no class.
    """
    if setting is None:
        return None
    multi_label = targets.ndim == 2
    if not isinstance(setting, str):
        named = torch.tensor(_by_name(setting, label_names))
        return torch.stack([torch.ones_like(named), named]) if multi_label else named
    if multi_label:
        columns = [_balanced(column, 2) for column in targets.astype(np.int64).T]
        weights = np.stack(columns, axis=1)
    else:
        weights = _balanced(targets.astype(np.int64), len(label_names))
    if setting == "sqrt_balanced":
        weights = np.sqrt(weights)
        if not multi_label:
            weights /= weights[targets.astype(np.int64)].mean()
    return torch.tensor(weights, dtype=torch.float32)


def _balanced(numbers: np.ndarray[Any, Any], classes: int) -> np.ndarray[Any, Any]:
    from sklearn.utils.class_weight import compute_class_weight

    present = np.unique(numbers)
    weights = np.ones(classes)
    weights[present] = compute_class_weight("balanced", classes=present, y=numbers)
    return weights


def _by_name(weights: Mapping[str, float], label_names: Sequence[str]) -> list[float]:
    unknown = next((name for name in weights if name not in label_names), None)
    if unknown is not None:
        raise ConfigError(
            f"training.class_weight: '{unknown}' is no class.",
            f"Classes: {', '.join(label_names)}.",
        )
    return [float(weights.get(name, 1.0)) for name in label_names]


def training_arguments(
    config: SettledTraining, folder: Path, *, choose_best: bool = True
) -> TrainingArguments:
    """Translate the settings.

    Args:
        config: the settings.
        folder: where the checkpoints go.
        choose_best: evaluate, save checkpoints and end with the best of them; otherwise the
            weights after the last step stay, and nothing is written.

    Raises:
        ConfigError: mixed precision that this machine does not have.
    """
    check_precision(config.mixed_precision)
    check_trackers(config.report_to)
    by_steps = config.eval_strategy == "steps"
    return TrainingArguments(
        output_dir=str(folder),
        num_train_epochs=config.num_train_epochs,
        max_steps=config.max_steps,
        per_device_train_batch_size=config.per_device_train_batch_size,
        gradient_accumulation_steps=config.gradient_accumulation_steps,
        learning_rate=config.learning_rate,
        weight_decay=config.weight_decay,
        lr_scheduler_type=config.lr_scheduler_type,
        warmup_steps=config.warmup_ratio,  # below 1 transformers takes it as a share
        max_grad_norm=config.max_grad_norm,
        fp16=config.mixed_precision == "fp16",
        bf16=config.mixed_precision == "bf16",
        use_cpu=not torch.cuda.is_available(),  # without it, bf16 is refused on a CPU
        eval_strategy=config.eval_strategy if choose_best else "no",
        eval_steps=config.eval_steps if by_steps else None,
        save_strategy=config.eval_strategy if choose_best else "no",
        save_steps=config.eval_steps if by_steps else 500,
        save_total_limit=config.save_total_limit,
        logging_steps=config.logging_steps,
        load_best_model_at_end=choose_best,
        metric_for_best_model=f"eval_{config.metric_for_best_model}",
        greater_is_better=config.metric_for_best_model != "loss",
        restore_callback_states_from_checkpoint=True,
        seed=config.seed,
        report_to=list(config.report_to) or "none",
        remove_unused_columns=False,
        dataloader_pin_memory=torch.cuda.is_available(),
        disable_tqdm=True,
    )


def shortened(training: SettledTraining, epochs: float) -> SettledTraining:
    """Return settings of a training that ends, with its learning rate, after so many epochs."""
    return training.model_copy(update={"num_train_epochs": epochs, "max_steps": -1})


def optimizer_of(
    config: SettledTraining,
) -> tuple[type[torch.optim.Optimizer], dict[str, Any]] | None:
    """Return class and arguments of the optimizer, or None for the Trainer's AdamW."""
    if config.optim == "adamw":
        return None
    return torch.optim.Adam, {"lr": config.learning_rate}


def check_trackers(report_to: Sequence[str]) -> None:
    """Refuse a tracker whose package is not installed, before anything is trained.

    Raises:
        MissingExtraError: it is not installed.
    """
    for tracker in report_to:
        if importlib.util.find_spec(tracker) is None:
            raise MissingExtraError(f"training.report_to={tracker}", tracker)


def check_precision(mixed_precision: str) -> None:
    """Refuse a mixed precision that this machine does not have.

    Raises:
        ConfigError: fp16 without a GPU.
    """
    if mixed_precision == "fp16" and not torch.cuda.is_available():
        raise ConfigError(
            "training.mixed_precision=fp16 needs a GPU, and there is none.",
            "Set it to bf16 or no.",
        )
