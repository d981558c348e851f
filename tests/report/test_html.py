"""The page: what is in it, and that nothing hostile gets out of its place."""

from __future__ import annotations

import html
import itertools
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.reports import explanation
from textlora.metrics.classification import ClassificationMetrics
from textlora.metrics.statistics import McNemar
from textlora.metrics.subsets import Leakage, RowScores
from textlora.report.attributions import strongest_passage
from textlora.report.html import (
    ReportData,
    passage,
    plot_description,
    render_report,
)

VOID = {"meta", "link", "br", "hr", "img", "input"}


class Outline(HTMLParser):
    """Notes tags with attributes, and fails on tags that do not nest."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        assert len(dict(attrs)) == len(attrs), f"an attribute twice in {tag}"
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open[-1:] == [tag], f"</{tag}> closes nothing"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def named(self, *tags: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag in tags]


def outline(page: str) -> Outline:
    found = Outline()
    found.feed(page)
    found.close()
    assert not found.open
    return found


KINDS = {
    "two classes": (["negative", "positive"], False),
    "many hostile classes": ([*"abcdefgh", "<script>alert('x')</script> \" & [bold]"], False),
    "multi-label": (["toxic", "<b>spam", "other"], True),
}


@pytest.fixture(scope="module", params=KINDS)
def page(request: pytest.FixtureRequest, report_data: Callable[..., ReportData]) -> str:
    names, multi_label = KINDS[request.param]
    return render_report(report_data(names, multi_label=multi_label))


def test_nothing_is_fetched_and_nothing_runs(page: str) -> None:
    found = outline(page)
    for tag, attributes in found.tags:
        assert tag not in {"script", "iframe", "object", "embed", "base", "form"}
        for name, value in attributes.items():
            assert not name.startswith("on")
            if name in {"src", "href", "srcset", "action", "data", "poster", "xlink:href"}:
                assert (value or "").startswith(("#", "data:,"))
    assert "@import" not in page
    assert all(target.startswith("#") for target in re.findall(r"url\(['\"]?([^)]*)\)", page))


def test_hostile_text_stays_text(page: str, hostile: str) -> None:
    assert "<script" not in page
    assert "\x00" not in page
    assert "alert(" in "".join(outline(page).text)
    page.encode("utf-8")


def test_ids_are_unique_and_links_hit(page: str) -> None:
    found = outline(page)
    ids = [attributes["id"] for _, attributes in found.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    targets = [(attributes["href"] or "")[1:] for attributes in found.named("a", "use")]
    targets += [str(a["aria-labelledby"]) for _, a in found.tags if "aria-labelledby" in a]
    assert set(targets) <= set(ids)


def test_structure_for_assistive_technology(page: str) -> None:
    found = outline(page)
    levels = [int(tag[1]) for tag, _ in found.tags if re.fullmatch("h[1-6]", tag)]
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    assert found.named("html")[0]["lang"] == "en"
    for landmark in ("main", "header", "nav", "footer"):
        assert len(found.named(landmark)) == 1
    assert len(found.named("table")) == len(found.named("caption"))
    assert all("scope" in attributes for attributes in found.named("th"))
    for svg in found.named("svg"):
        assert svg["role"] == "img"
        assert svg["aria-label"]
    regions = [a["aria-label"] for a in found.named("div") if a.get("role") == "region"]
    assert len(regions) == len(set(regions)) > 5
    assert all(a["tabindex"] == "0" for a in found.named("div") if a.get("role") == "region")


def test_result_comes_first(report_data: Callable[..., ReportData]) -> None:
    data = report_data(["negative", "positive"])
    page = render_report(data)
    words = " ".join("".join(outline(page).text).split())
    bounds = data.lead.accuracy_interval
    assert (
        f"{100 * data.lead.accuracy:.1f} % of 60 test reviews right "
        f"(95 % interval {100 * bounds.low:.1f} to {100 * bounds.high:.1f})"
    ) in words
    assert "628,994 of 67,584,004 parameters (0.93 %)" in words
    order = " ".join(re.findall(r'<section id="(\w+)"', page))
    assert order == (
        "result figures training confidence lengths sentences confusions errors data settings "
        "environment"
    )


def test_both_themes_and_phones(page: str) -> None:
    assert "prefers-color-scheme: dark" in page
    assert 'name="viewport"' in page
    assert "overflow-x:auto" in page


@pytest.mark.parametrize("outcome", ["better", "undecided", "worse"])
def test_the_verdict_comes_first(report_data: Callable[..., ReportData], outcome: str) -> None:
    data = report_data(["negative", "positive"])
    verdict = data.verdict
    assert verdict is not None
    p_value = 0.5 if outcome == "undecided" else 0.001
    comparison = replace(
        verdict.comparison,
        difference=-0.1 if outcome == "worse" else 0.1,
        mcnemar=McNemar(31, 12, p_value, exact=True),
    )
    data = replace(data, verdict=replace(verdict, comparison=comparison))
    words = " ".join("".join(outline(render_report(data)).text).split())
    places = [
        words.index(found)
        for found in (
            {"better": "Better than", "worse": "Worse than", "undecided": "No clear"}[outcome],
            verdict.sentence,
            "of 60 test reviews right",
            "31 texts are answered right by LoRA alone, 12 by",
            "What the figures mean",
        )
    ]
    assert places == sorted(places)
    assert verdict.best_baseline + " best baseline" in words
    assert "Counts words" in words


def test_findings_errors_and_lengths_are_shown(report_data: Callable[..., ReportData]) -> None:
    data = report_data(["a", "b", "c"])
    words = " ".join("".join(outline(render_report(data)).text).split())
    assert data.findings is not None
    for finding in data.findings:
        assert f"{finding.severity} {finding.message.split('.')[0]}" in words
    assert "reviews.csv, line 12, also in test.csv line 3" in words
    assert "The surest wrong answers" in words
    assert "label was held least probable" in words
    assert "Against a:" in words or "Against b:" in words
    assert "512 this run" in words
    assert "over 512" in words
    assert "Nothing to mend" in render_report(replace(data, findings=()))


def test_leakage_stands_beside_the_headline(report_data: Callable[..., ReportData]) -> None:
    data = report_data(["a", "b", "c"])
    scores = RowScores(0.9, 0.8), RowScores(0.5, 0.4)
    leakage = Leakage("test", 20, 20 / 60, *scores)
    parts = [replace(data.parts[0], dropped=0)]
    page = render_report(replace(data, leakage=leakage, parts=parts))
    words = " ".join("".join(outline(page).text).split())
    told = "33.3 % of the test rows (20) stand in the training rows, too: 90.0 % of them are right"
    places = [
        words.index(found) for found in ("of 60 test reviews right", told, "What the figures")
    ]
    assert places == sorted(places)
    assert "the text is in a later split" not in words
    few = replace(data, leakage=replace(leakage, rows=4), parts=[replace(parts[0], dropped=7)])
    words = " ".join("".join(outline(render_report(few)).text).split())
    assert "stand in the training rows" not in words
    assert re.search(r"Dropped: the text is in a later split\s*7", words)


def test_a_report_with_twenty_explained_reviews_stays_small(
    report_data: Callable[..., ReportData],
) -> None:
    data = report_data(["negative", "positive"])
    text = "word " * 600
    item = replace(data.errors[0], text=text, explanation=explanation(text, "positive"))
    page = render_report(replace(data, errors=[item] * 20))
    assert 200_000 < len(page.encode()) < 2_000_000


def test_validation_leads_where_there_is_no_test_part(
    report_data: Callable[..., ReportData],
) -> None:
    data = report_data(["negative", "positive"], test=False)
    assert data.lead_part == "validation"
    assert "60 validation reviews right" in render_report(data)


def test_only_the_figures_are_needed(metrics: ClassificationMetrics) -> None:
    data = ReportData("run", "2025-11-21", "model", {"test": metrics})
    page = render_report(data)
    outline(page)
    assert re.findall(r'<section id="(\w+)"', page) == ["result", "figures", "confusions"]


def test_a_report_without_figures_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one part"):
        ReportData("run", "2025-11-21", "model", {})


LONG = "plain " * 200 + "wonderful and moving " + "plain " * 200


def test_a_short_text_is_shown_whole() -> None:
    shown = passage(explanation("a good film", "positive"))
    assert shown.whole is None
    assert readable(shown.marked) == "a good film"
    assert "For <strong>positive</strong>" in shown.strongest


def test_of_a_long_text_the_passage_that_counts_is_shown() -> None:
    told = explanation(LONG, "positive")
    loud = tuple(
        replace(word, score=3.0 if word.text in {"wonderful", "moving"} else 0.001)
        for word in told.words
    )
    shown = passage(replace(told, words=loud))
    assert "wonderful and moving" in readable(shown.marked)
    assert readable(shown.marked).startswith("… ")
    assert readable(shown.marked).endswith(" …")
    assert len(readable(shown.marked)) < 350
    assert shown.whole is not None
    assert readable(shown.whole) == LONG
    assert shown.characters == len(LONG)


def test_a_text_without_words_shows_its_beginning() -> None:
    shown = passage(replace(explanation(LONG, "positive"), words=(), unseen=()))
    assert readable(shown.marked).startswith("plain plain")


@given(st.lists(st.tuples(st.integers(1, 30), st.floats(-2, 2)), min_size=1, max_size=40))
def test_the_passage_is_the_heaviest_of_its_length(drawn: list[tuple[int, float]]) -> None:
    text = " ".join("x" * length for length, _ in drawn)
    told = explanation(text, "positive")
    found = list(re.finditer(r"\S+", text))
    words = tuple(
        replace(told.words[0], text=match[0], start=match.start(), end=match.end(), score=score)
        for match, (_, score) in zip(found, drawn, strict=True)
    )
    told = replace(told, words=words, unseen=())
    best = strongest_passage(told, 40)
    assert best.end - best.start <= 40

    def weight(first: int, last: int) -> float:
        return sum(abs(word.score) for word in words[first : last + 1])

    heaviest = max(
        weight(first, last)
        for first in range(len(words))
        for last in range(first, len(words))
        if words[last].end - words[first].start <= 40
    )
    inside = [word for word in words if best.start <= word.start and word.end <= best.end]
    assert abs(sum(abs(word.score) for word in inside) - heaviest) < 1e-9


def readable(marked: str) -> str:
    return html.unescape(re.sub(r"</?span[^>]*>", "", marked))


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
