"""The report: one HTML page that needs no network and no script.

`outline` says which sections it has; each is a file in `templates/sections/`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textlora.metrics.calibration import Calibration
from textlora.metrics.classification import ClassificationMetrics
from textlora.metrics.decisions import Decision
from textlora.metrics.mistakes import ErrorExample
from textlora.metrics.records import BeforeAfter, EpochRecord
from textlora.metrics.statistics import Metric
from textlora.metrics.subsets import CoverageCurve, DecisionFigures, Leakage, LengthBucket
from textlora.report import view, wording
from textlora.report.attributions import passage, words_css
from textlora.report.theme import DARK_MEDIA, FONT_STACK, css_variables, inline_svg, page_rules
from textlora.report.verdict import Verdict
from textlora.report.view import (
    Finding,
    LengthLoss,
    PartSummary,
    kept_answers,
)
from textlora.report.wording import count, decimal, epoch_number, percent

if TYPE_CHECKING:
    from jinja2 import Environment


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


TEMPLATE = "report.html.j2"


@dataclass(frozen=True)
class ReportData:
    """Everything that the report shows; what is empty or None is left out of the page.

    Args:
        title: name of the run.
        created: when, as an ISO string.
        model: name of the pretrained encoder.
        metrics: figures by part, at least one; "test" leads, else "validation".
        metric: what the run is judged by; the headline begins with it.
        verdict: the tuned classifier beside the baselines; it comes first.
        leakage: rows of the leading part that are in the training rows, too.
        recipe: name of the recipe that the run started from.
        published: figures that the recipe's source reports, by name.
        trainable_parameters: numbers that the training changed.
        total_parameters: numbers in the whole model.
        history: evaluations during training.
        before_after: sentences, before and after the training.
        calibration: the temperature, and the probabilities before and after it.
        decision: how probabilities become answers.
        decision_figures: what that rule is worth on the leading part, and accuracy by coverage.
        length_buckets: accuracy by the length of the texts, on the leading part.
        errors: texts of the leading part that are answered wrong, the surest first.
        worst_errors: further ones, the least probable label first.
        findings: what is to be known about the data, the worst first; None: nobody looked.
        length_losses: what this and other lengths cut off, the shortest first.
        parts: what the parts of the data hold.
        max_length: tokens that are kept of a text.
        truncated_share: share of the training texts that are longer.
        plots: text of SVG files, by the names in `plots.TITLES`.
        settings: the resolved settings, as YAML.
        environment: versions and machine.
        notes: warnings that belong beside the result.
        unit: what a row is, in the plural ("reviews").
    """

    title: str
    created: str
    model: str
    metrics: Mapping[str, ClassificationMetrics]
    metric: Metric = "accuracy"
    verdict: Verdict | None = None
    leakage: Leakage | None = None
    recipe: str | None = None
    published: Mapping[str, Any] | None = None
    trainable_parameters: int | None = None
    total_parameters: int | None = None
    history: Sequence[EpochRecord] = ()
    before_after: Sequence[BeforeAfter] = ()
    calibration: Calibration | None = None
    decision: Decision | None = None
    decision_figures: DecisionFigures | None = None
    length_buckets: Sequence[LengthBucket] = ()
    errors: Sequence[ErrorExample] = ()
    worst_errors: Sequence[ErrorExample] = ()
    findings: Sequence[Finding] | None = None
    length_losses: Sequence[LengthLoss] = ()
    parts: Sequence[PartSummary] = ()
    max_length: int | None = None
    truncated_share: float | None = None
    plots: Mapping[str, str] = field(default_factory=dict)
    settings: str = ""
    environment: Mapping[str, Any] = field(default_factory=dict)
    notes: Sequence[str] = ()
    unit: str = "texts"

    def __post_init__(self) -> None:
        if not self.metrics:
            raise ValueError("a report needs the figures of at least one part")

    @property
    def lead_part(self) -> str:
        """The part that the headline is about."""
        return next(part for part in ("test", "validation", *self.metrics) if part in self.metrics)

    @property
    def lead(self) -> ClassificationMetrics:
        """The figures that the headline is about."""
        return self.metrics[self.lead_part]


def render_report(data: ReportData) -> str:
    """Return the report as one HTML page.

    Args:
        data: what to show. All texts in it are escaped; the plots are SVG and go
            in as they are, with ids of their own.

    Returns:
        The page: no script, no reference to anything outside it.
    """
    return (
        _environment()
        .get_template(TEMPLATE)
        .render(
            data=data,
            lead=data.lead,
            part=data.lead_part,
            sections=outline(data),
            plots=_inlined_plots(data),
        )
    )


def _inlined_plots(data: ReportData) -> dict[str, Any]:
    plots = {}
    for number, (name, svg) in enumerate(data.plots.items(), start=1):
        description = plot_description(name, data)
        plots[name] = {
            "svg": inline_svg(svg, f"plot{number}", description),
            "description": description,
        }
    return plots


def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=view.printable,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        percent=wording.percent,
        shown_before=wording.shown_before,
        decimal=wording.decimal,
        count=wording.count,
        duration=wording.duration,
        size=wording.size,
        epoch=wording.epoch_number,
        bounds=wording.bounds,
        excerpt=view.excerpt,
        unbroken=view.unbroken,
        passage=passage,
        moment=view.moment,
    )
    environment.globals.update(
        view=view,
        wording=wording,
        truncation_in_words=truncation_in_words,
        light=css_variables("light"),
        dark=css_variables("dark"),
        dark_media=DARK_MEDIA,
        font_stack=FONT_STACK,
        plot_rules=page_rules(),
        word_rules=words_css(),
    )
    return environment


def plot_description(name: str, data: ReportData) -> str:
    """Say what a plot shows.

    Args:
        name: the plot's name, one of `plots.TITLES`.
        data: what the report is about.
    """
    metrics = data.lead
    if name == "learning_curves" and data.history:
        return _history(data.history)
    if name == "confusion_matrix" and metrics.confusion_matrix is not None:
        return f"Rows: the label; columns: the answer. {_recalls(metrics)}"
    if name == "roc_and_precision_recall":
        area = "" if metrics.roc_auc is None else f" Area under ROC {decimal(metrics.roc_auc)}."
        return (
            f"What could be had at other thresholds, for {_curves_of(metrics)}: the nearer to the "
            f"corner, the better.{area}"
        )
    if name == "length_histogram":
        cut = truncation_in_words(data.max_length, data.truncated_share)
        return f"Training texts by their number of tokens. {cut}".strip()
    if name == "reliability_diagram" and data.calibration is not None:
        return _reliability(data.calibration)
    if name == "coverage_accuracy" and data.decision_figures is not None:
        return _coverage(data.decision_figures.curve)
    return f"{name.replace('_', ' ').capitalize()}."


def truncation_in_words(max_length: int | None, truncated_share: float | None) -> str:
    """Say how many texts are cut; nothing where that is not known."""
    if max_length is None or truncated_share is None:
        return ""
    return (
        f"{percent(truncated_share)} are longer than {count(max_length)} tokens; "
        "the model does not see the rest of these."
    )


def _history(history: Sequence[EpochRecord]) -> str:
    first, last = history[0], history[-1]
    kept = next((record for record in history if record.best), None)
    words = f"Validation accuracy went from {percent(first.accuracy)} to {percent(last.accuracy)}"
    if first.validation_loss is not None and last.validation_loss is not None:
        words += f", loss from {decimal(first.validation_loss)} to {decimal(last.validation_loss)}"
    return f"{words}." + (f" Epoch {epoch_number(kept.epoch)} was kept." if kept else "")


def _recalls(metrics: ClassificationMetrics) -> str:
    matrix = metrics.confusion_matrix or ()
    if len(matrix) > 4:
        return f"{count(metrics.correct)} of {count(metrics.rows)} are on its diagonal."
    return " ".join(
        f"Of {count(sum(row))} {name}, {count(row[number])} are right."
        for number, (name, row) in enumerate(zip(metrics.labels, matrix, strict=True))
    )


def _curves_of(metrics: ClassificationMetrics) -> str:
    if metrics.multi_label:
        return "the labels"
    if len(metrics.labels) == 2:
        return f"the class {metrics.labels[1]}"
    return "each class against the rest"


def _reliability(calibration: Calibration) -> str:
    """Take the fullest bin as an example."""
    fullest = max(calibration.lead.after.bins, key=lambda entry: entry.rows)
    return (
        "On the dotted line answers are right as often as they claim; below it they claim too "
        f"much. After the temperature, {count(fullest.rows)} answers claim {percent(fullest.low)} "
        f"to {percent(fullest.high)}, and {percent(fullest.accuracy)} of these are right."
    )


def _coverage(curve: CoverageCurve) -> str:
    everything, *_, surest = kept_answers(curve) * 2
    return (
        "How many are right if only the surest answers are used: "
        f"{percent(surest.accuracy)} of the surest {percent(surest.coverage)}, "
        f"{percent(everything.accuracy)} of all."
    )
