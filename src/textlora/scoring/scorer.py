"""What answers the texts of a chunk, a loaded run; and the columns that its answers become."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textlora.errors import DataError
from textlora.scoring.shards import checksum

if TYPE_CHECKING:
    from textlora.config import ComputeConfig
    from textlora.inference.predictor import Prediction

Progress = Callable[[int], None]

# As in a run's predictions.csv.
_DIGITS = 6


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


@dataclass(frozen=True)
class AddedColumns:
    """Names of the added columns, and what goes into them.

    Args:
        classes: the classes' names.
        multi_label: whether a text may have several.
        prefix: what their names start with.
    """

    classes: tuple[str, ...]
    multi_label: bool
    prefix: str = ""

    @cached_property
    def label(self) -> str:
        """Name of the column with the answer."""
        return f"{self.prefix}label"

    @cached_property
    def probabilities(self) -> tuple[str, ...]:
        """Names of the columns with the probabilities, in the order of the classes."""
        return tuple(f"{self.prefix}probability_{name}" for name in self.classes)

    @cached_property
    def error(self) -> str:
        """Name of the column that says why a row has no answer."""
        return f"{self.prefix}error"

    @cached_property
    def names(self) -> tuple[str, ...]:
        """All names, in their order."""
        return (self.label, *self.probabilities, self.error)

    @cached_property
    def types(self) -> dict[str, type]:
        """The types of their cells: a string, a number, a list of strings."""
        label = list if self.multi_label else str
        return {self.label: label, **dict.fromkeys(self.probabilities, float), self.error: str}

    def refuse_clash(self, columns: Sequence[str], source: str) -> None:
        """Refuse an input that has one of these columns already.

        Raises:
            DataError: it has.
        """
        taken = [name for name in self.names if name in columns]
        if taken:
            raise DataError(
                f"the column '{taken[0]}' is there already, and scoring adds one of that name.",
                source=source,
                remedy="Give the added columns a prefix, such as --prefix scored_.",
            )

    def values(self, prediction: Prediction | None, error: str | None) -> dict[str, Any]:
        """Return the cells of a row: strings, numbers, None; multi-label: a list of names."""
        if prediction is None:
            return {**dict.fromkeys(self.names), self.error: error}
        label: Any = prediction.label
        if prediction.unsure:
            label = [prediction.shown] if self.multi_label else prediction.shown
        shares = (round(prediction.probabilities[name], _DIGITS) for name in self.classes)
        named = dict(zip(self.probabilities, shares, strict=True))
        return {self.label: label, **named, self.error: error}


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
