"""From textlora's settings to `transformers.TrainingArguments` and an optimizer."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import TrainingArguments

from textlora.config import SettledTraining
from textlora.errors import ConfigError, MissingExtraError


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
