"""What an inspection returns, and what its findings can be about: a new check begins here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from textlora.metrics.records import Record
from textlora.report.view import Finding, LengthLoss, Severity

SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
KINDS = (
    *("labels", "wrong_column", "joined_labels", "one_class", "label_spelling", "unknown_class"),
    *("leakage", "near_leakage", "conflicts", "cut_off", "bad_rows", "empty"),
    *("duplicates", "near_duplicates", "small_class", "missing_class", "imbalance"),
    *("truncation", "html", "short"),
)
"""What a finding can be about; of two that are equally severe, the one named first is worse."""

FORMAT = 1


@dataclass(frozen=True)
class ClassRows:
    """A class and how many rows of a part have it."""

    name: str
    rows: int


@dataclass(frozen=True)
class PartSummary:
    """One part of the data.

    Args:
        name: "train", "validation", "test", or the name of a further file.
        source: the file, folder or dataset as the user named it.
        rows: rows that can be used.
        words: words of the middle text.
        classes: the classes and their rows, in the order of the classes.
    """

    name: str
    source: str
    rows: int
    words: int
    classes: tuple[ClassRows, ...]


@dataclass(frozen=True)
class LengthBin:
    """Texts with more tokens than the bin before, and at most `up_to`."""

    up_to: int
    rows: int


@dataclass(frozen=True)
class Lengths:
    """How long the texts are in tokens of the chosen model, special tokens included.

    Args:
        max_length: the length at which this training cuts.
        rows: texts counted, of all parts.
        tokens: tokens of all of them.
        truncated: texts that lose tokens; read in windows, a long text loses none.
        median: tokens of the middle text.
        p95: tokens that 95 of 100 texts do not exceed.
        longest: tokens of the longest text.
        bins: the histogram; the last bin ends at the longest text.
        losses: what this and other lengths cut off, the shortest first.
    """

    max_length: int
    rows: int
    tokens: int
    truncated: int
    median: int
    p95: int
    longest: int
    bins: tuple[LengthBin, ...]
    losses: tuple[LengthLoss, ...]

    @property
    def chosen(self) -> LengthLoss:
        """What the chosen length cuts off."""
        return next(loss for loss in self.losses if loss.max_length == self.max_length)


@dataclass(frozen=True)
class Estimate:
    """What a training will take, measured by a few of its steps.

    Args:
        seconds: the whole training with its start, its evaluations and the last one on all rows,
            without loading the model.
        epoch_seconds: one pass over the training rows, without the evaluation.
        evaluation_seconds: one evaluation on the validation rows, with its figures.
        prepare_seconds: running the frozen layers once; 0 where they run every time.
        epochs: passes over the training rows; early stopping may end sooner.
        tokens_per_second: tokens trained on in a second.
        final_seconds: the figures of the validation and the test rows at the end.
        memory_bytes: the process at its largest, with the longest texts in one step; None where
            the system does not tell.
        gpu_memory_bytes: the same of a GPU's memory; None without one.
        disk_bytes: the run folder at its largest.
        steps: training steps measured.
        path: which way the arithmetic went.
        start_seconds: the logistic regression that the head starts from; 0 without one.
        baseline_seconds: the baselines after the training; 0 without them.
        refit_seconds: training once more on all rows, if every epoch helps; 0 where it is not done.
    """

    seconds: float
    epoch_seconds: float
    evaluation_seconds: float
    prepare_seconds: float
    final_seconds: float
    epochs: float
    tokens_per_second: float
    memory_bytes: int | None
    gpu_memory_bytes: int | None
    disk_bytes: int
    steps: int
    path: str
    start_seconds: float = 0.0
    baseline_seconds: float = 0.0
    refit_seconds: float = 0.0


@dataclass(frozen=True)
class Inspection(Record):
    """Everything that an inspection found.

    Args:
        parts: the parts, in their order.
        findings: the worst first.
        lengths: lengths in tokens; None where no tokenizer was at hand.
        estimate: what training will take; None where nothing was measured.
        left_out: what was not looked at, and why, as sentences.
    """

    parts: tuple[PartSummary, ...]
    findings: tuple[Finding, ...]
    lengths: Lengths | None = None
    estimate: Estimate | None = None
    left_out: tuple[str, ...] = ()

    def of_kind(self, kind: str) -> tuple[Finding, ...]:
        """Return the findings of one kind."""
        return tuple(finding for finding in self.findings if finding.kind == kind)

    @property
    def class_rows(self) -> dict[str, dict[str, int]]:
        """Rows of every class, by part."""
        return {part.name: {one.name: one.rows for one in part.classes} for part in self.parts}

    def to_dict(self) -> dict[str, Any]:
        """Return the inspection as values that JSON can hold."""
        return {"format": FORMAT, **super().to_dict()}
