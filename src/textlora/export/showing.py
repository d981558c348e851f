"""An export in the terminal: the proof as a table, and what one should know about it."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group
from rich.table import Table
from rich.text import Text

from textlora.export.exporting import Exported
from textlora.export.proof import Proof
from textlora.export.tokenizer import own_cut
from textlora.model.spec import ClassifierSpec
from textlora.report.wording import count, percent, points, points_interval, size


def export_table(exported: Exported) -> Group:
    """Return run and export side by side, on the texts of the proof."""
    proof = exported.proof
    texts = f"{count(proof.texts)} {proof.part} texts"
    table = Table(title=f"The same {texts}", title_justify="left", header_style="dim")
    table.add_column("")
    for name in ("run (fp32)", exported.target):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_row("Accuracy", percent(proof.reference_accuracy), percent(proof.accuracy))
    table.add_row("Answers that differ", "", f"{count(proof.different_answers)} of {proof.texts:,}")
    table.add_row("Largest difference of a probability", "", f"{proof.largest_difference:.2g}")
    table.add_row("Weights", size(proof.reference_size_bytes), size(proof.size_bytes))
    speeds = (proof.reference_milliseconds, proof.milliseconds)
    threads = f"{proof.threads} thread{'s' if proof.threads > 1 else ''}"
    table.add_row(f"One text, median, {threads}", *(f"{value:.1f} ms" for value in speeds))
    return Group(table, Text(drop_in_words(proof)))


def drop_in_words(proof: Proof) -> str:
    """Return what the export costs in accuracy, and what the proof asked for."""
    if proof.tolerance is not None:
        return f"Proven: no probability is off by more than {proof.tolerance:g}."
    lost = f"Accuracy drop {points(proof.drop)} points ({points_interval(proof.drop_interval)})"
    return f"{lost}. 8-bit weights are allowed to answer otherwise: judge by these figures."


def notes(exported: Exported, spec: ClassifierSpec) -> Iterator[str]:
    """Yield what a reader of the folder has to do himself.

    Args:
        exported: the export.
        spec: of the run.
    """
    if exported.target == "merged" and not exported.plain:
        yield (
            f"Transformers has no class for the {spec.head.kind} head on the {spec.head.pooling} "
            "state of this encoder: the folder is the encoder, with the head beside it. The lines "
            "that load it are in docs/export.md."
        )
    if spec.strip_html:
        yield "The run removes HTML from texts: do so before you hand them to the export."
    if not own_cut(spec):
        yield (
            f"The run's long texts are {spec.cut_in_words}. The exported tokenizer truncates on "
            "the right instead; the proof cut them as the run does."
        )
    if spec.decision.thresholds or spec.decision.costs or spec.decision.min_confidence:
        yield "The run answers by a rule, not by the highest probability: it is in textlora.json."
