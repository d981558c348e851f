"""The one subclass of `transformers.Trainer`, and the one place where one is made."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peft import PeftModel
from torch import Tensor, nn
from torch.utils.data import Dataset
from transformers import (
    EarlyStoppingCallback,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainingArguments,
)
from transformers.trainer_callback import PrinterCallback
from transformers.trainer_utils import rotate_checkpoints

from textlora.baselines import LabelledTexts
from textlora.config import SettledConfig
from textlora.data.labels import Targets
from textlora.data.loading import Weights
from textlora.data.splitting import Indices
from textlora.errors import RunError, storage_errors
from textlora.inference.logits import Offsets, WindowPooling, score_texts
from textlora.inference.predictor import Predictor
from textlora.metrics.records import EpochRecord
from textlora.metrics.scores import FloatArray
from textlora.model.adapters import save_adapter
from textlora.model.backends import Forward, TokenSequences
from textlora.model.heads import HeadSpec, classification_loss
from textlora.training import checkpoints
from textlora.training.arguments import class_weights, optimizer_of, training_arguments
from textlora.training.checkpoints import seal
from textlora.training.deciding import Metrics, validation_metrics
from textlora.training.progress import record_of
from textlora.training.regularization import (
    ClassGroups,
    DroppedTokens,
    HeadInput,
    OthersEveryEpoch,
    contrastive_loss,
)
from textlora.training.start import StartCounts, starts_at_regression, trained_head

# Fewer validation rows than these tell checkpoints apart by chance.
ENOUGH_TO_CHOOSE = 200

_NOT_FOR_THE_MODEL = frozenset({"labels", "weights"})


@dataclass(frozen=True)
class SelectedSequences:
    """Some of many token sequences, in an order of their own.

    Args:
        sequences: all of them.
        chosen: positions of those meant, int64 `[chosen]`.
    """

    sequences: TokenSequences
    chosen: Indices

    def __len__(self) -> int:
        return len(self.chosen)

    def __getitem__(self, index: int, /) -> Any:
        return self.sequences[int(self.chosen[index])]


@dataclass(frozen=True)
class LabelledSequences(Dataset[dict[str, Any]]):
    """Texts as one or more sequences each, with their targets.

    A row to train on is a sequence, with the target of its text.

    Args:
        sequences: each as the `Forward` takes it, mostly token ids; those of a text together.
        targets: [texts] class numbers, or [texts, classes] of 0/1.
        text_offsets: the first sequence of each text, and the end, `[texts + 1]`.
        weights: [texts], how much each counts in the loss, 1 on average; None: all the same.
        states: [texts, hidden] of the frozen encoder, where the head is to start from a regression
            on them.
    """

    sequences: TokenSequences
    targets: Targets
    text_offsets: Offsets
    weights: Weights | None = None
    states: FloatArray | None = None

    @classmethod
    def of(cls, rows: LabelledTexts, sequences: TokenSequences | None = None) -> LabelledSequences:
        """Return texts as a training takes them, or other sequences in place of their token ids."""
        offsets = rows.sequences.text_offsets
        found = rows.sequences if sequences is None else sequences
        return cls(found, rows.targets, offsets, rows.weights)

    def select(self, texts: Indices) -> LabelledSequences:
        """Return the texts at these places, in that order; no sequence is copied."""
        starts, counts = self.text_offsets[texts], np.diff(self.text_offsets)[texts]
        offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        chosen = np.arange(offsets[-1]) + np.repeat(starts - offsets[:-1], counts)
        weights = None if self.weights is None else self.weights[texts]
        return LabelledSequences(
            SelectedSequences(self.sequences, chosen),
            self.targets[texts],
            offsets,
            None if weights is None else weights / weights.mean(),
            None if self.states is None else self.states[texts],
        )

    def __len__(self) -> int:
        return len(self.sequences)

    def __getitem__(self, row: int) -> dict[str, Any]:
        text = np.searchsorted(self.text_offsets, row, side="right") - 1
        found = {"input_ids": self.sequences[row], "labels": self.targets[text]}
        return found if self.weights is None else {**found, "weights": self.weights[text]}


class ClassifierTrainer(Trainer):
    """Trains a classifier through a `Forward`, and seals its checkpoints.

    Args:
        model: the classifier with its adapter; without one it is trained and saved in full.
        head: its head, which decides on the loss.
        forward: how batches are run.
        window_pooling: how the probabilities of a text's windows become one in an evaluation.
        metrics: those of the validation rows.
        args: as in `transformers.Trainer`.
        train_dataset: rows to train on.
        eval_dataset: rows to validate on; None where nothing is chosen on the way.
        callbacks: as in `transformers.Trainer`.
        class_weights: as in `classification_loss`, in training and in validation alike.
        contrastive: weight of the contrastive loss, and the model's head, whose input it is on.
        prefer_later: the later of two checkpoints is the best where they cannot be told apart;
            otherwise the earlier of two equal ones, as in `transformers.Trainer`.
        optimizer: class and arguments, in place of AdamW.
        order: of the rows to train on; None: drawn anew for every epoch.
    """

    # `compute_loss` returns a mean over its batch.
    loss_is_scaled_for_ga = False
    control: TrainerControl

    def __init__(
        self,
        model: nn.Module,
        *,
        head: HeadSpec,
        forward: Forward,
        window_pooling: WindowPooling,
        metrics: Metrics,
        args: TrainingArguments,
        train_dataset: LabelledSequences,
        eval_dataset: LabelledSequences | None,
        callbacks: list[TrainerCallback],
        class_weights: Tensor | None = None,
        contrastive: tuple[float, nn.Module] | None = None,
        prefer_later: bool = False,
        optimizer: tuple[type[torch.optim.Optimizer], dict[str, Any]] | None = None,
        order: Sequence[int] | None = None,
    ) -> None:
        self.head = head
        self.order = order
        self.forward = forward
        self.window_pooling = window_pooling
        self.metrics = metrics
        self.class_weights = class_weights
        self.contrastive_weight = 0.0 if contrastive is None else contrastive[0]
        self.head_input = None if contrastive is None else HeadInput(contrastive[1])
        self.prefer_later = prefer_later
        # transformers would delete old checkpoints before the new one is sealed.
        self.checkpoint_limit, args.save_total_limit = args.save_total_limit, None
        self._started = time.perf_counter()
        self._seconds_before: float | None = None
        self._loss_sum = 0.0
        self._loss_count = 0
        super().__init__(
            model=model,
            args=args,
            train_dataset=train_dataset,
            eval_dataset=eval_dataset,  # type: ignore[arg-type]
            data_collator=self._collate,
            callbacks=callbacks,
            optimizer_cls_and_kwargs=optimizer,
        )

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Any:
        """Return the batch's mean loss."""
        targets = inputs["labels"]
        row_weights = inputs.get("weights")
        batch = {name: value for name, value in inputs.items() if name not in _NOT_FOR_THE_MODEL}
        logits = self.forward.logits(model, batch)
        loss = classification_loss(logits, targets, self.head.loss, self.class_weights, row_weights)
        # The cross-entropy alone is what validation and other trainings can be compared with.
        self._loss_sum += float(loss.detach())
        self._loss_count += 1
        if self.head_input is not None:
            alike = contrastive_loss(self.head_input.take(), targets, row_weights)
            loss = (1 - self.contrastive_weight) * loss + self.contrastive_weight * alike
        if not self.args.fp16:  # its gradient scaler skips a step that overflows, and goes on
            self._require_finite(float(loss.detach()))
        return (loss, {"logits": logits}) if return_outputs else loss

    def evaluate(
        self,
        eval_dataset: Any = None,
        ignore_keys: list[str] | None = None,
        metric_key_prefix: str = "eval",
    ) -> dict[str, float]:
        """Score the validation texts by a token budget and return loss and metrics.

        Logged beside them: the mean training loss since the last evaluation, and the time.
        """
        rows: LabelledSequences = eval_dataset if eval_dataset is not None else self.eval_dataset
        with self.compute_loss_context_manager():
            scored = score_texts(
                self.model,
                self.forward,
                rows.sequences,
                rows.text_offsets,
                head=self.head,
                pooling=self.window_pooling,
            )
        logits = torch.from_numpy(scored)
        targets = torch.from_numpy(rows.targets)
        weights = None if rows.weights is None else torch.from_numpy(rows.weights)
        loss = float(
            classification_loss(logits, targets, self.head.loss, self.class_weights, weights)
        )
        self._require_finite(loss)
        values = {"loss": loss, **self.metrics(rows.targets, scored)}
        values["learning_rate"] = self._get_learning_rate()
        values["seconds"] = self._seconds()
        if self._loss_count:
            values["training_loss"] = self._loss_sum / self._loss_count
            self._loss_sum, self._loss_count = 0.0, 0
        named = {f"{metric_key_prefix}_{name}": value for name, value in values.items()}
        self.log(named)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, named)
        return named

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        if self.order is not None:
            return self.order
        if self.head_input is None:
            return super()._get_train_sampler(train_dataset)
        rows: LabelledSequences = self.train_dataset  # type: ignore[assignment]
        windows = np.diff(rows.text_offsets)
        return ClassGroups(np.repeat(rows.targets, windows), self.args.seed)

    def _determine_best_metric(self, metrics: dict[str, float], trial: Any) -> bool:
        name = str(self.args.metric_for_best_model)
        if not self.prefer_later or not self.args.greater_is_better:
            return bool(super()._determine_best_metric(metrics=metrics, trial=trial))
        known = [
            (entry[name], entry["eval_loss"]) for entry in self.state.log_history if name in entry
        ]
        if not is_kept(known, len(self.eval_dataset.targets)):
            return False
        self.state.best_metric = metrics[name]
        self.state.best_global_step = self.state.global_step
        return True

    def _require_finite(self, loss: float) -> None:
        if not math.isfinite(loss):
            raise RunError(
                f"The training diverged: at step {self.state.global_step} the loss is {loss}.",
                f"Lower training.learning_rate (now {self.args.learning_rate:g}), "
                "or add training.warmup_ratio.",
            )

    def _seconds(self) -> float:
        """Return the time since the start of the training, that before a resumption included."""
        if self._seconds_before is None:
            earlier = (entry.get("eval_seconds") for entry in reversed(self.state.log_history))
            self._seconds_before = next((value for value in earlier if value is not None), 0.0)
        return self._seconds_before + time.perf_counter() - self._started

    def _collate(self, rows: list[dict[str, Any]]) -> dict[str, Tensor]:
        batch = self.forward.collate([row["input_ids"] for row in rows])
        for name in _NOT_FOR_THE_MODEL & rows[0].keys():
            batch[name] = torch.from_numpy(np.stack([row[name] for row in rows]))
        return batch

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        folder = Path(output_dir or str(self.args.output_dir))
        folder.mkdir(parents=True, exist_ok=True)
        if isinstance(self.model, PeftModel):
            save_adapter(self.model, folder)
        else:
            super()._save(output_dir, state_dict)

    def _save_checkpoint(self, model: nn.Module, trial: Any) -> None:
        super()._save_checkpoint(model, trial)
        folder = Path(self._get_output_dir(trial=trial))
        seal(folder / f"checkpoint-{self.state.global_step}")
        rotate_checkpoints(
            output_dir=str(folder),
            save_total_limit=self.checkpoint_limit,
            best_model_checkpoint=self.state.best_model_checkpoint,
        )


def run_trainer(
    predictor: Predictor,
    forward: Forward,
    config: SettledConfig,
    train: LabelledSequences,
    validation: LabelledSequences | None = None,
    *,
    folder: Path | None = None,
    checkpoint: Path | None = None,
    callbacks: Sequence[TrainerCallback] = (),
    order: Sequence[int] | None = None,
) -> list[EpochRecord]:
    """Train a model by its settings, from the weights as they are: every training goes this way.

    With rows to validate on, the best checkpoint's weights are those that stay. Without, nothing is
    chosen on the way and nothing is written: the weights after the last step stay, and no row but
    those to train on has any influence.

    Args:
        predictor: model, head and rule; a model without an adapter is trained in full.
        forward: how batches are run in training.
        config: every setting.
        train: rows to train on.
        validation: rows to choose the best checkpoint by.
        folder: where checkpoints go; None: into a temporary one.
        checkpoint: where to go on from.
        callbacks: told of every step.
        order: of the rows to train on; None: drawn anew for every epoch.

    Returns:
        The evaluations; none without rows to validate on.

    Raises:
        RunError: the training diverged.
        StorageError: there is no room for a checkpoint.
        ConfigError: a class weight names no class.
    """
    # The Trainer makes its folder, though without rows to validate on it writes nothing there.
    with (
        nullcontext(str(folder)) if folder else tempfile.TemporaryDirectory() as place,
        _trainer(
            predictor, forward, config, train, validation, Path(place), list(callbacks), order
        ) as trainer,
        storage_errors(f"writing a checkpoint to {place}")
        if validation is not None
        else nullcontext(),
        checkpoints.only_plain_values(),
    ):
        trainer.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))
    predictor.model.eval()
    records = [record_of(entry) for entry in trainer.state.log_history if "eval_loss" in entry]
    best = trainer.state.best_global_step
    return [replace(record, best=record.step == best) for record in records]


@contextmanager
def _trainer(
    predictor: Predictor,
    forward: Forward,
    config: SettledConfig,
    train: LabelledSequences,
    validation: LabelledSequences | None,
    folder: Path,
    callbacks: list[TrainerCallback],
    order: Sequence[int] | None,
) -> Iterator[ClassifierTrainer]:
    """Yield the Trainer that the settings ask for, and leave the model's modules as they were."""
    spec, training, model = predictor.spec, config.training, predictor.model
    arguments = training_arguments(training, folder, choose_best=validation is not None)
    # Nobody resumes a training in full, and Adam's state is twice the size of the model.
    arguments.save_only_model = not isinstance(model, PeftModel)
    if training.token_dropout:
        dropped = DroppedTokens(train.sequences, training.token_dropout, arguments.seed)
        train = replace(train, sequences=dropped)
        callbacks.append(OthersEveryEpoch(dropped))
    if validation is not None and training.early_stopping_patience is not None:
        callbacks.append(EarlyStoppingCallback(training.early_stopping_patience))
    from_regression = starts_at_regression(config)
    counting = StartCounts()
    if validation is not None and from_regression:
        callbacks.append(counting)
    weight = training.contrastive_weight
    trainer = ClassifierTrainer(
        model,
        head=spec.head,
        forward=forward,
        window_pooling=spec.window_pooling,
        metrics=validation_metrics(predictor, config.evaluation),
        args=arguments,
        train_dataset=train,
        eval_dataset=validation,
        callbacks=callbacks,
        class_weights=class_weights(training.class_weight, train.targets, spec.label_names),
        contrastive=(weight, trained_head(model)) if weight else None,
        prefer_later=from_regression,
        optimizer=optimizer_of(training),
        order=order,
    )
    counting.trainer = trainer
    trainer.remove_callback(PrinterCallback)
    try:
        yield trainer
    finally:
        if trainer.head_input is not None:
            trainer.head_input.close()


def is_kept(evaluations: Sequence[tuple[float, float]], rows: int) -> bool:
    """Return whether the last checkpoint is kept: unless it is worse than the best, beyond chance.

    One standard error of the share that is right passes for chance. Half of it does where there are
    rows enough to choose by and the loss, which tells more from as many rows, is not lower either.

    Args:
        evaluations: metric, a share, and loss of each so far, the last one's last.
        rows: of validation.
    """
    value, loss = evaluations[-1]
    best, loss_of_best = max(evaluations, key=lambda each: each[0])
    usual = min(max(best, 0.5), 0.99)
    error = math.sqrt(usual * (1 - usual) / rows)
    if rows >= ENOUGH_TO_CHOOSE and loss >= loss_of_best:
        error /= 2
    return bool(value >= best - error)
