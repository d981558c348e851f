"""The settings that `audit` and `curve` start from where no recipe is named."""

from __future__ import annotations

from importlib import resources

from textlora.recipes import Recipe, load_recipe


def quick_recipe() -> Recipe:
    """Return settings for small adapters that are trained often."""
    with resources.as_file(resources.files(__package__ or "") / "quick.yaml") as path:
        return load_recipe(str(path))
