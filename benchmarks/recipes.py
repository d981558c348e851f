"""Run the shipped recipes with the bundled encoder and print what each reaches.

    python benchmarks/recipes.py --data ../shared/data [--recipe NAME …] [--epochs N]

Prints a table and one JSON line. The data folder holds IMDb reviews:
`imdb_train_1000.parquet`, `imdb_validation_1000.parquet`, `imdb_test_4000.parquet`
and `reviews_2000.csv`. The encoder is all-MiniLM-L6-v2 (22M), not the DistilBERT (66M)
of the recipes' sources, so that everything runs offline; the figures are not
comparable one to one.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from textlora.config import BUNDLED_MODEL
from textlora.data.loading import load_labelled
from textlora.files import RunFolder
from textlora.metrics.classification import classification_metrics
from textlora.recipes import load_recipe, recipe_names
from textlora.training.job import train
from textlora.training.results import TrainedRun

CSV_RECIPE = "distilbert-lora-bce"


def run_recipe(name: str, data: Path, epochs: float | None, console: Console) -> dict[str, object]:
    """Train one recipe and return its figures; the test reviews are scored once, at the end."""
    sources = {
        "train": str(data / "imdb_train_1000.parquet"),
        "train_split": None,
        "validation": str(data / "imdb_validation_1000.parquet"),
        "validation_split": None,
    }
    if name == CSV_RECIPE:
        sources = {"train": str(data / "reviews_2000.csv")}
    recipe = load_recipe(name)
    settings = {**recipe.settings, "data": {**recipe.settings.get("data", {}), **sources}}
    config = type(recipe)(recipe.name, settings).config(
        model={"name_or_path": BUNDLED_MODEL}, training={"num_train_epochs": epochs}
    )
    with tempfile.TemporaryDirectory() as folder:
        run = train(config, RunFolder(Path(folder) / "run"), console=console)
        return figures(run, data)


def figures(run: TrainedRun, data: Path) -> dict[str, object]:
    """Return validation accuracies, and accuracy on the 4,000 reviews nothing was chosen by."""
    accuracies = [record.accuracy for record in run.history]
    spec = run.predictor.spec
    from textlora.data.labels import LabelSet

    labels = LabelSet(spec.label_names, spec.head.multi_label, spec.label_values)
    settings = run.config.data.model_copy(update={"strip_html": False, "test_split": None})
    part = load_labelled(str(data / "imdb_test_4000.parquet"), settings, labels)
    answers = run.predictor.predict_proba(part.table.texts)
    test = classification_metrics(part.targets, answers, spec.label_names)
    return {
        "recipe": run.config.recipe,
        "trainable": run.parameters.trainable,
        "epochs": run.config.training.num_train_epochs,
        "best_validation": max(accuracies),
        "final_validation": accuracies[-1],
        "test": test.accuracy,
        "test_low": test.accuracy_interval.low,
        "test_high": test.accuracy_interval.high,
        "seconds": run.seconds,
        "sentences_right": sum(item.after_label == item.expected for item in run.before_after),
        "sentences": len(run.before_after),
    }


def main() -> None:
    """Run what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--recipe", action="append", choices=recipe_names())
    parser.add_argument("--epochs", type=float, default=None)
    options = parser.parse_args()
    if not options.data.is_dir():
        sys.exit(f"{options.data}: there is no such folder; name it with --data.")
    console = Console(stderr=True)
    rows = []
    for name in options.recipe or recipe_names():
        console.rule(name)
        rows.append(run_recipe(name, options.data, options.epochs, console))
    columns = ("recipe", "trainable", "epochs", "best val.", "final val.", "test", "time")
    table = Table(*columns)
    for row in rows:
        table.add_row(
            str(row["recipe"]),
            f"{row['trainable']:,}",
            f"{row['epochs']:g}",
            f"{row['best_validation']:.1%}",
            f"{row['final_validation']:.1%}",
            f"{row['test']:.1%} ({row['test_low']:.1%} to {row['test_high']:.1%})",
            f"{row['seconds']:.0f} s",
        )
    Console(width=120).print(table)
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
