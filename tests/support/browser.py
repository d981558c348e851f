"""Chromium for tests of pages."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

DESKTOP, PHONE = {"width": 1100, "height": 900}, {"width": 390, "height": 844}
_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
_PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@dataclass
class Visit:
    """An open page and what it did.

    Args:
        page: the page.
        logged: what its console says.
        requests: what it asked for.
    """

    page: Any
    logged: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    @classmethod
    def begin(cls, context: Any) -> Visit:
        """Return an empty page of a browser context, watched from the start."""
        visit = cls(context.new_page())
        visit.page.on("console", lambda message: visit.logged.append(message.text))
        visit.page.on("pageerror", lambda error: visit.logged.append(str(error)))
        visit.page.on("request", lambda request: visit.requests.append(request.url))
        return visit


@contextmanager
def chromium() -> Iterator[Any]:
    """Start the machine's Chromium; without one the test is skipped, in CI it fails."""
    from playwright.sync_api import sync_playwright

    program = next((found for name in _PROGRAMS if (found := shutil.which(name))), None)
    if program is None:
        reason = "no chromium on this machine (on Debian: apt-get install chromium)"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=_FLAGS)
        yield started
        started.close()
