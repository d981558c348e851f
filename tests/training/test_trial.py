"""What a few steps say of many."""

from __future__ import annotations

import pytest

from textlora.config import RunConfig, SettledConfig
from textlora.training.automatic import TableFacts, with_automatic
from textlora.training.trials import RegressionCost, StepCost


def test_short_texts_cost_their_step_more_than_their_tokens() -> None:
    """Steps of 20 ms and 0.01 ms a token: 800 tokens, and 200."""
    cost = StepCost.through((0.028, 800), (0.022, 200))
    assert cost.fixed == pytest.approx(0.02)
    assert cost.per_token == pytest.approx(1e-5)
    assert cost.seconds(50, 40_000) == pytest.approx(1.4)
    # A last, short step costs nearly as much as a full one.
    assert cost.seconds(1, 10) == pytest.approx(0.0201)


@pytest.mark.parametrize("small", [(0.05, 200.0), (0.001, 200.0), (0.03, 800.0)])
def test_a_noisy_small_step_never_bends_the_line_the_wrong_way(small: tuple[float, float]) -> None:
    cost = StepCost.through((0.03, 800.0), small)
    assert cost.fixed >= 0
    assert cost.per_token >= 0
    assert cost.seconds(1, 800) == pytest.approx(0.03)


def settled(**model: str) -> SettledConfig:
    facts = TableFacts(100, 2, False, 1_000, 50, 50)
    given = {"model": model, "data": {"truncation_side": "right"}}
    return with_automatic(RunConfig.model_validate(given), facts)


ENCODING = {"train": 10.0, "validation": 1.0, "test": 2.0}


def test_what_the_start_encodes_the_baselines_need_not() -> None:
    before, after = RegressionCost(5.0, 3.0).seconds(settled(), ENCODING)
    assert (before, after) == (16.0, 10.0)


def test_what_was_encoded_to_choose_the_settings_is_not_encoded_again() -> None:
    cost = RegressionCost(5.0, 3.0, frozenset({"train"}))
    assert cost.seconds(settled(), ENCODING) == (6.0, 10.0)


def test_without_a_start_the_baselines_encode_all() -> None:
    before, after = RegressionCost(5.0, 3.0).seconds(settled(head_init="random"), ENCODING)
    assert (before, after) == (0.0, 21.0)


def test_without_baselines_nothing_comes_after() -> None:
    config = settled()
    alone = config.evaluation.model_copy(update={"baselines": False})
    config = config.model_copy(update={"evaluation": alone})
    assert RegressionCost(5.0, 3.0).seconds(config, ENCODING) == (16.0, 0.0)
