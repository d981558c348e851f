"""A tuned classifier ready to answer: text to logits, temperature, rule, prediction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from textlora.config import ComputeConfig
from textlora.data.rows import readable_texts
from textlora.data.tokenizing import TokenizedTexts, tokenize
from textlora.errors import ModelError, RunError
from textlora.files import RunFolder
from textlora.inference.logits import Logits, Progress, score_texts
from textlora.metrics.decisions import Decision, label_text
from textlora.model.adapters import load_adapter
from textlora.model.architectures import max_positions
from textlora.model.backends import Forward, choose_forward
from textlora.model.encoders import resize_embeddings
from textlora.model.heads import load_base_classifier, probabilities
from textlora.model.safety import check_adapter_folder, check_tokenizer
from textlora.model.spec import FILE_NAME, ClassifierSpec
from textlora.recipes import saved_config

Probabilities = np.ndarray[Any, np.dtype[np.float32]]
UNSURE = "unsure"


@dataclass(frozen=True)
class Prediction:
    """One answer.

    Args:
        label: the class, for multi-label data the classes, that the rule gives: without a rule
            the most probable class, or every class with at least one half. None: unsure.
        probability: how probable it is that this is right: the class's own; for multi-label data
            that of the least sure class, given or not. If unsure, of the answer withheld.
        probabilities: of every class, by name.
        unsure: whether the answer is withheld, because it is less sure than it has to be.
    """

    label: str | list[str] | None
    probability: float
    probabilities: dict[str, float]
    unsure: bool = False

    @property
    def shown(self) -> str:
        """The answer in words."""
        if self.label is None:
            return UNSURE
        return label_text(self.label)


def probabilities_of(logits: Logits, spec: ClassifierSpec) -> Probabilities:
    """Turn raw logits [texts, units] into probabilities [texts, classes], by temperature."""
    answers: Probabilities = probabilities(
        torch.from_numpy(logits), spec.head, spec.temperature
    ).numpy()
    return answers


def answers(rows: Probabilities, spec: ClassifierSpec) -> list[Prediction]:
    """Turn the probabilities [texts, classes] into answers."""
    if not len(rows):
        return []
    rule, multi_label = spec.decision, spec.head.multi_label
    chosen = rule.labels(rows, multi_label)
    confidences = rule.confidences(rows, multi_label)
    return [
        _answer(row, float(confidence), label, spec)
        for row, confidence, label in zip(rows, confidences, chosen, strict=True)
    ]


def answer(row: Probabilities, spec: ClassifierSpec) -> Prediction:
    """Turn the probabilities [classes] of one text into an answer."""
    return answers(row[None], spec)[0]


def _answer(
    row: Probabilities, probability: float, chosen: Any, spec: ClassifierSpec
) -> Prediction:
    names, least = spec.label_names, spec.decision.min_confidence
    by_name = {name: float(value) for name, value in zip(names, row, strict=True)}
    if least is not None and probability < least:
        return Prediction(None, probability, by_name, unsure=True)
    if not spec.head.multi_label:
        return Prediction(names[int(chosen)], probability, by_name)
    given = [name for name, is_set in zip(names, chosen, strict=True) if is_set]
    return Prediction(given, probability, by_name)


__all__ = [
    "Prediction",
    "Predictor",
    "Probabilities",
    "adapter_folder",
    "load_tokenizer",
    "trained_with",
]


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
        tokenizer = load_tokenizer(folder)
        base = load_base_classifier(spec.backbone, spec.head, list(spec.label_names))
        spec.require_positions(max_positions(base.encoder.config))
        resize_embeddings(base.encoder, tokenizer)
        model = load_adapter(base, folder).eval()
        if torch.cuda.is_available():
            model = model.to("cuda")
        choice = choose_forward(
            model, spec.head, int(tokenizer.pad_token_id), compute or trained_with(Path(path))
        )
        return cls(model, tokenizer, spec, choice.forward)

    def cleaned(self, texts: Sequence[str]) -> list[str]:
        """Return texts as the model reads them: without HTML, if the run strips it.

        Raises:
            DataError: one has nothing in it.
        """
        return readable_texts(texts, self.spec.strip_html)

    def sequences(self, texts: Sequence[str]) -> TokenizedTexts:
        """Return the token ids of texts, prepared as in training; a text may be many windows.

        Raises:
            DataError: a text has nothing in it.
        """
        cleaned = self.cleaned(texts)
        return tokenize(cleaned, self.tokenizer, cut=self.spec.cut, cache_dir=None)

    def logits(self, sequences: TokenizedTexts, progress: Progress | None = None) -> Logits:
        """Return the raw logits [texts, units], as PEFT gives them; windows are pooled by text."""
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
        """Return the probabilities [texts, classes], calibrated if the run was."""
        if not texts:
            return np.empty((0, len(self.spec.label_names)), dtype=np.float32)
        return self.probabilities_of(self.logits(self.sequences(texts), progress))

    def probabilities_of(self, logits: Logits) -> Probabilities:
        """Turn raw logits [texts, units] into probabilities [texts, classes], by temperature."""
        return probabilities_of(logits, self.spec)

    def predict(self, texts: Sequence[str]) -> list[Prediction]:
        """Return an answer for every text."""
        return [self.answer(row) for row in self.predict_proba(texts)]

    def answer(self, row: Probabilities) -> Prediction:
        """Turn the probabilities [classes] of one text into an answer."""
        return answer(row, self.spec)

    def with_temperature(self, temperature: float) -> Predictor:
        """Return the same with probabilities by another temperature."""
        return replace(self, spec=replace(self.spec, temperature=temperature))

    def with_decision(self, decision: Decision) -> Predictor:
        """Return the same with another rule."""
        return replace(self, spec=replace(self.spec, decision=decision))

    def with_min_confidence(self, min_confidence: float | None) -> Predictor:
        """Return the same, unsure below another confidence; None leaves it as it is."""
        if min_confidence is None:
            return self
        return self.with_decision(replace(self.spec.decision, min_confidence=min_confidence))


def trained_with(path: Path) -> ComputeConfig:
    """Return the arithmetic of a run's training; for an adapter folder alone the default."""
    return saved_config(RunFolder(path).config).compute


def adapter_folder(path: Path) -> Path:
    """Return the adapter of a finished run, or the folder itself where it is an adapter.

    Raises:
        RunError: it is neither.
        ModelError: there is something in it that no adapter may have.
    """
    if (path / FILE_NAME).is_file():
        check_adapter_folder(path)
        return path
    run = RunFolder(path)
    run.require_finished()
    if not run.adapter.is_dir():
        raise RunError(f"{path}: the run has no adapter folder.", "Train it again.")
    if not run.adapter.resolve().is_relative_to(path.resolve()):
        raise ModelError(
            f"{run.adapter}: this link leads out of the run.",
            "Name the folder itself that it leads to, if you trust it.",
        )
    check_adapter_folder(run.adapter)
    return run.adapter


def load_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """Return the tokenizer of an adapter folder.

    Raises:
        ModelError: it is missing or damaged, or asks for code to be run.
    """
    check_tokenizer(folder)
    try:
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            folder, trust_remote_code=False, local_files_only=True
        )
    except Exception as error:  # the tokenizers library raises no kind of its own
        raise ModelError(
            f"{folder}: the tokenizer cannot be loaded.",
            "Give a complete adapter folder, with tokenizer.json.",
        ) from error
    return tokenizer
