"""The same encoder and head with every parameter trained: what LoRA saves, and what it costs."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch
from rich.console import Console
from torch import nn
from transformers import EarlyStoppingCallback, PreTrainedTokenizerBase, TrainerCallback, set_seed
from transformers.trainer_callback import PrinterCallback

from textlora.baselines.classifiers import LabelledTexts
from textlora.config import SettledEvaluation, SettledTraining
from textlora.errors import storage_errors
from textlora.inference.predictor import Predictor
from textlora.inference.scoring import score_texts
from textlora.metrics.scores import FloatArray
from textlora.metrics.statistics import judging_metric
from textlora.model.backbones import resize_embeddings
from textlora.model.forward import PlainForward
from textlora.model.heads import load_base_classifier, probabilities
from textlora.model.spec import ClassifierSpec
from textlora.training.arguments import class_weights, optimizer_of, shortened, training_arguments
from textlora.training.deciding import validation_metrics
from textlora.training.progress import ProgressCallback
from textlora.training.trainer import ClassifierTrainer, LabelledSequences


class FullFineTuning:
    """Trains encoder and head in full, as a `Baseline`, on Transformers' own forward.

    Args:
        spec: encoder, head and labels, as the tuned classifier has them.
        tokenizer: its tokenizer.
        training: its optimisation, with a learning rate for full fine-tuning.
        evaluation: how its rule is chosen; as with every baseline, no temperature is.
        scratch: folder for the checkpoints, which are gone afterwards.
        console: where progress is shown.
    """

    name = "Full fine-tuning"
    _model: nn.Module
    _epochs: float

    def __init__(
        self,
        spec: ClassifierSpec,
        tokenizer: PreTrainedTokenizerBase,
        training: SettledTraining,
        evaluation: SettledEvaluation,
        *,
        scratch: Path,
        console: Console,
    ) -> None:
        self.spec = spec
        self.tokenizer = tokenizer
        self.training = training
        self.evaluation = evaluation.model_copy(update={"calibrate": False})
        self.scratch = scratch
        self.console = console
        self.forward = PlainForward(int(tokenizer.pad_token_id))  # type: ignore[arg-type]

    def fit(self, train: LabelledTexts, validation: LabelledTexts) -> None:
        """Train; the best checkpoint is chosen on validation.

        Raises:
            StorageError: there is no room for a checkpoint.
            RunError: the training diverged.
        """
        self._fit(train, validation)

    def _fit(self, train: LabelledTexts, validation: LabelledTexts | None) -> None:
        set_seed(self.training.seed)
        spec = self.spec
        base = load_base_classifier(spec.backbone, spec.head, list(spec.label_names))
        resize_embeddings(base.encoder, self.tokenizer)
        with storage_errors(f"writing a checkpoint to {self.scratch}"):
            self.scratch.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=self.scratch) as folder:
                self._train(base.model, train, validation, Path(folder))
        self._model = base.model.eval()

    def _train(
        self,
        model: nn.Module,
        train: LabelledTexts,
        validation: LabelledTexts | None,
        folder: Path,
    ) -> None:
        spec, training = self.spec, self.training
        if validation is None:
            training = shortened(training, self._epochs)
        arguments = training_arguments(training, folder, choose_best=validation is not None)
        arguments.save_only_model = True  # nobody resumes it, and Adam's state is twice its size
        several = spec.head.multi_label
        metric = judging_metric(training.metric_for_best_model, several)
        progress = ProgressCallback(self.console, metric=metric, multi_label=several)
        callbacks: list[TrainerCallback] = [progress]
        if validation is not None and training.early_stopping_patience is not None:
            callbacks.append(EarlyStoppingCallback(training.early_stopping_patience))
        trainer = ClassifierTrainer(
            model,
            head=spec.head,
            forward=self.forward,
            window_pooling=spec.window_pooling,
            metrics=validation_metrics(
                Predictor(model, self.tokenizer, spec, self.forward), self.evaluation
            ),
            args=arguments,
            train_dataset=_rows(train),
            eval_dataset=None if validation is None else _rows(validation),
            callbacks=callbacks,
            class_weights=class_weights(training.class_weight, train.targets, spec.label_names),
            optimizer=optimizer_of(training),
        )
        trainer.remove_callback(PrinterCallback)
        with progress.bar:
            trainer.train()
        if validation is not None:
            best = trainer.state.best_global_step
            log = trainer.state.log_history
            self._epochs = next(each["epoch"] for each in log if each.get("step") == best)

    def refit(self, rows: LabelledTexts) -> None:
        """Train on these rows for as many epochs as were best."""
        self._fit(rows, None)

    def predict_proba(self, rows: LabelledTexts) -> FloatArray:
        """Return the probabilities `[n, k]`."""
        logits = score_texts(
            self._model,
            self.forward,
            rows.sequences,
            rows.sequences.text_offsets,
            head=self.spec.head,
            pooling=self.spec.window_pooling,
        )
        answers: FloatArray = probabilities(torch.from_numpy(logits), self.spec.head).numpy()
        return answers

    @property
    def size_bytes(self) -> int:
        """The whole model: nothing of the encoder stays as it was."""
        return parameter_bytes(list(self._model.parameters()))


def parameter_bytes(parameters: Sequence[nn.Parameter]) -> int:
    """Return the size of parameters on disk."""
    return sum(parameter.numel() * parameter.element_size() for parameter in parameters)


def _rows(part: LabelledTexts) -> LabelledSequences:
    return LabelledSequences(
        part.sequences, part.targets, part.sequences.text_offsets, part.weights
    )
