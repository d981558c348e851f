"""Which sections the report has, and in which order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from textlora.evaluation.report import ReportData


@dataclass(frozen=True)
class Section:
    """A section of the report.

    Args:
        id: its anchor, and the name of its template in `templates/sections`.
        title: its heading.
        link: its name in the table of contents.
    """

    id: str
    title: str
    link: str


def outline(data: ReportData) -> list[Section]:
    """Return the sections that there is something to show in, the most important first."""
    plots = data.plots
    first = ("Verdict", "Verdict") if data.verdict is not None else ("Result", "Result")
    confusions = "Missed labels" if data.lead.multi_label else "Confusions"
    sure = (data.calibration, data.decision_figures)
    present = [
        (Section("result", *first), True),
        (Section("figures", "Figures", "Figures"), True),
        (
            Section("training", "Training and curves", "Training"),
            data.history or "learning_curves" in plots or "roc_and_precision_recall" in plots,
        ),
        (
            Section("confidence", "How sure the answers are", "Confidence"),
            any(entry is not None for entry in sure),
        ),
        (Section("lengths", "Short and long texts", "Lengths"), data.length_buckets),
        (
            Section("sentences", "Sentences before and after training", "Sentences"),
            data.before_after,
        ),
        (Section("confusions", confusions, confusions), True),
        (Section("errors", "Worst errors", "Errors"), data.errors or data.worst_errors),
        (
            Section("data", "Data", "Data"),
            data.parts
            or data.findings is not None
            or data.length_losses
            or "length_histogram" in plots,
        ),
        (Section("settings", "Settings", "Settings"), data.settings),
        (Section("environment", "Environment", "Environment"), data.environment),
    ]
    return [section for section, shown in present if shown]
