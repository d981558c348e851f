"""The tokenizer beside an exported model: it truncates and pads as the model was trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerBase

from textlora.data.cutting import Truncation
from textlora.model.spec import ClassifierSpec

TOKENIZER_FILE = "tokenizer.json"


def save_tokenizer(tokenizer: PreTrainedTokenizerBase, spec: ClassifierSpec, folder: Path) -> None:
    """Write the tokenizer for Transformers, with the run's length and side as its own."""
    tokenizer.model_max_length = spec.max_length
    tokenizer.truncation_side = _side(spec)
    tokenizer.save_pretrained(folder)


def save_ready_tokenizer(
    tokenizer: PreTrainedTokenizerBase, spec: ClassifierSpec, folder: Path
) -> None:
    """Write a single `tokenizer.json` that truncates and pads by itself."""
    from textlora.data.tokenizing import own_backend

    backend = own_backend(tokenizer)
    backend.enable_truncation(spec.max_length, direction=_side(spec))
    backend.enable_padding(
        pad_id=int(tokenizer.pad_token_id),  # type: ignore[arg-type]
        pad_token=str(tokenizer.pad_token),
    )
    backend.save(str(folder / TOKENIZER_FILE))


def own_cut(spec: ClassifierSpec) -> bool:
    """Return whether a tokenizer alone can cut long texts as the run does."""
    return isinstance(spec.cut, Truncation) and spec.cut.side != "head+tail"


def _side(spec: ClassifierSpec) -> Any:
    # Tokenizers cut at one end: what textlora cuts otherwise, they cut on the right.
    return spec.truncation_side if own_cut(spec) else "right"
