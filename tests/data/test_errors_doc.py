"""docs/errors.md quotes every message as the code really says it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from textlora.errors import ConfigError, DataError, StorageError

from .cases import CASES, Case

DOC = Path(__file__).parents[2] / "docs" / "errors.md"
_QUOTE = re.compile(r"^### (?P<title>[^\n]+)\n(?:(?!^#).*\n)*?```text\n(?P<quote>.*?)\n```", re.M)


def quotes() -> dict[str, str]:
    """Return the quoted message under each heading."""
    text = DOC.read_text(encoding="utf-8")
    return {match["title"]: match["quote"] for match in _QUOTE.finditer(text)}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_message_is_quoted_as_it_is(case: Case, tmp_path: Path) -> None:
    assert quotes().get(case.title) == case.message(tmp_path)


def test_every_message_ends_the_program_with_2() -> None:
    assert {error.exit_code for error in (ConfigError, DataError, StorageError)} == {2}


def test_no_quote_without_a_case() -> None:
    assert set(quotes()) == {case.title for case in CASES}
