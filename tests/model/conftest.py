"""What the tests of the model package share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="session")
def make_base(tiny: Callable[[str], Path]) -> Callable[..., Any]:
    """Return a function from an architecture to a seeded base classifier with a fresh head."""
    import torch

    from textlora.model.encoders import Backbone
    from textlora.model.heads import HeadSpec, load_base_classifier

    def _make(architecture: str = "distilbert", head: Any = None, seed: int = 1) -> Any:
        torch.manual_seed(seed)
        backbone = Backbone(str(tiny(architecture)))
        spec = head or HeadSpec("auto", "cls", "cross_entropy", 2)
        return load_base_classifier(backbone, spec, [str(n) for n in range(spec.num_labels)])

    return _make


@pytest.fixture(scope="session")
def batch() -> dict[str, Any]:
    """Two sequences of different lengths, for every tiny vocabulary."""
    import torch

    mask = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])
    ids = torch.tensor([[2, 8, 9, 14, 3], [2, 10, 3, 0, 0]])
    return {"input_ids": ids, "attention_mask": mask}


def logits_of(model: Any, batch: dict[str, Any]) -> Any:
    """Logits without dropout."""
    import torch

    with torch.inference_mode():
        return model.eval()(**batch).logits


def disturb(model: Any, scale: float = 0.3) -> None:
    """Move every trained weight, as training would."""
    import torch

    torch.manual_seed(5)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.requires_grad:
                weight.add_(torch.randn_like(weight) * scale)
