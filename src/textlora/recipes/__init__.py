"""Named settings: the shipped recipes, those in a user's YAML file, and the demo's.

A recipe file has the sections of `RunConfig` and may say in `about` where it
comes from and what it published.

The demo trains on 2,660 texts on invented films, written for textlora, half of them positive,
in fixed parts of 1,862, 266 and 532 rows: 1,540 short reviews, and 1,120 verdicts of a line.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field, replace
from importlib import resources
from pathlib import Path
from typing import Any

from textlora.config import BUNDLED_MODEL, RunConfig, build_config, read_yaml, set_value
from textlora.errors import ConfigError

# Settings of section `data` that say where rows come from.
SOURCE_KEYS = (
    *("train", "validation", "test", "train_split", "validation_split", "test_split"),
    *("dataset_config", "dataset_revision"),
)

PARTS = ("train", "validation", "test")

# What a run did before there was the setting, which its saved settings lack.
BEFORE_SETTINGS: dict[str, dict[str, Any]] = {
    "model": {"head_init": "random"},
    "training": {
        "contrastive_weight": 0.0,
        "token_dropout": 0.0,
        "class_names": False,
        "refit": False,
    },
}


@dataclass(frozen=True)
class Recipe:
    """Settings under a name.

    Args:
        name: the file's name without its ending.
        settings: nested plain values, as the file has them.
        title: one line on what it does.
        published: figures that its source published, by name.
    """

    name: str
    settings: dict[str, Any]
    title: str = ""
    published: dict[str, Any] = field(default_factory=dict)

    def without_sources(self) -> Recipe:
        """Return the recipe for rows of one's own: it names no data any more."""
        data = self.settings.get("data", {})
        kept = {key: value for key, value in data.items() if key not in SOURCE_KEYS}
        return replace(self, settings={**self.settings, "data": kept})

    def config(self, assignments: list[str] | None = None, **sections: dict[str, Any]) -> RunConfig:
        """Return the full settings, with some replaced.

        Args:
            assignments: `section.key=value` texts, applied last.
            sections: values by section, applied over the recipe's.

        Raises:
            ConfigError: an unknown key or a value of the wrong type.
        """
        values = {section: dict(entries) for section, entries in self.settings.items()}
        for section, entries in sections.items():
            given = {key: value for key, value in entries.items() if value is not None}
            values[section] = {**values.get(section, {}), **given}
        for assignment in assignments or []:
            set_value(values, assignment)
        return build_config({"recipe": self.name, **values}, origin=self.name)


DEFAULT_RECIPE = Recipe("default", {}, "textlora's own defaults")


def recipe_names() -> list[str]:
    """Return the shipped recipes' names."""
    folder = resources.files(__name__)
    return sorted(
        entry.name.removesuffix(".yaml")
        for entry in folder.iterdir()
        if entry.name.endswith(".yaml")
    )


def load_recipe(name: str | None) -> Recipe:
    """Return a shipped recipe by name, one from a YAML file, or the defaults for None.

    Raises:
        ConfigError: there is no such recipe, or the file cannot be read.
    """
    if name is None or name == DEFAULT_RECIPE.name:
        return DEFAULT_RECIPE
    if name.endswith((".yaml", ".yml")):
        return _from_file(Path(name))
    if name not in recipe_names():
        close = difflib.get_close_matches(name, recipe_names(), n=1, cutoff=0.0)
        raise ConfigError(
            f"There is no recipe '{name}'.",
            f"Did you mean {close[0]}? See them all with: textlora recipes list",
        )
    with resources.as_file(resources.files(__name__) / f"{name}.yaml") as path:
        return _from_file(path)


def reviews_path(part: str) -> Path:
    """Return the CSV file of the demo's "train", "validation" or "test" reviews."""
    if part not in PARTS:
        raise ValueError(f"{part!r} is not one of {PARTS}")
    return Path(str(resources.files(__name__) / "demo" / f"{part}.csv"))


def demo_config() -> RunConfig:
    """Return the demo's settings: bundled reviews, bundled encoder, two minutes on two cores."""
    samples = load_recipe("distilbert-lora-imdb").settings["data"]["sample_texts"]
    with resources.as_file(resources.files(__name__) / "demo" / "demo.yaml") as path:
        recipe = _from_file(path)
    return recipe.config(
        data={**{part: str(reviews_path(part)) for part in PARTS}, "sample_texts": samples},
        model={"name_or_path": BUNDLED_MODEL},
    )


def saved_config(file: Path) -> RunConfig:
    """Return a run's saved settings; the defaults where it has none, as an adapter folder alone.

    Raises:
        ConfigError: the file cannot be read.
    """
    return load_recipe(str(file)).config() if file.is_file() else RunConfig()


def _from_file(path: Path) -> Recipe:
    values = read_yaml(path)
    about = values.pop("about", None) or {}
    if not isinstance(about, dict):
        raise ConfigError(f"{path}: 'about' is no mapping.", "Write about: {title: …}.")
    # A run's own config.yaml, and nothing else, names the recipe it came from.
    recipe = values.pop("recipe", None)
    for section, entries in values.items():
        if not isinstance(entries, dict):
            raise ConfigError(f"{path}: '{section}' is no section of settings.", "Indent its keys.")
    if recipe is not None:
        for section, entries in BEFORE_SETTINGS.items():
            values[section] = {**entries, **values.get(section, {})}
    return Recipe(recipe or path.stem, values, about.get("title", ""), about.get("published", {}))
