"""The report in a browser: nothing is fetched, nothing is logged, nobody is shut out."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from support.browser import DESKTOP, PHONE, Visit, chromium
from textlora.report.html import ReportData, render_report

KINDS = {
    "two-classes": ["negative", "positive"],
    "many-classes": [*(f"subject {name}" for name in "abcdefgh"), "<script>alert('x')"],
    "multi-label-without-test": ["toxic", "<b>spam", "other"],
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module", params=KINDS)
def report(
    request: pytest.FixtureRequest,
    report_data: Callable[..., ReportData],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    last = request.param == "multi-label-without-test"
    data = report_data(KINDS[request.param], multi_label=last, test=not last)
    path = tmp_path_factory.mktemp("report") / f"{request.param}.html"
    path.write_text(render_report(data), encoding="utf-8")
    return path


@pytest.fixture
def visit(browser: Any, report: Path) -> Iterator[Callable[..., Visit]]:
    opened = []

    def go(size: dict[str, int] = DESKTOP, theme: str = "light") -> Visit:
        context = browser.new_context(viewport=size, color_scheme=theme)
        opened.append(context)
        done = Visit.begin(context)
        done.page.goto(report.as_uri())
        return done

    yield go
    for context in opened:
        context.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_nobody_is_shut_out(
    visit: Callable[..., Visit], report: Path, size: dict[str, int], theme: str
) -> None:
    done = visit(size, theme)
    # what is folded away is looked at, too
    done.page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    found = Axe().run(done.page)
    assert not found.response["violations"], found.generate_report()
    assert len(found.response["passes"]) > 20
    assert [url for url in done.requests if url != report.as_uri()] in ([], ["data:,"])
    assert done.logged == []
    wide = done.page.evaluate("document.documentElement.scrollWidth")
    assert wide <= size["width"]


def test_dark_is_dark(visit: Callable[..., Visit]) -> None:
    def lightness(theme: str) -> int:
        colour = visit(theme=theme).page.evaluate("getComputedStyle(document.body).backgroundColor")
        return sum(int(number) for number in colour[4:-1].split(","))

    assert lightness("light") > 700
    assert lightness("dark") < 100


def test_hostile_text_is_shown_as_text(visit: Callable[..., Visit], hostile: str) -> None:
    page = visit().page
    assert page.locator("script").count() == 0
    assert page.locator("main b").count() == 0
    shown = page.locator("h1").inner_text()
    assert "<script>alert('x')</script>" in shown
    assert "<script>alert('x')</script>" in page.locator("#errors blockquote").first.inner_text()


def test_headings_are_in_order_and_name_every_section(visit: Callable[..., Visit]) -> None:
    page = visit().page
    levels = page.evaluate("[...document.querySelectorAll('h1,h2,h3')].map(h => +h.tagName[1])")
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    anchors = page.evaluate("[...document.querySelectorAll('nav a')].map(a => a.hash)")
    sections = page.evaluate(
        "[...document.querySelectorAll('main > section')].map(s => '#' + s.id)"
    )
    assert anchors == sections


def test_the_keyboard_reaches_everything(visit: Callable[..., Visit]) -> None:
    page = visit().page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    assert page.evaluate("document.activeElement.getBoundingClientRect().top") >= 0
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "result"
    summary = page.locator("summary").first
    summary.focus()
    page.keyboard.press("Enter")
    assert page.locator("details").first.evaluate("each => each.open")


def test_all_text_can_be_reached(visit: Callable[..., Visit]) -> None:
    """No text lies outside the page or is cut off where nothing scrolls."""
    page = visit(PHONE).page
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    lost = page.evaluate(
        """() => {
          const kept = node => {
            for (let each = node; each; each = each.parentElement) {
              const style = getComputedStyle(each);
              if (each.matches('.hidden, .skip')) return true;
              if (style.display === 'none' || style.visibility === 'hidden') return false;
              if (each.matches('.scroll') && style.overflowX === 'auto') return true;
            }
            const box = node.getBoundingClientRect();
            return box.left >= -1 && box.right <= innerWidth + 1 && box.height > 0;
          };
          const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
          const lost = [];
          while (texts.nextNode()) {
            const node = texts.currentNode;
            if (node.data.trim() && !node.parentElement.closest('svg') && !kept(node.parentElement))
              lost.push(node.data);
          }
          return lost;
        }"""
    )
    assert lost == []


def test_paper_shows_what_is_folded(visit: Callable[..., Visit]) -> None:
    page = visit(theme="dark").page
    page.emulate_media(media="print")
    folded = page.locator("#settings pre")
    assert folded.evaluate("each => each.getBoundingClientRect().height") > 0
    assert not page.locator("nav").is_visible()
