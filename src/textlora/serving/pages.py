"""The page at `/`, in the colours of the report, and the routes as a small page."""

from __future__ import annotations

from html import escape
from importlib.resources import files
from typing import Any

from fastapi import FastAPI
from fastapi.responses import Response

from textlora.report.attributions import words_css
from textlora.report.theme import DARK_MEDIA, FONT_STACK, css_variables

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:52rem;margin:2rem auto;padding:0 1rem;"
    "color-scheme:light dark}code{font-size:.9em}section{margin:1.5rem 0}"
    "pre{overflow:auto;padding:.75rem;border:1px solid #8886;border-radius:.4rem}"
)
_EXAMPLE = """curl -s localhost:8080/predict -H 'Content-Type: application/json' \\
  -d '{"inputs": "It was good.", "parameters": {"top_k": 1}}'"""


def docs_page(openapi: dict[str, Any]) -> str:
    """Return the page for an OpenAPI description."""
    sections = [
        _section(method, path, operation)
        for path, operations in openapi["paths"].items()
        for method, operation in operations.items()
    ]
    title = escape(openapi["info"]["title"])
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{title}: routes</title>"
        "<meta name=viewport content='width=device-width'>"
        f"<style>{_STYLE}</style><main><h1>{title}</h1><p>The whole description, for tools: "
        f"<a href=openapi.json>openapi.json</a>.</p><pre>{escape(_EXAMPLE)}</pre>"
        f"{''.join(sections)}</main></html>"
    )


def _section(method: str, path: str, operation: dict[str, Any]) -> str:
    schema = (operation.get("requestBody", {}).get("content", {}).get("application/json", {})).get(
        "schema", {}
    )
    body = schema.get("$ref", "").rpartition("/")[2]
    taken = f" Body: <code>{escape(body)}</code>." if body else ""
    statuses = ", ".join(operation["responses"])
    return (
        f"<section><h2><code>{escape(method.upper())} {escape(path)}</code></h2>"
        f"<p>{escape(operation.get('description', ''))}{taken}</p>"
        f"<p>Answers: {escape(statuses)}</p></section>"
    )


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
