"""Plots of how far probabilities can be trusted: reliability, and accuracy by coverage."""

from __future__ import annotations

from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from textlora.evaluation.calibration import PartCalibration, ProbabilityFigures
from textlora.evaluation.coverage import DecisionFigures
from textlora.evaluation.plot_style import ACCENT, MUTED, WIDTH, WRONG, legend, styled
from textlora.evaluation.wording import percent


def reliability_diagram(calibration: PartCalibration) -> Figure:
    """Draw the accuracy of answers by their confidence, before and after the temperature.

    On the diagonal, answers that claim 80 % are right in 80 % of the cases; below it they claim
    too much. Larger points stand for more answers.
    """
    with styled():
        figure = Figure(figsize=(WIDTH, WIDTH))
        axes = figure.subplots()
        axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=":")
        series = (
            ("Before", calibration.before, WRONG, "s"),
            ("After", calibration.after, ACCENT, "o"),
        )
        for name, figures, colour, marker in series:
            label = f"{name} (ECE {percent(figures.ece)})"
            confidence = [entry.confidence for entry in figures.bins]
            accuracy = [entry.accuracy for entry in figures.bins]
            axes.plot(
                confidence,
                accuracy,
                color=colour,
                linewidth=1.4,
                marker=marker,
                markersize=3,
                label=label,
            )
            axes.scatter(
                confidence, accuracy, _areas(figures), color=colour, marker=marker, alpha=0.45
            )
        lowest = min(entry.confidence for _, figures, *_ in series for entry in figures.bins)
        axes.set(xlim=(min(lowest, 0.5) - 0.02, 1.02), ylim=(-0.02, 1.04), aspect="auto")
        axes.set(xlabel="Confidence", ylabel="Accuracy")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
        legend(axes, loc="lower right")
        return figure


def coverage_accuracy(decisions: DecisionFigures) -> Figure:
    """Draw how accurate the surest answers are, from few of them to all."""
    curve, chosen = decisions.curve, decisions.selective
    with styled():
        figure = Figure(figsize=(WIDTH, 3.6))
        axes = figure.subplots()
        axes.plot(curve.coverage, curve.accuracy, color=ACCENT)
        if chosen is not None and chosen.accuracy is not None:
            axes.axvline(chosen.coverage, color=MUTED, linewidth=1, linestyle=":")
            least = percent(chosen.min_confidence)
            axes.plot(
                [chosen.coverage],
                [chosen.accuracy],
                "o",
                color=WRONG,
                label=f"Confidence from {least}",
            )
            legend(axes)
        axes.set(xlabel="Texts answered, the surest first", ylabel="Accuracy", xlim=(0, 1.02))
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(PercentFormatter(1, decimals=None, symbol=" %"))
        axes.margins(y=0.15)
        return figure


def _areas(figures: ProbabilityFigures) -> list[float]:
    most = max(entry.rows for entry in figures.bins)
    return [12 + 140 * entry.rows / most for entry in figures.bins]
