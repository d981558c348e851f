"""The reviews written for textlora, and the settings of the demo.

2,660 texts on invented films, half of them positive, in fixed parts of 1,862, 266 and
532 rows: 1,540 short reviews, and 1,120 verdicts of a line.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from textlora.config import BUNDLED_MODEL, RunConfig
from textlora.recipes import load_recipe

PARTS = ("train", "validation", "test")
SAMPLES_FROM = "distilbert-lora-imdb"


def reviews_path(part: str) -> Path:
    """Return the CSV file of "train", "validation" or "test"."""
    if part not in PARTS:
        raise ValueError(f"{part!r} is not one of {PARTS}")
    return Path(str(resources.files(__name__) / f"{part}.csv"))


def demo_config() -> RunConfig:
    """Return the demo's settings: bundled reviews, bundled encoder, two minutes on two cores."""
    samples = load_recipe(SAMPLES_FROM).settings["data"]["sample_texts"]
    with resources.as_file(resources.files(__name__) / "demo.yaml") as path:
        recipe = load_recipe(str(path))
    return recipe.config(
        data={**{part: str(reviews_path(part)) for part in PARTS}, "sample_texts": samples},
        model={"name_or_path": BUNDLED_MODEL},
    )
