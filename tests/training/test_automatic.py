"""Settings by the table: what was set stays, nothing is left automatic, and all is in bounds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from textlora.config import RunConfig, SettledConfig, build_config
from textlora.training.automatic import TableFacts, is_complete, with_automatic

# Each automatic setting, and something else to set it to.
CHOICES: dict[str, Any] = {
    "data.truncation_side": "head+tail",
    "model.head_init": "random",
    "training.num_train_epochs": 1.5,
    "training.per_device_train_batch_size": 3,
    "training.learning_rate": 7e-3,
    "training.class_weight": None,
    "training.contrastive_weight": 0.25,
    "training.token_dropout": 0.3,
    "training.class_names": True,
    "training.refit": True,
    "training.metric_for_best_model": "mcc",
    "evaluation.threshold": "f1",
}


def config_of(settings: dict[str, Any]) -> RunConfig:
    """Return the settings, with the truncation side that is chosen before the table is counted."""
    values: dict[str, dict[str, Any]] = {"data": {"truncation_side": "left"}}
    for key, value in settings.items():
        section, name = key.split(".")
        values.setdefault(section, {})[name] = value
    return build_config(values, origin="a test")


def value_of(config: RunConfig, key: str) -> Any:
    section, name = key.split(".")
    return getattr(getattr(config, section), name)


def facts_of(counts: list[int], *, multi_label: bool = False, length: int = 20) -> TableFacts:
    rows = sum(counts)
    return TableFacts(rows, len(counts), multi_label, rows * length, min(counts), max(counts))


TABLES = st.builds(
    facts_of,
    st.lists(st.integers(1, 5_000), min_size=2, max_size=60),
    multi_label=st.booleans(),
    length=st.integers(3, 512),
)
HEADS = st.sampled_from(
    [("linear", "mean"), ("linear", "cls"), ("mlp", "mean"), ("mlp", "cls"), ("auto", "cls")]
)


@given(TABLES, st.sets(st.sampled_from(sorted(CHOICES))), HEADS)
def test_what_was_set_stays_and_nothing_is_left_to_choose(
    facts: TableFacts, chosen: set[str], head: tuple[str, str]
) -> None:
    if head[0] != "linear":
        chosen = chosen - {"training.contrastive_weight"}
    given = {key: CHOICES[key] for key in chosen}
    config = config_of({"model.head": head[0], "model.pooling": head[1], **given})
    settled = with_automatic(config, facts)
    for key, value in given.items():
        assert value_of(settled, key) == value
    assert isinstance(settled, SettledConfig)
    assert is_complete(settled)
    assert is_complete(config) == (chosen | {"data.truncation_side"} == set(CHOICES))
    untouched: dict[str, set[str]] = {key.split(".")[0]: set() for key in CHOICES}
    for key in CHOICES:
        section, name = key.split(".")
        untouched[section].add(name)
    before, after = (each.model_dump(exclude=untouched) for each in (config, settled))
    assert before == after


@given(TABLES)
def test_bounds(facts: TableFacts) -> None:
    training = with_automatic(config_of({}), facts).training
    assert training.num_train_epochs >= 1
    assert training.num_train_epochs == int(training.num_train_epochs)
    assert 1e-4 <= training.learning_rate <= 2e-3
    assert 8 <= training.per_device_train_batch_size <= 64
    assert 0 <= training.contrastive_weight < 1
    # Enough updates for a head to move, however few the rows are, and no endless training.
    updates = facts.rows * training.num_train_epochs / training.per_device_train_batch_size
    assert updates >= 50
    if facts.rows >= 500:
        assert training.num_train_epochs <= 30


@given(TABLES, st.integers(1, 64), st.integers(1, 8))
def test_larger_updates_need_no_fewer_epochs(facts: TableFacts, batch: int, summed: int) -> None:
    def epochs(rows: int, steps: int) -> float:
        given = {
            "training.per_device_train_batch_size": rows,
            "training.gradient_accumulation_steps": steps,
        }
        return with_automatic(config_of(given), facts).training.num_train_epochs

    assert epochs(batch, summed) <= epochs(2 * batch, summed)
    assert epochs(batch, summed) <= epochs(batch, summed + 1)


@pytest.mark.parametrize(
    ("facts", "uneven"),
    [
        (facts_of([100, 100]), False),
        (facts_of([100, 120, 90]), False),
        (facts_of([1_000, 20]), True),
        (facts_of([400, 300, 300, 12]), True),
        (facts_of([100, 100, 100], multi_label=True), True),
    ],
)
def test_uneven_classes_are_judged_by_f1_and_weighed(facts: TableFacts, uneven: bool) -> None:
    training = with_automatic(config_of({}), facts).training
    assert training.metric_for_best_model == ("f1" if uneven else "accuracy")
    assert (training.class_weight is not None) == uneven


@pytest.mark.parametrize(
    ("head", "pooling", "start"),
    [
        ("linear", "mean", "logistic_regression"),
        ("linear", "cls", "random"),
        ("mlp", "mean", "random"),
        ("auto", "cls", "random"),
    ],
)
def test_the_start_is_a_regression_where_the_head_is_one(
    head: str, pooling: str, start: str
) -> None:
    config = config_of({"model.head": head, "model.pooling": pooling})
    assert with_automatic(config, facts_of([50, 50])).model.head_init == start


@given(TABLES, HEADS, st.sampled_from(["auto", "cross_entropy", "bce"]))
def test_the_contrastive_loss_is_only_where_it_can_be(
    facts: TableFacts, head: tuple[str, str], loss: str
) -> None:
    """One label per text, and one linear layer whose input is known."""
    if head == ("auto", "cls") and loss == "bce":
        return
    given = {"model.head": head[0], "model.pooling": head[1], "model.loss": loss}
    weight = with_automatic(config_of(given), facts).training.contrastive_weight
    if facts.multi_label or head[0] != "linear":
        assert weight == 0


def test_facts_are_counted_on_the_rows() -> None:
    lengths = np.array([5, 7, 9, 3])
    one = TableFacts.of(np.array([0, 2, 2, 2]), 3, lengths)
    assert (one.rows, one.classes, one.multi_label, one.tokens) == (4, 3, False, 24)
    assert (one.smallest, one.largest) == (1, 3)  # a class without rows has no say
    several = TableFacts.of(np.array([[1, 0], [1, 1], [1, 0], [0, 0]]), 2, lengths)
    assert (several.rows, several.multi_label) == (4, True)
    assert (several.smallest, several.largest) == (1, 3)
    for told in ("4 rows", "3 classes", "1 to 3 rows", "6 tokens"):
        assert told in one.told


def test_settings_with_gaps_are_not_settled() -> None:
    with pytest.raises(ValueError, match="num_train_epochs"):
        SettledConfig.of(RunConfig())


@pytest.mark.parametrize(
    ("facts", "refit"),
    [
        (facts_of([9] * 77, length=16), True),
        (facts_of([500, 500], length=20), True),
        (facts_of([50, 50], length=270), False),  # long texts cost more than they gain
        (facts_of([6_000, 6_000], length=10), False),
        (facts_of([4_500, 4_500], length=60), False),  # too many tokens in all epochs
        (facts_of([50, 50], multi_label=True), False),
    ],
)
def test_a_last_training_is_for_what_is_cheap(facts: TableFacts, refit: bool) -> None:
    assert with_automatic(config_of({}), facts).training.refit == refit


def test_token_dropout_is_for_many_classes_and_names_for_where_they_help() -> None:
    many, two = facts_of([9] * 77), facts_of([50, 50])
    assert with_automatic(config_of({}), many).training.token_dropout > 0
    assert with_automatic(config_of({}), two).training.token_dropout == 0
    assert not with_automatic(config_of({}), many).training.class_names
    assert with_automatic(config_of({}), many, names_help=True).training.class_names
    given = config_of({"training.class_names": False})
    assert not with_automatic(given, many, names_help=True).training.class_names
