"""The shipped recipes are valid, and count what their sources published."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from textlora.errors import ConfigError
from textlora.recipes import load_recipe, recipe_names


@pytest.mark.parametrize("name", recipe_names())
def test_every_shipped_recipe_is_valid(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.title
    assert recipe.config().recipe == name


@pytest.mark.parametrize(
    ("name", "trainable", "total"),
    [
        ("distilbert-lora-imdb", 628_994, 67_584_004),
        ("distilbert-lora-bce", 74_497, None),
        # 12 x 4 x 768 x 2 of LoRA, the 768 -> 768 -> 2 head, and its frozen copy in the total.
        ("swap-backbone", 73_728 + 592_130, 124_055_040 + 73_728 + 2 * 592_130),
    ],
)
def test_parameters_are_the_published_ones(name: str, trainable: int, total: int | None) -> None:
    from textlora.model.adapters import count_config

    count = count_config(load_recipe(name).config())
    assert count.trainable == trainable
    assert total in (None, count.total)


def test_own_rows_replace_all_sources_of_a_recipe() -> None:
    config = load_recipe("distilbert-lora-quick").without_sources().config(data={"train": "a.csv"})
    assert config.data.train == "a.csv"
    assert (config.data.train_split, config.data.validation, config.data.validation_split) == (
        None,
        None,
        None,
    )
    assert config.data.subset == 1000


def test_assignments_come_last_and_none_is_no_value() -> None:
    recipe = load_recipe("distilbert-lora-imdb")
    config = recipe.config(["lora.r=2"], lora={"r": 16, "lora_alpha": None})
    assert (config.lora.r, config.lora.lora_alpha) == (2, 32)
    assert recipe.config().lora.r == 4


def test_a_run_s_settings_are_a_recipe(tmp_path: Path) -> None:
    config = load_recipe("distilbert-lora-bce").config(data={"train": "a.csv"})
    (tmp_path / "config.yaml").write_text(config.to_yaml())
    assert load_recipe(str(tmp_path / "config.yaml")).config() == config


# What a run saved before there was a start to choose.
BEFORE = """
recipe: default
data: {train: a.csv, truncation_side: left, max_length: null}
model:
  {name_or_path: bundled, revision: null, head: linear, pooling: mean, loss: auto}
training:
  num_train_epochs: 5.0
  per_device_train_batch_size: 16
  learning_rate: 0.0005
  warmup_ratio: 0.0
  metric_for_best_model: accuracy
  class_weight: null
evaluation: {threshold: default}
"""


def test_settings_that_a_run_saved_before_mean_what_they_meant(tmp_path: Path) -> None:
    from textlora.training.automatic import is_complete

    saved, own = tmp_path / "config.yaml", tmp_path / "own.yaml"
    saved.write_text(BEFORE)
    own.write_text(BEFORE.replace("recipe: default\n", ""))
    config = load_recipe(str(saved)).config()
    assert is_complete(config)
    assert (config.model.head_init, config.training.contrastive_weight) == ("random", 0)
    # A file of one's own says nothing of what it leaves out.
    assert load_recipe(str(own)).config().model.head_init == "auto"


@pytest.mark.parametrize("name", recipe_names())
def test_the_shipped_recipes_leave_nothing_to_the_table(name: str) -> None:
    """They are what was published, whatever the rows."""
    from textlora.training.automatic import is_complete

    config = load_recipe(name).config()
    assert is_complete(config)
    assert config.model.head_init == "random"
    assert config.training.contrastive_weight == config.training.warmup_ratio == 0


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("lora: 3", "'lora' is no section"),
        ("about: 3", "'about' is no mapping"),
        ("lorra: {r: 3}", "there is no setting 'lorra'"),
        ("lora: {rr: 3}", r"there is no setting 'lora\.rr'"),
    ],
)
def test_a_bad_file_says_where(tmp_path: Path, content: str, problem: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(content)
    with pytest.raises(ConfigError, match=problem):
        load_recipe(str(path)).config()


def test_unknown_names_propose_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Did you mean distilbert-lora-imdb"):
        load_recipe("distilbert-lora-imbd")
    with pytest.raises(ConfigError, match="No such file"):
        load_recipe(str(tmp_path / "none.yaml"))


def test_check_prints_the_published_figures(cli: Callable[..., Any]) -> None:
    done = cli("recipes", "check", "distilbert-lora-imdb")
    assert "trainable 628,994 of 67,584,004 (0.93%)" in done.out
    assert "trainable 74,497 of" in cli("recipes", "check", "distilbert-lora-bce").out
