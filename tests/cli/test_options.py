"""Flags that stand for settings: which, of which type, and what a verb gets of them."""

from __future__ import annotations

import inspect
from typing import Any, get_args

import pytest

from textlora.cli.options import FLAGS, Flag, Given, takes
from textlora.config import valid_keys


@pytest.mark.parametrize("name", FLAGS)
def test_every_flag_stands_for_a_setting(name: str) -> None:
    flag = FLAGS[name]
    assert flag.setting in valid_keys()
    option = get_args(flag.parameter().annotation)[1]
    assert len(option.help) < 90


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("--max-length", int),
        ("--epochs", float),
        ("--header", bool),
        ("--rare-classes", str),
        ("--class-weight", str),
    ],
)
def test_a_flag_has_the_type_of_its_setting(name: str, kind: type) -> None:
    assert get_args(FLAGS[name].parameter().annotation)[0] == kind | None


def test_a_verb_gets_what_was_given() -> None:
    got: list[Any] = []

    @takes("--epochs", "--no-baselines", "--header", Flag("--split", "data.test_split", "Which."))
    def verb(run: str, *, given: Given, top: int = 3) -> None:
        got.append((run, given, top))

    parameters = inspect.signature(verb).parameters
    assert list(parameters) == ["run", "epochs", "no_baselines", "header", "split", "top"]
    verb(run="a", epochs=None, no_baselines=True, header=False, split=None, top=1)
    given = {"training": {}, "evaluation": {"baselines": False}, "data": {"header": False}}
    assert got == [("a", given, 1)]
