"""Recipes from the command line to the report, with models made here."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.tiny import Reviews, write_table

QUICK = ("--set", "training.num_train_epochs=1", "--set", "data.max_length=32")


def test_swap_backbone_takes_any_checkpoint(
    cli: Callable[..., Any], tiny: Callable[[str], Path], reviews: Reviews, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    done = cli(
        *("train", reviews.train, "--valid", reviews.validation, "--recipe", "swap-backbone"),
        *("--model", tiny("roberta"), "--out", out, "--set", "training.num_train_epochs=3"),
        *("--set", "data.max_length=32", "--set", "compute.precision=fp32"),
    )
    assert done.code == 0, done.err
    assert "Before" in done.out
    assert len(json.loads((out / "before_after.json").read_text())) == 5
    answer = json.loads(cli("predict", out, "a good film", "--json").out)
    assert answer["label"] in ("0", "1")
    figures = json.loads(cli("evaluate", out, reviews.test, "--json").out)
    assert figures["rows"] == 16


@pytest.mark.parametrize("recipe", ["distilbert-lora-imdb", "distilbert-lora-bce"])
def test_recipes_with_class_names_take_string_labels(
    recipe: str, cli: Callable[..., Any], tiny: Any, reviews: Reviews, tmp_path: Path
) -> None:
    labels = [["meh", "yay"][label] for label in reviews.labels]
    table = write_table(tmp_path / "t.csv", reviews.texts, labels)
    out = tmp_path / "run"
    options = ("--recipe", recipe, "--model", tiny("distilbert"), "--out", out, *QUICK)
    done = cli("train", table, *options)
    assert done.code == 0, done.err
    assert "classes: meh, yay" in done.out


@pytest.mark.slow
def test_the_bundled_encoder_by_its_recipe(
    cli: Callable[..., Any], reviews: Reviews, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    done = cli(
        *("train", reviews.train, "--recipe", "distilbert-lora-bce", "--model", "bundled"),
        *("--out", out, *QUICK),
    )
    assert done.code == 0, done.err
    assert "12,288" not in done.out
    config = json.loads((out / "adapter" / "adapter_config.json").read_text())
    assert Path(config["base_model_name_or_path"]).is_dir()
    assert cli("predict", out, "It was good.").out.split("\t")[0] in ("Negative", "Positive")
