"""The page at `/`: files of this package, and a style sheet with the colours of the report."""

from __future__ import annotations

from importlib.resources import files

from fastapi import FastAPI
from fastapi.responses import Response

from textlora.report.attributions import words_css
from textlora.report.theme import DARK_MEDIA, FONT_STACK, css_variables

_MODULES = ("app.js", "answer.js", "table.js", "csv.js", "server.js", "dom.js")
_TYPES = {"html": "text/html", "js": "text/javascript", "css": "text/css"}
# The page may talk to its own server, and to nobody else.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
PAGE_PATHS = ("/", "/page/style.css", *(f"/page/{name}" for name in _MODULES))


def add_page(app: FastAPI) -> None:
    """Answer at `/` and below `/page` with the page; its files are read here."""
    _add(app, "/", "html", _read("index.html"))
    _add(app, "/page/style.css", "css", _style())
    for name in _MODULES:
        _add(app, f"/page/{name}", "js", _read(name))


def _add(app: FastAPI, path: str, kind: str, content: str) -> None:
    async def page() -> Response:
        headers = {"Content-Security-Policy": _POLICY}
        return Response(content, media_type=_TYPES[kind], headers=headers)

    app.get(path, include_in_schema=False)(page)


def _read(name: str) -> str:
    return (files("textlora.serving") / "page" / name).read_text(encoding="utf-8")


def _style() -> str:
    return (
        f":root{{{css_variables('light')}--fonts:{FONT_STACK}}}\n"
        f"@media {DARK_MEDIA}{{:root{{{css_variables('dark')}}}}}\n"
        f"{words_css()}\n{_read('style.css')}"
    )
