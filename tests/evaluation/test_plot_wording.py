"""The plots in words."""

from __future__ import annotations

from collections.abc import Callable

from textlora.evaluation.plot_wording import plot_description
from textlora.evaluation.report import ReportData


def test_plots_are_described(report_data: Callable[..., ReportData]) -> None:
    data = report_data(["negative", "positive"], truncated_share=0.123)

    def describe(name: str) -> str:
        return plot_description(name, data)

    assert "83.1 % to 87.2 %" in describe("learning_curves")
    assert "Epoch 2 was kept" in describe("learning_curves")
    assert "12.3 % are longer than 512 tokens" in describe("length_histogram")
    assert "class positive" in describe("roc_and_precision_recall")
    assert "Of " in describe("confusion_matrix")
    assert "answers claim" in describe("reliability_diagram")
    assert f"{100 * data.lead.accuracy:.1f} % of all" in describe("coverage_accuracy")
    assert describe("something_new") == "Something new."


def test_every_plot_of_the_report_has_its_own_words(
    report_data: Callable[..., ReportData],
) -> None:
    data = report_data(["a", "b", "c"])
    assert len(data.plots) == 6
    for name in data.plots:
        assert len(plot_description(name, data)) > 60
