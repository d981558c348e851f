"""The page at `/`, in a browser, against a server that runs."""

from __future__ import annotations

import csv
import io
import json
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from playwright.sync_api import expect

from serving.test_app import TEXT, expected
from support.adapters import save_served
from support.browser import DESKTOP, PHONE, Visit, chromium
from support.examples import examples
from support.servers import listening
from textlora.report.theme import COLOURS
from textlora.scoring.scorer import AddedColumns
from textlora.serving import Limits, ServingSettings
from textlora.serving import app as serving_app
from textlora.serving.app import create_app

HOSTILE = "<img src=x onerror=\"alert('x')\"><script>alert('x')</script>"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
Open = Callable[..., Visit]
# A busy machine takes its time; a passing test waits no longer than it has to.
SECONDS = 60
expect.set_options(timeout=1000 * SECONDS)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def url(adapters: Path, tiny: Callable[[str], Path], tmp_path_factory: Any) -> Iterator[str]:
    """Serve adapters of all kinds; batches are small, so that files need several."""
    evil = tmp_path_factory.mktemp("hostile") / "evil"
    names = (HOSTILE, "good")
    save_served(evil, tiny("distilbert"), label_names=names, label_values=names)
    runs = [(name, adapters / name) for name in ("a0", "a2", "a3", "shy", "short")]
    limits = Limits(max_client_batch_size=4, payload_limit=20_000)
    served = ServingSettings(runs=(*runs, ("evil", evil)), precision="fp32", limits=limits)
    with listening(create_app(served)) as url:
        yield url


@pytest.fixture
def visit(browser: Any, url: str) -> Iterator[Open]:
    """Open the page; `before` may intercept requests."""
    opened = []

    def go(
        size: dict[str, int] = DESKTOP,
        theme: str = "light",
        at: str = url,
        before: Callable[[Any], None] = lambda page: None,
    ) -> Visit:
        context = browser.new_context(viewport=size, color_scheme=theme)
        opened.append(context)
        context.set_default_timeout(1000 * SECONDS)
        visit = Visit.begin(context)
        before(visit.page)
        visit.page.goto(at)
        return visit

    yield go
    for context in opened:
        context.close()


def ask(page: Any, text: str = TEXT, adapter: str | None = None) -> None:
    """Classify a text by the keyboard, and wait for all of the answer."""
    expect(page.locator("#classify")).to_be_enabled()
    if adapter is not None:
        page.select_option("#adapter", adapter)
    page.fill("#text", text)
    page.evaluate("document.getElementById('result').replaceChildren()")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".before").first).not_to_have_text("…")


def shares(page: Any, column: int) -> dict[str, float]:
    """Return a column of the classes' table."""
    rows = page.locator(".classes tbody tr").all()
    return {
        row.locator("th").inner_text(): float(
            row.locator("td").nth(column).inner_text().removesuffix(" %")
        )
        for row in rows
    }


def table(*rows: tuple[str, ...], delimiter: str = ",") -> bytes:
    written = io.StringIO()
    csv.writer(written, delimiter=delimiter).writerows(rows)
    return written.getvalue().encode()


def score(page: Any, content: bytes, name: str = "reviews.csv", press: bool = True) -> None:
    expect(page.locator("#classify")).to_be_enabled()
    page.set_input_files("#file", {"name": name, "mimeType": "text/csv", "buffer": content})
    if press:
        page.click("#score")


def downloaded(page: Any, delimiter: str = ",") -> list[list[str]]:
    with page.expect_download() as started:
        page.click("a.button")
    content = Path(started.value.path()).read_text(encoding="utf-8-sig")
    return list(csv.reader(io.StringIO(content, newline=""), delimiter=delimiter))


def refuse(page: Any, route: str, status: int, times: int | None = None) -> None:
    """Have a route refused so often, with Retry-After."""
    left = [times]

    def handle(intercepted: Any) -> None:
        if left[0] is not None:
            left[0] -= 1
        if left[0] is not None and left[0] < 0:
            intercepted.continue_()
            return
        body = json.dumps({"error": "The queue is full.", "error_type": "overloaded"})
        intercepted.fulfill(status=status, body=body, headers={"Retry-After": "1"})

    page.route(f"**/{route}", handle)


def test_headers(url: str) -> None:
    for path in ("/", "/page/app.js", "/page/style.css"):
        with urlopen(f"{url}{path}") as response:
            headers = response.headers
        assert headers["content-security-policy"] == POLICY
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"


def test_nothing_makes_markup_of_strings() -> None:
    folder = Path(serving_app.__file__).parent / "page"
    scripts = "".join(file.read_text() for file in folder.glob("*.js"))
    for forbidden in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("):
        assert forbidden not in scripts


def test_answer_with_all_probabilities(visit: Open, adapters: Path) -> None:
    page = visit().page
    ask(page, adapter="a2")
    right = 100 * expected(adapters, "a2", [TEXT])[0]
    tuned = shares(page, 0)
    np.testing.assert_allclose([tuned[name] for name in ("bad", "good", "fair")], right, atol=0.1)
    best = max(tuned, key=lambda name: tuned[name])
    assert page.locator(".headline").inner_text().split() == [best, str(tuned[best]), "%"]
    assert list(tuned.values()) == sorted(tuned.values(), reverse=True)
    filled = page.locator(".classes tbody tr:first-child .track span").first
    assert filled.evaluate("each => parseFloat(each.style.width)") == pytest.approx(
        right.max(), abs=0.1
    )
    assert best in page.locator("#said").inner_text()
    assert "ms" in page.locator(".latency").inner_text()


def test_the_untrained_head_is_named_and_answers_the_same_again(visit: Open) -> None:
    page = visit().page
    ask(page, adapter="a2")
    assert page.locator(".classes thead th").last.inner_text() == "Untrained: random head"
    untrained = shares(page, 1)
    assert untrained.keys() == shares(page, 0).keys()
    assert untrained != shares(page, 0)
    assert sum(untrained.values()) == pytest.approx(100, abs=0.3)
    ask(page, adapter="a0")
    ask(page, adapter="a2")
    assert shares(page, 1) == untrained


def test_words_are_marked(visit: Open) -> None:
    page = visit().page
    ask(page, "a good film, it was awful")
    page.select_option("#target", "bad")
    page.click("#explain")
    words = page.locator(".words")
    expect(words).to_be_visible()
    assert words.inner_text() == "a good film, it was awful"
    marked = page.locator(".words span[class]").all()
    assert marked
    for word in marked:
        sign = "+" if (word.get_attribute("class") or "").startswith("for-") else "−"
        assert (word.get_attribute("title") or "").startswith(sign)
    assert "For bad:" in page.locator(".strongest").inner_text()
    assert "replaced by" in page.locator(".quality").inner_text()


def test_the_chooser_asks_the_chosen_adapter(visit: Open) -> None:
    page = visit().page
    ask(page)
    names = page.locator("#adapter option").all_inner_texts()
    assert names == ["a0", "a2", "a3", "shy", "short", "evil"]
    assert len(shares(page, 0)) == 2
    page.select_option("#adapter", "a2")  # asks again by itself
    expect(page.locator(".classes tbody tr")).to_have_count(3)
    assert "fair" in page.locator("#about").inner_text()


def test_unsure_and_several_labels(visit: Open, adapters: Path) -> None:
    page = visit().page
    ask(page, adapter="shy")
    headline = page.locator(".headline").inner_text()
    assert headline.startswith("unsure")
    assert "it has to be 100.0 % sure" in headline
    ask(page, adapter="a3")
    likely = expected(adapters, "a3", [TEXT])[0] >= 0.5
    given = [
        name for name, is_set in zip(("bad", "good", "fair", "odd"), likely, strict=True) if is_set
    ]
    assert page.locator(".headline strong").inner_text() == (", ".join(given) or "(none)")


def test_truncated_text_is_said_so(visit: Open) -> None:
    page = visit().page
    ask(page, "a good film", adapter="short")
    assert page.locator("#result .notice").count() == 0
    ask(page, "a good film and a good plot and a good cast")
    notice = page.locator("#result .notice").inner_text()
    assert "truncated" in notice
    assert "more than the 6 that are read" in notice
    page.click("#explain")
    expect(page.locator(".words .unseen")).to_be_visible()


def test_curl_line_is_quoted_and_copied(visit: Open, url: str, browser: Any) -> None:
    page = visit().page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=url)
    ask(page, "it's a $good `film`")
    page.click("summary")
    page.click("#copy")
    expect(page.locator("text=Copied.")).to_be_visible()
    line = page.evaluate("navigator.clipboard.readText()")
    assert line.startswith(f"curl -s {url}/classify ")
    body = shlex.split(line)[-1]
    assert json.loads(body) == {"inputs": "it's a $good `film`", "model": "a0"}


def test_file_comes_back_with_answers(visit: Open, adapters: Path) -> None:
    page = visit().page
    texts = [f"a good film {'was ' * n}" for n in range(9)] + ['it "was", bad;\nvery', "", "x " * 9]
    rows = [(str(n), text, "ü") for n, text in enumerate(texts)]
    score(page, table(("id", "review", "label"), *rows, ("12",)))
    header, *body = downloaded(page)
    added = AddedColumns(("bad", "good"), multi_label=False, prefix="scored_")
    assert header == ["id", "review", "label", *added.names]
    assert [tuple(row[:3]) for row in body[:-1]] == rows
    right = expected(adapters, "a0", [text for text in texts if text])
    scored = [row for row in body if not row[-1]]
    np.testing.assert_allclose([[float(c) for c in row[4:6]] for row in scored], right, atol=1e-5)
    assert [row[3] for row in scored] == [("bad", "good")[best] for best in right.argmax(axis=1)]
    assert body[10][3:] == ["", "", "", "the text is missing"]
    assert body[12] == ["12", "", "", "", "", "", "1 cells where the header has 3"]
    assert "2 rows have no answer" in page.locator("#table").inner_text()


def test_rows_that_the_server_refuses_get_their_errors(visit: Open) -> None:
    page = visit().page
    long = "good " * 5000
    # The last is blank to the server and not to a browser.
    rows = [("text", "n"), ("good", "1"), (long, "2"), ("\x85", "3"), ("bad", "4")]
    score(page, table(*rows, delimiter=";"))
    header, *body = downloaded(page, delimiter=";")
    assert header[:2] == ["text", "n"]
    assert [bool(row[-1]) for row in body] == [False, True, True, False]
    assert body[1][0] == long


def test_busy_server_is_waited_for(visit: Open) -> None:
    visited = visit(before=lambda page: refuse(page, "classify", 429, times=1))
    page = visited.page
    expect(page.locator("#classify")).to_be_enabled()
    page.fill("#text", TEXT)
    page.click("#classify")
    expect(page.locator("#waiting")).to_have_text("The server is busy: trying again in 1 s …")
    expect(page.locator(".headline")).to_be_visible()
    assert page.locator("#waiting").inner_text() == ""


def test_busy_server_is_given_up(visit: Open) -> None:
    page = visit(before=lambda page: refuse(page, "classify", 429, times=4)).page
    expect(page.locator("#classify")).to_be_enabled()
    page.fill("#text", TEXT)
    page.click("#classify")
    expect(page.locator("#problem")).to_contain_text("busy")
    page.click("#again")
    expect(page.locator(".headline")).to_be_visible()
    expect(page.locator("#problem")).to_be_hidden()


def test_file_goes_on_after_busy_and_stop(visit: Open) -> None:
    page = visit(before=lambda page: refuse(page, "classify", 429, times=2)).page
    score(page, table(("text",), *[(f"good {'film ' * n}",) for n in range(20)]))
    expect(page.locator("#progress-said")).to_contain_text("busy")
    page.click("text=Stop")
    expect(page.locator("#progress-said")).to_contain_text("Stopped. 0 of 20 rows are scored.")
    page.click("text=Go on")
    _, *body = downloaded(page)
    assert [len(row[0].split()) for row in body] == list(range(1, 21))
    assert all(row[1] for row in body)


def test_offline_and_back(visit: Open) -> None:
    visited = visit()
    page = visited.page
    expect(page.locator("#classify")).to_be_enabled()
    page.route("**/classify", lambda route: route.abort("connectionrefused"))
    page.fill("#text", TEXT)
    page.click("#classify")
    expect(page.locator("#problem")).to_contain_text("does not answer")
    assert page.input_value("#text") == TEXT
    page.unroute("**/classify")
    page.click("#again")
    expect(page.locator(".headline")).to_be_visible()
    expect(page.locator("#problem")).to_be_hidden()


def test_offline_from_the_start(visit: Open) -> None:
    page = visit(before=lambda page: page.route("**/info", lambda route: route.abort())).page
    expect(page.locator("#problem")).to_contain_text("does not answer")
    assert page.locator("#classify").is_disabled()
    page.unroute("**/info")
    page.click("#again")
    expect(page.locator("#classify")).to_be_enabled()


def test_without_captum_the_button_says_so(visit: Open) -> None:
    def lacking(page: Any) -> None:
        def handle(route: Any) -> None:
            response = route.fetch()
            route.fulfill(response=response, json={**response.json(), "explains": False})

        page.route("**/info", handle)

    page = visit(before=lacking).page
    ask(page)
    assert page.locator("#explain").is_disabled()
    assert "pip install captum" in page.locator("#explain-said").inner_text()


def test_api_key_is_asked_for_and_forgotten(visit: Open, adapters: Path) -> None:
    served = ServingSettings(runs=(("a0", adapters / "a0"),), precision="fp32", api_key="geheim")
    with listening(create_app(served)) as url:
        page = visit(at=url).page
        expect(page.locator("#key")).to_be_visible()
        page.fill("#secret", "wrong")
        page.keyboard.press("Enter")
        expect(page.locator("#problem")).to_contain_text("does not take this key")
        page.fill("#secret", "geheim")
        page.keyboard.press("Enter")
        ask(page)
        expect(page.locator("#key")).to_be_hidden()
        assert "geheim" not in page.locator("pre").inner_text()
        assert page.evaluate("localStorage.length + sessionStorage.length") == 0
        assert page.evaluate("document.cookie") == ""
        page.reload()
        expect(page.locator("#key")).to_be_visible()


def test_hostile_names_and_texts_stay_text(visit: Open) -> None:
    def renamed(page: Any) -> None:
        def handle(route: Any) -> None:
            response = route.fetch()
            info = response.json()
            info["adapters"][0]["name"] = HOSTILE
            route.fulfill(response=response, json=info)

        page.route("**/info", handle)
        page.on("dialog", lambda dialog: pytest.fail("a script ran"))

    visited = visit(before=renamed)
    page = visited.page
    ask(page, f"{HOSTILE} a good film", adapter="evil")
    page.select_option("#target", HOSTILE)
    page.click("#explain")
    expect(page.locator(".words")).to_contain_text("script")
    page.click("summary")
    score(page, table((HOSTILE, "text"), (HOSTILE, HOSTILE)), f"{HOSTILE.replace('/', '')}.csv")
    expect(page.locator("a.button")).to_be_visible()
    assert page.locator("script").count() == 1
    assert page.locator("img").count() == 0
    assert page.locator("#adapter option").first.inner_text() == HOSTILE
    assert HOSTILE in page.locator(".classes").inner_text()
    assert page.locator("pre").inner_text().count("script") >= 2
    assert visited.logged == []


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_nobody_is_shut_out(visit: Open, url: str, size: dict[str, int], theme: str) -> None:
    visited = visit(size, theme)
    page = visited.page
    expect(page.locator("#classify")).to_be_enabled()
    assert not Axe().run(page).response["violations"]
    ask(page, "a very good film and the plot was awful " * 9, adapter="short")
    page.click("#explain")
    expect(page.locator(".words")).to_be_visible()
    page.click("summary")
    score(page, table(("text",), ("good",), ("",)))
    expect(page.locator("a.button")).to_be_visible()
    found = Axe().run(page)
    assert not found.response["violations"], found.generate_report()
    assert len(found.response["passes"]) > 20
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
    assert {u for u in visited.requests if not u.startswith((f"{url}/", "blob:"))} <= {"data:,"}
    assert visited.logged == []
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    shown = "#" + "".join(f"{int(number):02x}" for number in paper[4:-1].split(","))
    assert shown == getattr(COLOURS["paper"], theme)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_tables_are_read_and_written_as_python_does(visit: Open, delimiter: str) -> None:
    page = visit().page
    cells = st.text(st.sampled_from('ab ,;\t"\n\r|é'), max_size=6)
    rows = st.lists(st.lists(cells, min_size=2, max_size=3), min_size=1, max_size=5)
    script = """async ([text, delimiter]) => {
        const { parse, write } = await import("/page/csv.js");
        const table = parse(text, delimiter);
        return [table.rows, write(table.rows, delimiter, table.newline)];
    }"""

    @examples(60, suppress_health_check=list(HealthCheck))
    @given(rows)
    def same(values: list[list[str]]) -> None:
        written = io.StringIO(newline="")
        csv.writer(written, delimiter=delimiter).writerows(values)
        read, again = page.evaluate(script, [written.getvalue(), delimiter])
        assert read == values
        back = list(csv.reader(io.StringIO(again, newline=""), delimiter=delimiter))
        assert back == values

    same()
