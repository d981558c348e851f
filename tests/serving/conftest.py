"""Tiny adapters in a folder, and applications that serve them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from support.adapters import RECIPES, save_served
from textlora.metrics.decisions import Decision
from textlora.serving import Limits, ServingSettings
from textlora.serving.app import create_app

Serve = Callable[..., TestClient]


@pytest.fixture(scope="session")
def adapters(tiny: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of adapters: `a`, one unlike the other, and some of their own kind."""
    folder = tmp_path_factory.mktemp("adapters")
    model = tiny("distilbert")
    for number, recipe in enumerate(RECIPES):
        save_served(folder / f"a{number}", model, recipe, seed=number, temperature=1.5)
    rule = Decision(thresholds=(0.01,), min_confidence=None)
    save_served(folder / "eager", model, decision=rule)
    save_served(folder / "shy", model, decision=Decision(min_confidence=1.0))
    save_served(folder / "short", model, max_length=6)
    save_served(
        folder / "windows",
        model,
        max_length=8,
        long_texts="windows",
        window_stride=2,
        max_windows=8,
    )
    return folder


@pytest.fixture
def serve(adapters: Path) -> Iterator[Serve]:
    """Return a function that serves adapters of the folder to a client in this process."""
    with ExitStack() as stack:

        def start(*names: str, limits: Limits | None = None, **settings: Any) -> TestClient:
            app = create_app(
                ServingSettings(
                    runs=tuple((name, adapters / name) for name in names or ("a0",)),
                    limits=limits or Limits(),
                    precision="fp32",
                    **settings,
                )
            )
            return stack.enter_context(TestClient(app, raise_server_exceptions=False))

        yield start


@pytest.fixture(scope="session")
def run_async() -> Callable[[Any], Any]:
    """Return a function that runs a coroutine to its end."""
    return asyncio.run
