"""Plots: what is drawn, and that a page can hold several."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from textlora.metrics.calibration import PartCalibration
from textlora.metrics.classification import ClassificationMetrics, classification_metrics
from textlora.metrics.decisions import Decision
from textlora.metrics.records import EpochRecord
from textlora.metrics.subsets import DecisionFigures
from textlora.report import plots
from textlora.report.plots import learning_curves
from textlora.report.theme import COLOURS, SERIES, inline_svg, svg_text


def texts(svg: str) -> str:
    root = ElementTree.fromstring(svg)  # noqa: S314
    return " ".join("".join(node.itertext()) for node in root.iter())


def save(folder: Path, classes: list[str], predictions: Callable[..., tuple]) -> dict[str, Path]:
    targets, probabilities = predictions(len(classes))
    metrics = classification_metrics(targets, probabilities, classes)
    return plots.save_plots(
        folder,
        metrics=metrics,
        targets=targets,
        probabilities=probabilities,
        lengths=np.arange(1, 700),
        max_length=512,
    )


def test_the_same_values_give_the_same_bytes(
    tmp_path: Path, predictions: Callable[..., tuple]
) -> None:
    first = save(tmp_path / "a", ["no", "yes"], predictions)
    second = save(tmp_path / "b", ["no", "yes"], predictions)
    assert first.keys() == {"confusion_matrix", "roc_and_precision_recall", "length_histogram"}
    for name, path in first.items():
        assert path.read_bytes() == second[name].read_bytes()


@pytest.mark.parametrize("classes", [2, 3, 9, 30])
def test_hostile_class_names_are_text(
    classes: int, tmp_path: Path, predictions: Callable[..., tuple], hostile: str
) -> None:
    names = [hostile, "$\\frac$", "\u65e5\u672c\u8a9e \U0001f600", *map(str, range(classes))]
    for path in save(tmp_path, names[:classes], predictions).values():
        assert "<script" not in path.read_text()
        assert texts(path.read_text())
    assert "<script>" in texts((tmp_path / "confusion_matrix.svg").read_text())


def test_every_colour_has_a_dark_counterpart(
    tmp_path: Path, predictions: Callable[..., tuple], history: list[EpochRecord]
) -> None:
    known = {colour.light for colour in (*COLOURS.values(), *SERIES)}
    paths = save(tmp_path, list("abcdefg"), predictions)
    paths |= plots.save_plots(tmp_path, history=history)
    for path in paths.values():
        drawing = re.sub(r"<style>.*?</style>", "", path.read_text(), flags=re.DOTALL)
        assert set(re.findall(r"#[0-9a-f]{6}\b", drawing)) <= known


def test_confusion_matrix_shows_counts(metrics: ClassificationMetrics) -> None:
    svg = plots.svg_text(plots.confusion_matrix(metrics), "title")
    assert metrics.confusion_matrix is not None
    for number in sum(metrics.confusion_matrix, ()):
        assert f">{number}<" in svg


def test_multi_label_figures_have_no_confusion_plot(
    tmp_path: Path, predictions: Callable[..., tuple]
) -> None:
    targets, probabilities = predictions(3, multi_label=True)
    metrics = classification_metrics(targets, probabilities, list("abc"), multi_label=True)
    paths = plots.save_plots(
        tmp_path, metrics=metrics, targets=targets, probabilities=probabilities
    )
    assert set(paths) == {"roc_and_precision_recall"}
    with pytest.raises(ValueError, match="multi-label"):
        plots.confusion_matrix(metrics)


def test_one_class_only_has_no_curve() -> None:
    figure = plots.roc_and_precision_recall([1, 1], [[0.2, 0.8]] * 2, ["a", "b"])
    assert len(figure.axes[1].get_lines()) == 0


def test_one_epoch_and_no_training_loss(history: list[EpochRecord]) -> None:
    svg = plots.svg_text(plots.learning_curves(history[:1]), "title")
    assert "Validation loss" in texts(svg)
    assert "Training loss" not in texts(svg)


@pytest.mark.parametrize(
    ("lengths", "max_length"),
    [
        ([3], 512),
        ([3, 4, 5], None),
        ([10, 500_000], 512),
        ([0], None),
        (range(1, 2000), 4),
        (range(500, 520), 512),
    ],
)
def test_length_histogram_counts_every_text(lengths: list[int], max_length: int | None) -> None:
    bars = plots.length_histogram(list(lengths), max_length).axes[0].patches
    cut = sum(bar.get_height() for bar in bars if to_hex(bar) == COLOURS["wrong"].light)
    assert sum(bar.get_height() for bar in bars) == len(lengths)
    assert cut == sum(max_length is not None and length > max_length for length in lengths)


@pytest.mark.parametrize("classes", [2, 3])
def test_confidence_plots(classes: int, tmp_path: Path, predictions: Callable[..., tuple]) -> None:
    targets, probabilities = predictions(classes)
    calibration = PartCalibration.of(3 * np.log(probabilities), targets, 2.5)
    rule = Decision(min_confidence=0.6)
    decisions = DecisionFigures.of(targets, probabilities, rule)
    paths = plots.save_plots(tmp_path, calibration=calibration, decisions=decisions)
    assert set(paths) == {"reliability_diagram", "coverage_accuracy"}
    shown = {name: texts(path.read_text()) for name, path in paths.items()}
    for figures in (calibration.before, calibration.after):
        assert f"(ECE {100 * figures.ece:.1f} %)" in shown["reliability_diagram"]
    assert "Confidence from 60.0 %" in shown["coverage_accuracy"]
    for path in paths.values():
        drawing = re.sub(r"<style>.*?</style>", "", path.read_text(), flags=re.DOTALL)
        known = {colour.light for colour in COLOURS.values()}
        assert set(re.findall(r"#[0-9a-f]{6}\b", drawing)) <= known


def test_confidence_plots_of_a_single_text(tmp_path: Path) -> None:
    calibration = PartCalibration.of([[2.0, 1.0]], [0], 1.0)
    decisions = DecisionFigures.of([0], [[0.7, 0.3]], Decision(min_confidence=0.9))
    paths = plots.save_plots(tmp_path, calibration=calibration, decisions=decisions)
    assert "Accuracy" in texts(paths["coverage_accuracy"].read_text())


def to_hex(bar: object) -> str:
    from matplotlib.colors import to_hex as convert

    return convert(bar.get_facecolor())  # type: ignore[attr-defined]


def test_plots_leave_matplotlib_as_it_was(history: list[EpochRecord]) -> None:
    import matplotlib

    before = dict(matplotlib.rcParams)
    plots.svg_text(plots.learning_curves(history), "title")
    assert dict(matplotlib.rcParams) == before


def test_ids_do_not_collide_and_references_still_hit(history: list[EpochRecord]) -> None:
    svg = svg_text(learning_curves(history), "title")
    found: list[str] = []
    for prefix in ("one", "two"):
        inlined = inline_svg(svg, prefix, "what it shows")
        identifiers = re.findall(r'\bid="([^"]+)"', inlined)
        references = re.findall(r"""url\(#([^)]+)\)|href="#([^"]+)\"""", inlined)
        assert references
        assert {a or b for a, b in references} == set(identifiers)
        found += identifiers
    assert len(found) == len(set(found))


def test_description_is_escaped_and_read_out(history: list[EpochRecord]) -> None:
    svg = svg_text(learning_curves(history), "title")
    inlined = inline_svg(svg, "p", 'a < "b" & <script>')
    assert 'role="img"' in inlined
    assert "<style" not in inlined
    assert "<script" not in inlined
    assert 'aria-label="a &lt; &quot;b&quot; &amp; &lt;script&gt;"' in inlined
    assert "<title>a &lt; " in inlined


def test_file_is_small_and_knows_both_themes(history: list[EpochRecord]) -> None:
    svg = svg_text(learning_curves(history), "Learning <curves>")
    assert "prefers-color-scheme: dark" in svg
    assert "<title>Learning &lt;curves&gt;" in svg
    assert "metadata" not in svg
    assert "DOCTYPE" not in svg
    assert len(svg) < 40_000
