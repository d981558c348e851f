"""Names of the classes as texts: where they are taken, and what they are made of."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from textlora.data.loading import Part
from textlora.data.python import parts_from_python
from textlora.data.tables import TextTable
from textlora.data.truncation import Truncation
from textlora.errors import ConfigError
from textlora.training.building import check_settings
from textlora.training.settling import MOST_ROWS_A_CLASS, in_words, names_help, with_names

Make = Callable[..., Any]


class States:
    """Stands for the frozen encoder: a text's state counts the words that it has."""

    def __init__(self, tokenizer: Any, words: list[str]) -> None:
        self.tokenizer, self.words, self.asked = tokenizer, words, 0

    def __call__(self, sequences: Any) -> np.ndarray[Any, Any]:
        self.asked += 1
        texts = [self.tokenizer.decode(each, skip_special_tokens=True) for each in sequences]
        return np.array([[float(word in text.split()) for word in self.words] for text in texts])


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("card_arrival", "card arrival"),
        ("cardArrival", "card arrival"),
        ("Refund not-showing/up?", "Refund not showing up?"),
        ("  çok_güzel ", "çok güzel"),
        ("हिन्दी", "हिन्दी"),
        ("C++ code", "C++ code"),
        ("income<=50k", "income<=50k"),
        ("sci.space", "sci space"),
        ("-", ""),
        ("IMDb", "IMDb"),
        ("topic 3", "topic 3"),
    ],
)
def test_names_in_words(name: str, words: str) -> None:
    assert in_words(name).lower() == words.lower()


def part_of(texts: list[str], targets: list[int], weights: list[float] | None = None) -> Part:
    table = TextTable(
        "a list", texts, [str(each) for each in targets], [*range(len(texts))], [], None
    )
    return Part(table, np.array(targets), None if weights is None else np.array(weights))


def test_names_come_after_the_rows() -> None:
    part = part_of(["one", "two", "three"], [0, 1, 0], [1.0, 2.0, 3.0])
    more = with_names(part, ["good_news", "bad_news"])
    assert more.table.texts == ["one", "two", "three", "good news", "bad news"]
    assert more.targets.tolist() == [0, 1, 0, 0, 1]
    assert more.weights is not None
    assert more.weights.tolist() == [1, 2, 3, 2, 2]  # as a row on average
    assert with_names(part_of(["one"], [0]), ["a", "b"]).weights is None


def test_they_are_taken_where_they_help(tiny: Callable[[str], Path]) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny("distilbert"))
    words = ["good", "bad", "film"]
    cut = Truncation(32, "left", 0.25)
    # Every text is the word of its class, or says nothing.
    texts = ["good", "bad", "film", "it", "it", "it"] * 5
    part = part_of(texts, [0, 1, 2, 0, 1, 2] * 5)

    def ask(names: list[str], rows: Part = part) -> bool:
        return names_help(rows, names, States(tokenizer, words), cut)  # type: ignore[arg-type]

    few = part.select(np.arange(6))
    assert ask(words, few)
    assert not ask(["film", "good", "bad"])  # misleading
    assert not ask(["c1", "c2", "c3"], few)  # no words
    assert not ask(["good", "Good", "film"], few)  # the same text for two classes
    assert not ask(words[:2], part_of(["good", "bad"], [0, 1]))  # too few classes to ask
    assert not ask(words, part.select(np.arange(4)))  # a class with one row
    many = part_of(texts * MOST_ROWS_A_CLASS, [0, 1, 2, 0, 1, 2] * 5 * MOST_ROWS_A_CLASS)
    assert not ask(words, many)
    several = Part(part.table, np.eye(3, dtype=np.float32)[part.targets])
    assert not ask(words, several)


def test_training_learns_from_names_alone(run: Make) -> None:
    """Rows that say nothing, and names that do."""
    texts = ["it was a film", "it is the film", "a film it was", "the film it is"] * 10
    labels = ["good", "bad"] * 20
    held = (["good", "bad"] * 4, ["good", "bad"] * 4)
    settings = {
        "training.class_names": True,
        "training.num_train_epochs": 30,
        "data.train": None,
        "data.validation": None,
        "data.test": None,
    }

    def trained(names: bool) -> Any:
        from textlora.config import DataConfig

        parts = parts_from_python(texts, labels, held, DataConfig(test_size=0))
        changes = {**settings, "training.class_names": names}
        return run(changes, f"names-{names}", parts=parts)

    done = trained(True)
    assert done.results["validation"].metrics.accuracy == 1
    assert trained(False).results["validation"].metrics.accuracy < 1
    # They are texts to learn from, not rows of the table.
    assert done.inspection.parts[0].rows == 40


def test_several_labels_are_refused(make_config: Make) -> None:
    from textlora.config import DataConfig

    parts = parts_from_python(
        ["a b", "c d"] * 8, [["x"], ["x", "y"]] * 8, None, DataConfig(test_size=0)
    )
    config = make_config({"training.class_names": True})
    with pytest.raises(ConfigError, match="class_names is for one label"):
        check_settings(config, parts)
