"""What the tests of the auditing package share."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from support.tiny import NEGATIVE, OTHER, POSITIVE, write_table

if TYPE_CHECKING:
    from textlora.config import RunConfig

ROWS = 120


@dataclass(frozen=True)
class Labelled:
    """Different texts whose label is decided by one word, some of them labelled wrongly."""

    texts: list[str]
    labels: list[int]
    flipped: list[int]
    file: Path


@pytest.fixture(scope="session")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Labelled:
    """Return 120 texts; the labels of eight are the wrong ones."""
    draw = random.Random(3)  # noqa: S311
    texts: dict[str, int] = {}
    while len(texts) < ROWS:
        label = len(texts) % 2
        words = draw.choices(OTHER, k=draw.randint(3, 8))
        words.insert(draw.randrange(len(words)), draw.choice(POSITIVE if label else NEGATIVE))
        texts.setdefault(" ".join(words), label)
    flipped = sorted(draw.sample(range(ROWS), 8))
    labels = [1 - label if row in flipped else label for row, label in enumerate(texts.values())]
    file = tmp_path_factory.mktemp("labelled") / "labelled.csv"
    write_table(file, list(texts), labels)
    return Labelled(list(texts), labels, flipped, file)


@pytest.fixture(scope="session")
def audit_config(
    make_config: Callable[..., RunConfig], labelled: Labelled
) -> Callable[..., RunConfig]:
    """Return a function that makes quick settings for these rows."""

    def _make(changes: dict[str, Any] | None = None) -> RunConfig:
        own = {
            "data.train": str(labelled.file),
            "data.validation": None,
            "data.test": None,
            "training.num_train_epochs": 3,
        }
        return make_config({**own, **(changes or {})})

    return _make
