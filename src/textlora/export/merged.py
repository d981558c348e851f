"""A merged classifier as a folder that Transformers reads."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import AutoModel, AutoModelForSequenceClassification, PreTrainedTokenizerBase

from textlora.export.portable import Portable
from textlora.export.proof import Ids, Outputs
from textlora.export.tokenizer import save_tokenizer
from textlora.inference.answers import probabilities_of
from textlora.model.heads import PooledClassifier
from textlora.model.spec import ClassifierSpec

HEAD_FILE = "head.safetensors"
_ENCODER = "encoder."


def write_merged(exported: Portable, tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Write model, tokenizer and description.

    A classifier that Transformers has no class for is its encoder, which `AutoModel` reads, and
    `head.safetensors` with `classifier.*` and, for an mlp head, `pre_classifier.*`.
    """
    model: Any = exported.model
    if isinstance(model, PooledClassifier):
        model.encoder.save_pretrained(folder)
        head = {
            name: weight.contiguous()
            for name, weight in model.state_dict().items()
            if not name.startswith(_ENCODER)
        }
        save_file(head, folder / HEAD_FILE, metadata={"format": "pt"})
    else:
        model.save_pretrained(folder)
    save_tokenizer(tokenizer, exported.spec, folder)
    exported.spec.save(folder)


@dataclass(frozen=True)
class MergedRunner:
    """A merged folder, loaded as its reader would."""

    model: nn.Module
    spec: ClassifierSpec

    @classmethod
    def load(cls, folder: Path) -> MergedRunner:
        """Load a folder that `write_merged` wrote."""
        spec = ClassifierSpec.load(folder)
        known: dict[str, Any] = {"local_files_only": True, "use_safetensors": True}
        if not (folder / HEAD_FILE).is_file():
            own = AutoModelForSequenceClassification.from_pretrained(folder, **known)
            return cls(own.eval(), spec)
        pooled = PooledClassifier(AutoModel.from_pretrained(folder, **known), spec.head)
        rest = pooled.load_state_dict(load_file(folder / HEAD_FILE), strict=False)
        missing = [name for name in rest.missing_keys if not name.startswith(_ENCODER)]
        if missing or rest.unexpected_keys:
            raise ValueError(f"{HEAD_FILE} does not fit: {missing + rest.unexpected_keys}")
        return cls(pooled.eval(), spec)

    @torch.inference_mode()
    def __call__(self, input_ids: Ids, attention_mask: Ids) -> Outputs:
        """Return logits and probabilities [batch, classes] of token ids [batch, length]."""
        tensors = (torch.from_numpy(np.asarray(each)) for each in (input_ids, attention_mask))
        ids, mask = tensors
        logits = self.model(input_ids=ids, attention_mask=mask).logits.float().numpy()
        return Outputs(logits, probabilities_of(logits, self.spec))
