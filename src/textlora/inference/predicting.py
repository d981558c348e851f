"""What `textlora predict` reads and prints, and what the classifier answered before training."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import torch
from torch import nn

from textlora.errors import ConfigError, DataError
from textlora.inference.predictor import Predictor, adapter_folder, load_tokenizer
from textlora.metrics.decisions import Decision
from textlora.model.architectures import BaseClassifier
from textlora.model.backends.plain import PlainForward
from textlora.model.encoders import resize_embeddings
from textlora.model.heads import load_base_classifier
from textlora.model.spec import ClassifierSpec

if TYPE_CHECKING:
    from rich.console import Console

    from textlora.inference.predictor import Prediction


def texts_to_predict(
    texts: Sequence[str] | None, file: str | None, stdin: TextIO, **reading: Any
) -> list[str]:
    """Return the texts from the arguments, a file, or standard input (a text a line).

    Args:
        texts: the arguments.
        file: a table, or a `.txt` file with a text a line.
        stdin: read where neither is given.
        reading: settings of section `data` for a table; None is the default.

    Raises:
        ConfigError: no texts, or more than one source of them.
        DataError: the file cannot be used.
    """
    if texts and file:
        raise ConfigError("Texts and --file were both given.", "Give one of them.")
    if texts:
        return list(texts)
    if file is None:
        if stdin.isatty():
            raise ConfigError(
                "There is nothing to predict.", "Give texts, --file FILE, or pipe lines in."
            )
        return _lines(stdin.read(), "standard input")
    if file.endswith(".txt"):
        return _text_file(Path(file))
    from textlora.config import build_config
    from textlora.data.loading import load_texts

    given = {name: value for name, value in reading.items() if value is not None}
    table = load_texts(file, build_config({"data": given}, origin="--file").data)
    if table.rejected:
        lines = ", ".join(str(row.line) for row in table.rejected[:10])
        more = " …" if len(table.rejected) > 10 else ""
        print(f"{len(table.rejected):,} bad rows left out: {lines}{more}", file=sys.stderr)
    return table.texts


def print_predictions(
    texts: Sequence[str],
    predictions: Sequence[Prediction],
    console: Console,
    *,
    as_json: bool,
) -> None:
    """Print one line a text: label and probability, or JSON with every probability."""
    for text, prediction in zip(texts, predictions, strict=True):
        if as_json:
            line = json.dumps({"text": text, **asdict(prediction)}, ensure_ascii=False)
            console.file.write(line + "\n")
            continue
        shown = f"{prediction.shown}\t{prediction.probability:.1%}"
        console.file.write(f"{shown}\t{' '.join(text.split())}\n")


def _text_file(path: Path) -> list[str]:
    try:
        return _lines(path.read_text(encoding="utf-8"), str(path))
    except UnicodeDecodeError as error:
        raise DataError(
            "the bytes are not UTF-8.", source=path, remedy="Save the file as UTF-8."
        ) from error
    except OSError as error:
        raise DataError(f"{error.strerror}.", source=path, remedy="Check --file.") from None


def _lines(text: str, source: str) -> list[str]:
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        raise DataError("there is no text.", source=source, remedy="Give a text a line.")
    return lines


# As BERT and those after it draw their weights.
_STD = 0.02


def load_untrained(path: Path, seed: int = 0) -> Predictor:
    """Load the classifier that a run, or an adapter folder, started from.

    Its head is drawn anew, so it is no more than of the same kind as the one that training began
    with. Neither temperature nor rule are applied: they were fitted to the trained classifier.

    Args:
        path: the run or adapter folder.
        seed: of the head's weights.

    Raises:
        RunError: the run is missing or did not finish.
        ModelError: the adapter is damaged, or its base cannot be loaded.
    """
    folder = adapter_folder(path)
    spec = ClassifierSpec.load(folder)
    tokenizer = load_tokenizer(folder)
    base = load_base_classifier(spec.backbone, spec.head, list(spec.label_names))
    resize_embeddings(base.encoder, tokenizer)
    _draw_head(base, seed)
    plain = replace(spec, temperature=1.0, decision=Decision())
    forward = PlainForward(int(tokenizer.pad_token_id))
    return Predictor(base.model.eval().requires_grad_(False), tokenizer, plain, forward)


def _draw_head(base: BaseClassifier, seed: int) -> None:
    """Draw every weight matrix of the head, whether or not the checkpoint brought one."""
    generator = torch.Generator().manual_seed(seed)
    for name in base.trained_head:
        for part, weight in base.model.get_submodule(name).named_parameters():
            if weight.ndim > 1:
                nn.init.normal_(weight, std=_STD, generator=generator)
            elif part.endswith("bias"):
                nn.init.zeros_(weight)
