"""The report: one HTML page that needs no network and no script."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textlora.evaluation import decision_wording, glossary, report_scales, wording
from textlora.evaluation import report_view as view
from textlora.evaluation.attributions import words_css
from textlora.evaluation.calibration import Calibration
from textlora.evaluation.coverage import DecisionFigures
from textlora.evaluation.decisions import Decision
from textlora.evaluation.judging import Metric
from textlora.evaluation.leakage import Leakage
from textlora.evaluation.length_buckets import LengthBucket
from textlora.evaluation.metrics import ClassificationMetrics
from textlora.evaluation.passages import passage
from textlora.evaluation.plot_wording import plot_description, truncation_in_words
from textlora.evaluation.records import (
    BeforeAfter,
    DataFinding,
    EpochRecord,
    ErrorExample,
    LengthLoss,
    PartSummary,
)
from textlora.evaluation.report_outline import outline
from textlora.evaluation.svg import inline_svg, page_rules
from textlora.evaluation.theme import DARK_MEDIA, FONT_STACK, css_variables
from textlora.evaluation.verdict import Verdict

if TYPE_CHECKING:
    from jinja2 import Environment

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
    findings: Sequence[DataFinding] | None = None
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
        scales=report_scales,
        wording=wording,
        rules=decision_wording,
        glossary=glossary,
        truncation_in_words=truncation_in_words,
        light=css_variables("light"),
        dark=css_variables("dark"),
        dark_media=DARK_MEDIA,
        font_stack=FONT_STACK,
        plot_rules=page_rules(),
        word_rules=words_css(),
    )
    return environment
