"""The same encoder and head with every parameter trained: what LoRA saves, and what it costs."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from torch import nn
from transformers import PreTrainedTokenizerBase, set_seed

from textlora.baselines.classifiers import LabelledTexts
from textlora.config import SettledConfig
from textlora.errors import storage_errors
from textlora.inference.predictor import Predictor
from textlora.metrics.scores import FloatArray
from textlora.metrics.statistics import judging_metric
from textlora.model.backends.plain import PlainForward
from textlora.model.encoders import resize_embeddings
from textlora.model.heads import load_base_classifier
from textlora.model.spec import ClassifierSpec
from textlora.training.arguments import shortened
from textlora.training.progress import ProgressCallback
from textlora.training.trainer import LabelledSequences, run_trainer

# What keeps few rows from being learnt by heart was chosen for adapters.
_PLAIN = {"contrastive_weight": 0.0, "token_dropout": 0.0}


class FullFineTuning:
    """Trains encoder and head in full, as a `Baseline`, on Transformers' own forward.

    Args:
        spec: encoder, head and labels, as the tuned classifier has them.
        tokenizer: its tokenizer.
        config: its settings, with a learning rate for full fine-tuning.
        scratch: folder for the checkpoints, which are gone afterwards.
        console: where progress is shown.
    """

    name = "Full fine-tuning"
    _predictor: Predictor
    _epochs: float

    def __init__(
        self,
        spec: ClassifierSpec,
        tokenizer: PreTrainedTokenizerBase,
        config: SettledConfig,
        *,
        scratch: Path,
        console: Console,
    ) -> None:
        self.spec = replace(spec, temperature=1.0)
        self.tokenizer = tokenizer
        self.config = config.model_copy(
            update={
                "model": config.model.model_copy(update={"head_init": "random"}),
                "training": config.training.model_copy(update=_PLAIN),
                # As with every baseline, no temperature is chosen.
                "evaluation": config.evaluation.model_copy(update={"calibrate": False}),
            }
        )
        self.scratch = scratch
        self.console = console
        self.forward = PlainForward(int(tokenizer.pad_token_id))  # type: ignore[arg-type]

    def fit(self, train: LabelledTexts, validation: LabelledTexts) -> None:
        """Train; the best checkpoint is chosen on validation.

        Raises:
            StorageError: there is no room for a checkpoint.
            RunError: the training diverged.
        """
        with storage_errors(f"writing a checkpoint to {self.scratch}"):
            self.scratch.mkdir(parents=True, exist_ok=True)
        self._train(self.config, train, validation)

    def refit(self, rows: LabelledTexts) -> None:
        """Train on these rows for as many epochs as were best."""
        shorter = shortened(self.config.training, self._epochs)
        self._train(self.config.model_copy(update={"training": shorter}), rows, None)

    def _train(
        self, config: SettledConfig, train: LabelledTexts, validation: LabelledTexts | None
    ) -> None:
        set_seed(config.training.seed)
        spec, several = self.spec, self.spec.head.multi_label
        base = load_base_classifier(spec.backbone, spec.head, list(spec.label_names))
        resize_embeddings(base.encoder, self.tokenizer)
        self._predictor = Predictor(base.model, self.tokenizer, spec, self.forward)
        metric = judging_metric(config.training.metric_for_best_model, several)
        progress = ProgressCallback(self.console, metric=metric, multi_label=several)
        with tempfile.TemporaryDirectory(dir=self.scratch) as folder, progress.bar:
            history = run_trainer(
                self._predictor,
                self.forward,
                config,
                LabelledSequences.of(train),
                None if validation is None else LabelledSequences.of(validation),
                folder=Path(folder),
                callbacks=[progress],
            )
        if history:
            self._epochs = next(record.epoch for record in history if record.best)

    def predict_proba(self, rows: LabelledTexts) -> FloatArray:
        """Return the probabilities `[n, k]`."""
        predictor = self._predictor
        answers: FloatArray = predictor.probabilities_of(predictor.logits(rows.sequences))  # type: ignore[assignment]
        return answers

    @property
    def size_bytes(self) -> int:
        """The whole model: nothing of the encoder stays as it was."""
        return parameter_bytes(list(self._predictor.model.parameters()))


def parameter_bytes(parameters: Sequence[nn.Parameter]) -> int:
    """Return the size of parameters on disk."""
    return sum(parameter.numel() * parameter.element_size() for parameter in parameters)
