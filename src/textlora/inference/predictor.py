"""A tuned classifier ready to answer: text in, probabilities out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from textlora.config import ComputeConfig
from textlora.data.cleaning import strip_html
from textlora.data.tokenizing import TokenizedTexts, tokenize
from textlora.errors import ModelError, RunError
from textlora.inference.scoring import Logits, Progress
from textlora.inference.windows import score_texts
from textlora.model.adapters import load_adapter
from textlora.model.backbones import resize_embeddings
from textlora.model.choose import choose_forward
from textlora.model.forward import Forward
from textlora.model.heads import load_base_classifier, probabilities
from textlora.model.spec import FILE_NAME, ClassifierSpec
from textlora.recipes import load_recipe
from textlora.run import RunFolder

Probabilities = np.ndarray[Any, np.dtype[np.float32]]


@dataclass(frozen=True)
class Prediction:
    """One answer.

    Args:
        label: the most probable class; for multi-label data every class above one half.
        probability: of that class; for multi-label data of the least sure of them.
        probabilities: of every class, by name.
    """

    label: str | list[str]
    probability: float
    probabilities: dict[str, float]


@dataclass(frozen=True)
class Predictor:
    """A classifier with its tokenizer.

    Args:
        model: the classifier.
        tokenizer: its tokenizer.
        spec: head, labels and text preparation.
        forward: how batches are run.
    """

    model: nn.Module
    tokenizer: PreTrainedTokenizerBase
    spec: ClassifierSpec
    forward: Forward

    @classmethod
    def load(cls, path: str | Path, compute: ComputeConfig | None = None) -> Predictor:
        """Load a finished run, or an adapter folder.

        Args:
            path: its folder.
            compute: how the arithmetic is done; None: as the run was trained; for an adapter
                folder alone as fast as the machine allows.

        Raises:
            RunError: the run is missing or did not finish.
            ModelError: the adapter is damaged, or its base cannot be loaded.
        """
        folder = adapter_folder(Path(path))
        spec = ClassifierSpec.load(folder)
        tokenizer = _load_tokenizer(folder)
        base = load_base_classifier(spec.backbone, spec.head, list(spec.label_names))
        encoder: Any = getattr(base.model, "encoder", base.model)
        resize_embeddings(encoder, tokenizer)
        model = load_adapter(base, folder).eval()
        if torch.cuda.is_available():
            model = model.to("cuda")
        choice = choose_forward(
            model, spec.head, int(tokenizer.pad_token_id), compute or _trained_with(Path(path))
        )
        return cls(model, tokenizer, spec, choice.forward)

    def sequences(self, texts: Sequence[str]) -> TokenizedTexts:
        """Return the token ids of texts, prepared as in training; a text may be many windows."""
        if self.spec.strip_html:
            texts = [strip_html(text) for text in texts]
        return tokenize(list(texts), self.tokenizer, cut=self.spec.cut, cache_dir=None)

    def logits(self, sequences: TokenizedTexts, progress: Progress | None = None) -> Logits:
        """Return the logits [texts, units]; windows are pooled by text."""
        return score_texts(
            self.model,
            self.forward,
            sequences,
            sequences.text_offsets,
            head=self.spec.head,
            pooling=self.spec.window_pooling,
            progress=progress,
        )

    def predict_proba(
        self, texts: Sequence[str], progress: Progress | None = None
    ) -> Probabilities:
        """Return the probabilities [texts, classes]."""
        if not texts:
            return np.empty((0, len(self.spec.label_names)), dtype=np.float32)
        logits = self.logits(self.sequences(texts), progress)
        answers: Probabilities = probabilities(torch.from_numpy(logits), self.spec.head).numpy()
        return answers

    def predict(self, texts: Sequence[str]) -> list[Prediction]:
        """Return an answer for every text."""
        return [self.answer(row) for row in self.predict_proba(texts)]

    def answer(self, row: Probabilities) -> Prediction:
        """Turn the probabilities [classes] of one text into an answer."""
        names = self.spec.label_names
        by_name = {name: float(value) for name, value in zip(names, row, strict=True)}
        if not self.spec.head.multi_label:
            best = int(row.argmax())
            return Prediction(names[best], float(row[best]), by_name)
        chosen = [name for name, value in by_name.items() if value >= 0.5]
        sure = min((by_name[name] for name in chosen), default=1.0 - float(row.max()))
        return Prediction(chosen, sure, by_name)


def _trained_with(path: Path) -> ComputeConfig:
    config = RunFolder(path).config
    return load_recipe(str(config)).config().compute if config.is_file() else ComputeConfig()


def adapter_folder(path: Path) -> Path:
    """Return the adapter of a finished run, or the folder itself where it is an adapter.

    Raises:
        RunError: it is neither.
    """
    if (path / FILE_NAME).is_file():
        return path
    run = RunFolder(path)
    run.require_finished()
    if not run.adapter.is_dir():
        raise RunError(f"{path}: the run has no adapter folder.", "Train it again.")
    return run.adapter


def _load_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    try:
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(folder)
    except (OSError, ValueError) as error:
        raise ModelError(
            f"{folder}: the tokenizer cannot be loaded.",
            "Give a complete adapter folder, with tokenizer.json.",
        ) from error
    return tokenizer
