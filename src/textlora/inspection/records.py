"""What an inspection found, as values that JSON can hold."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from pydantic import TypeAdapter

Severity = Literal["error", "warning", "note"]
"""error: training refuses it, or its figures mean little; warning: worth mending; note: to know."""

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
class Example:
    """A row that shows a finding.

    Args:
        part: the part it is in.
        source: the file, folder or dataset as the user named it.
        line: line of a text file, row of a table, or index of a list.
        text: the start of the text.
        note: what is special about the row, such as where its copy is.
    """

    part: str
    source: str
    line: int
    text: str
    note: str = ""


@dataclass(frozen=True)
class Finding:
    """One thing about the data that a person should know.

    Args:
        kind: what it is about, one of `KINDS`.
        severity: how much it matters.
        count: rows (or labels, or classes) that it concerns.
        message: what it is, as a sentence.
        remedy: what to do about it.
        examples: a few of the rows.
    """

    kind: str
    severity: Severity
    count: int
    message: str
    remedy: str = ""
    examples: tuple[Example, ...] = ()


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
class Loss:
    """What is cut off at a length.

    Args:
        max_length: tokens that a text may have.
        rows: texts that are longer.
        row_share: these as a share of all texts.
        token_share: tokens cut off as a share of all tokens.
    """

    max_length: int
    rows: int
    row_share: float
    token_share: float


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
    losses: tuple[Loss, ...]

    @property
    def chosen(self) -> Loss:
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
class Inspection:
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
        return {"format": FORMAT, **asdict(self)}

    @classmethod
    def from_dict(cls, saved: dict[str, Any]) -> Inspection:
        """Return the inspection that `to_dict` described.

        Raises:
            ValueError: the values describe none.
        """
        return TypeAdapter(cls).validate_python(saved)
