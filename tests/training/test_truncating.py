"""The end of long texts that is cut is the one that says less."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from support.frozen import frozen_states
from support.tiny import NEGATIVE, OTHER, POSITIVE
from textlora.data.python import parts_from_python
from textlora.data.truncation import Truncation
from textlora.training.settling import settle, side_losses

LIMIT = 16
ROWS = 120


def texts_of(decides: str, words: int = 30) -> tuple[list[str], list[int]]:
    """Texts whose first or last words say their label, and the labels."""
    draw = random.Random(5)  # noqa: S311
    texts, labels = [], []
    for row in range(ROWS):
        said = draw.choices(POSITIVE if row % 2 else NEGATIVE, k=4)
        rest = draw.choices(OTHER, k=words - len(said))
        texts.append(" ".join(said + rest if decides == "beginning" else rest + said))
        labels.append(row % 2)
    return texts, labels


CASES = [("beginning", "right"), ("end", "left")]


@pytest.mark.parametrize(("decides", "cut_off"), CASES)
@pytest.mark.parametrize("multi_label", [False, True])
def test_the_other_end_is_cut(
    decides: str, cut_off: str, multi_label: bool, tiny: Callable[[str], Path]
) -> None:
    texts, labels = texts_of(decides)
    targets: Any = np.array(labels)
    if multi_label:
        targets = np.stack([targets, 1 - targets, np.ones_like(targets)], axis=1)
    states = frozen_states(tiny("distilbert"))
    losses = side_losses(texts, targets, states, Truncation(LIMIT, "left", 0.25))
    assert set(losses) == {"left", "right"}
    assert min(losses, key=lambda side: losses[side]) == cut_off
    # Without the words that decide there is nothing to know.
    assert max(losses.values()) > 1.5 * min(losses.values())


def test_too_few_long_texts_say_nothing(tiny: Callable[[str], Path]) -> None:
    texts, labels = texts_of("beginning", words=8)
    states = frozen_states(tiny("distilbert"))
    cut = Truncation(LIMIT, "left", 0.25)
    assert side_losses(texts, np.array(labels), states, cut) == {}
    long, their = texts_of("beginning")
    some = [*long[:5], *texts[5:]], np.array([*their[:5], *labels[5:]])
    assert side_losses(*some, states, cut) == {}


@pytest.mark.parametrize(("decides", "cut_off"), CASES)
def test_the_side_that_is_trained_with(
    decides: str, cut_off: str, make_config: Callable[..., Any]
) -> None:
    def settled(**changes: Any) -> tuple[Any, str]:
        settings = {"data.max_length": LIMIT, "data.truncation_side": "auto"}
        config = make_config({**settings, **{f"data.{key}": changes[key] for key in changes}})
        data = config.data.model_copy(update={"train": None, "validation": None, "test": None})
        parts = parts_from_python(*texts_of(decides), None, data)
        found = settle(config, parts, Console(quiet=True))
        return found.config.data.truncation_side, " ".join(found.reasons)

    side, reasons = settled()
    assert side == cut_off
    assert f"lose their {cut_off} end" in reasons
    # What is set stays, and where nothing is cut off there is nothing to choose.
    assert settled(truncation_side="head+tail")[0] == "head+tail"
    side, reasons = settled(max_length=64)
    assert (side, "lose their" in reasons) == ("left", False)
    assert settled(long_texts="windows")[0] == "left"
