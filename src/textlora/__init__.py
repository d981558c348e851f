"""textlora: a table of labelled texts in, a good text classifier out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from textlora.classifier import TextClassifier
    from textlora.config import RunConfig
    from textlora.errors import TextloraError

__all__ = ["RunConfig", "TextClassifier", "TextloraError"]

_HOMES = {
    "TextClassifier": "textlora.classifier",
    "RunConfig": "textlora.config",
    "TextloraError": "textlora.errors",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: `import textlora` itself stays quick."""
    if name not in _HOMES:
        raise AttributeError(f"module 'textlora' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
