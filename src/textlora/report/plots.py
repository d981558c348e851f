"""Plots of a run, drawn by Matplotlib (no pyplot, no global state) and saved as SVG."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from textlora.data.tables import shortened
from textlora.files import write_text
from textlora.metrics.calibration import PartCalibration, ProbabilityFigures
from textlora.metrics.classification import ClassificationMetrics
from textlora.metrics.records import EpochRecord
from textlora.metrics.scores import one_hot
from textlora.metrics.subsets import DecisionFigures
from textlora.report.theme import ACCENT, MUTED, SERIES, WIDTH, WRONG, legend, styled, svg_text
from textlora.report.wording import percent


def short(name: str, width: int) -> str:
    """Return a class name that fits, without characters that XML forbids."""
    clean = "".join(" " if unicodedata.category(sign)[0] == "C" else sign for sign in name)
    return shortened(" ".join(clean.split()), width)


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


TWO_PANELS = 6.4
MOST_CELLS_WITH_SHARE, MOST_CELLS_WITH_COUNT = 6, 16

TITLES = {
    "learning_curves": "Learning curves",
    "confusion_matrix": "Confusion matrix",
    "roc_and_precision_recall": "ROC and precision-recall curves",
    "length_histogram": "Lengths of the texts",
    "reliability_diagram": "Confidence and accuracy",
    "coverage_accuracy": "Accuracy of the surest answers",
}


def learning_curves(history: Sequence[EpochRecord]) -> Figure:
    """Draw losses, and below them accuracy and F1, by epoch."""
    with styled():
        figure = Figure(figsize=(WIDTH, TWO_PANELS))
        losses, scores = figure.subplots(2, 1, sharex=True)
        _curve(losses, history, lambda record: record.training_loss, "Training loss", WRONG, "s")
        _curve(losses, history, lambda record: record.validation_loss, "Validation loss", ACCENT)
        _curve(scores, history, lambda record: record.accuracy, "Accuracy", ACCENT)
        _curve(scores, history, lambda record: record.f1, "F1", SERIES[2].light, "s", "--")
        losses.set_title("Loss")
        scores.set_title("Validation accuracy and F1")
        scores.set_xlabel("Epoch")
        scores.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        scores.yaxis.set_major_formatter(PercentFormatter(1, decimals=None, symbol=" %"))
        for axes in (losses, scores):
            for record in history:
                if record.best:
                    axes.axvline(record.epoch, color=MUTED, linewidth=1, linestyle=":", zorder=1)
            axes.margins(x=0.06, y=0.15)
            legend(axes)
        return figure


def confusion_matrix(metrics: ClassificationMetrics) -> Figure:
    """Draw how often each true class was taken for which.

    Raises:
        ValueError: the figures are multi-label ones, which have no such matrix.
    """
    if metrics.confusion_matrix is None:
        raise ValueError("multi-label figures have no confusion matrix")
    counts = np.array(metrics.confusion_matrix)
    classes = len(counts)
    side = float(np.clip(1.9 + 0.42 * classes, 3.6, 11))
    with styled():
        figure = Figure(figsize=(max(WIDTH, side + 0.9), side))
        axes = figure.subplots()
        axes.grid(visible=False)
        axes.set(xlim=(0, classes), ylim=(classes, 0), aspect="equal")
        axes.spines[:].set_visible(False)
        shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        for true, predicted in np.ndindex(counts.shape):
            _cell(axes, true, predicted, int(counts[true, predicted]), shares[true, predicted])
        names = [short(name, 14) for name in metrics.labels]
        size = 10.5 if classes <= 10 else 8 if classes <= 25 else 5
        middles = np.arange(classes) + 0.5
        long = classes * max(map(len, names)) > 36
        turn: dict[str, Any] = {}
        if long:
            turn = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}
        axes.set_xticks(middles, names, parse_math=False, fontsize=size, **turn)
        axes.set_yticks(middles, names, parse_math=False, fontsize=size)
        axes.set(xlabel="Predicted", ylabel="True")
        return figure


def roc_and_precision_recall(
    targets: npt.ArrayLike, probabilities: npt.ArrayLike, names: Sequence[str]
) -> Figure:
    """Draw both curves: of the second of two classes, else of each class against the rest.

    Of more than six classes the six with the most rows are drawn.

    Args:
        targets: class numbers, int `[n]`; multi-label: 0 or 1, int `[n, k]`.
        probabilities: float `[n, k]`.
        names: the k class names.
    """
    from sklearn.metrics import precision_recall_curve, roc_curve

    scores = np.asarray(probabilities, dtype=np.float64)
    members = one_hot(np.asarray(targets), scores.shape[1])
    shown = _curved_classes(members, binary=np.ndim(targets) == 1 and scores.shape[1] == 2)
    with styled():
        figure = Figure(figsize=(WIDTH, TWO_PANELS))
        roc, precision_recall = figure.subplots(2, 1)
        roc.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=":")
        for number, colour in zip(shown, SERIES, strict=False):
            positive, score = members[:, number], scores[:, number]
            name = short(names[number], 24)
            false_rate, true_rate, _ = roc_curve(positive, score)
            roc.plot(false_rate, true_rate, color=colour.light, label=name)
            precision, recall, _ = precision_recall_curve(positive, score)
            precision_recall.plot(recall, precision, color=colour.light, label=name)
        roc.set_title("ROC")
        roc.set(xlabel="False positive rate", ylabel="True positive rate")
        precision_recall.set_title("Precision and recall")
        precision_recall.set(xlabel="Recall", ylabel="Precision")
        for axes in (roc, precision_recall):
            axes.set(xlim=(0, 1.01), ylim=(0, 1.02))
        legend(roc, loc="lower right")
        return figure


def length_histogram(lengths: Sequence[int] | npt.ArrayLike, max_length: int | None) -> Figure:
    """Draw how many tokens the texts have, and which of them are cut.

    Args:
        lengths: tokens of each text, special tokens included, before truncation, int `[n]`.
        max_length: tokens that are kept; None: all of them.
    """
    tokens = np.asarray(lengths)
    span = max(float(np.percentile(tokens, 99)), 1.2 * (max_length or 0))
    step = max(1, int(np.ceil(span / 36)))
    top = max(span, float(step))
    # a bar begins right above the limit, so that none is partly cut; the last holds all the rest
    first = 0 if max_length is None else (max_length + 1) % step - step
    edges = np.arange(first, top + step + 1, step, dtype=float)
    counts, _ = np.histogram(np.minimum(tokens, edges[-1]), edges)
    lower = edges[:-1]
    with styled():
        figure = Figure(figsize=(WIDTH, 3.6))
        axes = figure.subplots()
        cut = lower > (np.inf if max_length is None else max_length)
        colours = np.where(cut, WRONG, ACCENT).tolist()
        axes.bar(lower + (step - 1) / 2, counts, width=step * 0.86, color=colours)
        axes.set(xlabel="Tokens in a text", ylabel="Texts")
        axes.set_xlim(max(-0.5, first - 0.5), edges[-1] - 0.5)
        axes.yaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
        if max_length is not None:
            axes.axvline(max_length + 0.5, color=MUTED, linewidth=1, linestyle=":")
            longer = percent(float(np.mean(tokens > max_length)))
            axes.set_title(f"{longer} longer than {max_length:,} tokens")
        return figure


def save_plots(
    folder: Path,
    *,
    history: Sequence[EpochRecord] = (),
    metrics: ClassificationMetrics | None = None,
    targets: npt.ArrayLike | None = None,
    probabilities: npt.ArrayLike | None = None,
    lengths: Sequence[int] | npt.ArrayLike | None = None,
    max_length: int | None = None,
    calibration: PartCalibration | None = None,
    decisions: DecisionFigures | None = None,
) -> dict[str, Path]:
    """Write the plots that the given values allow; the same values give the same bytes.

    Args:
        folder: where to write; made if missing.
        history: the evaluations during training.
        metrics: figures of the part that the report leads with.
        targets: its truth, as for `roc_and_precision_recall`.
        probabilities: its predictions, float `[n, k]`.
        lengths: tokens of each training text before truncation, int `[n]`.
        max_length: tokens that are kept.
        calibration: the part's probabilities before and after the temperature.
        decisions: accuracy by coverage on that part.

    Returns:
        The files, by the names in `TITLES`.

    Raises:
        StorageError: a file cannot be written.
    """
    figures: dict[str, Figure] = {}
    if history:
        figures["learning_curves"] = learning_curves(history)
    if metrics is not None and metrics.confusion_matrix is not None:
        figures["confusion_matrix"] = confusion_matrix(metrics)
    if metrics is not None and targets is not None and probabilities is not None:
        figures["roc_and_precision_recall"] = roc_and_precision_recall(
            targets, probabilities, metrics.labels
        )
    if lengths is not None and np.size(lengths):
        figures["length_histogram"] = length_histogram(lengths, max_length)
    if calibration is not None:
        figures["reliability_diagram"] = reliability_diagram(calibration)
    if decisions is not None:
        figures["coverage_accuracy"] = coverage_accuracy(decisions)
    paths = {name: folder / f"{name}.svg" for name in figures}
    for name, figure in figures.items():
        write_text(paths[name], svg_text(figure, TITLES[name]))
    return paths


def _curve(
    axes: Axes,
    history: Sequence[EpochRecord],
    value: Callable[[EpochRecord], float | None],
    label: str,
    colour: str,
    marker: str = "o",
    line: str = "-",
) -> None:
    points = [(record.epoch, y) for record in history if (y := value(record)) is not None]
    if points:
        epochs, values = zip(*points, strict=True)
        axes.plot(epochs, values, color=colour, marker=marker, linestyle=line, label=label)


def _cell(axes: Axes, true: int, predicted: int, count: int, share: float) -> None:
    from matplotlib.patches import Rectangle

    colour = ACCENT if true == predicted else WRONG
    classes = round(axes.get_xlim()[1])
    gap = 0.03
    # at most 0.5 opaque, so that the ink stays readable on it in both themes
    axes.add_patch(
        Rectangle(
            (predicted + gap, true + gap),
            1 - 2 * gap,
            1 - 2 * gap,
            facecolor=colour,
            alpha=0.05 + 0.45 * float(share),
            linewidth=0,
        )
    )
    if classes > MOST_CELLS_WITH_COUNT or (count == 0 and classes > MOST_CELLS_WITH_SHARE):
        return
    few = classes <= MOST_CELLS_WITH_SHARE
    label = f"{count:,}\n{percent(share)}" if few else f"{count:,}"
    size = 11 if few else 8
    axes.text(predicted + 0.5, true + 0.5, label, ha="center", va="center", fontsize=size)


def _curved_classes(members: npt.NDArray[np.bool_], *, binary: bool) -> list[int]:
    """Return the classes to draw: those with rows of both kinds, the largest first."""
    if binary:
        return [1] if 0 < members[:, 1].sum() < len(members) else []
    sizes = members.sum(axis=0)
    order = np.argsort(-sizes, kind="stable")
    return [int(number) for number in order if 0 < sizes[number] < len(members)][: len(SERIES)]
