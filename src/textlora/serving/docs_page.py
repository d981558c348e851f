"""The routes as a small page, without scripts and without a request to anywhere else."""

from __future__ import annotations

from html import escape
from typing import Any

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
