"""What answers the texts of a chunk: a loaded run, as values and one function."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textlora.scoring.shards import checksum

if TYPE_CHECKING:
    from textlora.config import ComputeConfig
    from textlora.inference.predictor import Prediction

Progress = Callable[[int], None]


@dataclass(frozen=True)
class Answers:
    """The answers to some texts.

    Args:
        predictions: one a text.
        truncated: how many of the texts were too long to be read as a whole.
    """

    predictions: Sequence[Prediction]
    truncated: int


@dataclass(frozen=True)
class Scorer:
    """A classifier as scoring needs it.

    Args:
        classes: the classes' names.
        multi_label: whether a text may have several.
        strip_html: whether it takes HTML away, so that a text of nothing else is blank.
        identity: what the answers follow from; a scoring goes on only with the same.
        answer: answers texts, and tells how many are done as it goes. What it gives must follow
            from the texts alone.
    """

    classes: tuple[str, ...]
    multi_label: bool
    strip_html: bool
    identity: Mapping[str, Any]
    answer: Callable[[Sequence[str], Progress], Answers]


def load_scorer(
    run: Path, compute: ComputeConfig | None = None, min_confidence: float | None = None
) -> Scorer:
    """Load a run for scoring.

    Args:
        run: run folder, or adapter folder.
        compute: how the arithmetic is done; None: as the run was trained.
        min_confidence: answers less sure are "unsure"; None: as the run has it.

    Raises:
        RunError: the run is missing or did not finish.
        ModelError: the adapter is damaged, or its base cannot be loaded.
    """
    import torch

    from textlora.inference.predictor import Predictor, adapter_folder, answers, trained_with

    predictor = Predictor.load(run, compute).with_min_confidence(min_confidence)
    spec = predictor.spec

    def answer(texts: Sequence[str], progress: Progress) -> Answers:
        sequences = predictor.sequences(texts)
        rows = predictor.probabilities_of(predictor.logits(sequences, progress))
        return Answers(answers(rows, spec), int(sequences.truncated.sum()))

    settings = {
        "decision": asdict(spec.decision),
        "compute": (compute or trained_with(run)).model_dump(mode="json"),
        "path": predictor.forward.name,
        "device": "cuda" if torch.cuda.is_available() else "cpu",
    }
    versions = {name: version(name) for name in ("textlora", "torch", "transformers", "peft")}
    adapter = _checksums(adapter_folder(run))
    identity = {"adapter": adapter, "settings of the run": settings, "versions": versions}
    return Scorer(spec.label_names, spec.head.multi_label, spec.strip_html, identity, answer)


def _checksums(folder: Path) -> str:
    """Return one SHA-256 of all files in an adapter folder."""
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    lines = [f"{file.relative_to(folder)} {checksum(file)}\n" for file in files]
    return hashlib.sha256("".join(lines).encode()).hexdigest()
