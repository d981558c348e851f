"""Does the fast path cost accuracy? The same trainings on both paths, seed by seed.

    python benchmarks/quality.py --data ../shared/data [--seeds 5] [--epochs 3] [--work FOLDER]

Recipe `distilbert-lora-imdb` with the bundled encoder on 1,000 reviews, each seed on
every arm with the same head, adapter, shuffling and number of steps; nothing is chosen
on the way, the weights after the last step are taken. Accuracy is on 4,000 test
reviews, scored for every arm by the same predictor. Prints a table, the paired
differences with their 95 % intervals (Student's t over the seeds), and one JSON line.

Finished trainings in the work folder are reused, so the long job may be stopped, and
its arms trained in processes of their own (`--arm`, `--seed`), before the table is made.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import statistics
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table
from scipy import stats

import textlora.fast
from textlora.config import BUNDLED_MODEL, ComputeConfig
from textlora.data.labels import LabelSet
from textlora.data.loading import load_labelled
from textlora.files import RunFolder, read_json, write_json
from textlora.inference.predictor import Predictor
from textlora.recipes import load_recipe
from textlora.training.job import train

ARMS = {
    "plain": {"path": "plain"},
    "fast": {"path": "fast", "attention_dropout": "keep"},
    "fast, attention dropout off": {"path": "fast", "attention_dropout": "off"},
}


def accuracy(arm: str, seed: int, epochs: int, data: Path, work: Path) -> float:
    """Train one arm with one seed, unless that is done, and return its test accuracy."""
    folder = work / f"{arm.replace(', ', '-').replace(' ', '-')}-{seed}-{epochs}{code_of(arm)}"
    result = folder.with_suffix(".json")
    if result.is_file():
        return float(read_json(result)["accuracy"])
    recipe = load_recipe("distilbert-lora-imdb")
    steps = 250 * epochs
    config = recipe.config(
        model={"name_or_path": BUNDLED_MODEL},
        compute=ARMS[arm],
        training={
            **{"num_train_epochs": epochs, "seed": seed},
            # One evaluation, at the end and of a few rows: there is nothing to choose.
            **{"eval_strategy": "steps", "eval_steps": steps},
        },
        data={
            "train": str(data / "imdb_train_1000.parquet"),
            "validation": str(data / "imdb_validation_1000.parquet"),
            "subset_eval": 8,
        },
    )
    if RunFolder(folder).state().get("state") != "finished":
        train(config, RunFolder(folder), console=Console(stderr=True), overwrite=True)
    predictor = Predictor.load(folder, ComputeConfig())
    labels = LabelSet(predictor.spec.label_names, False, predictor.spec.label_values)
    part = load_labelled(str(data / "imdb_test_4000.parquet"), config.data, labels)
    answers = predictor.predict_proba(part.table.texts).argmax(axis=1)
    value = float((answers == part.targets).mean())
    write_json(result, {"accuracy": value})
    return value


def code_of(arm: str) -> str:
    """Return a mark of the fast path's code: what another code reached is not reused."""
    if ARMS[arm]["path"] == "plain":
        return ""
    digest = hashlib.sha256()
    for file in sorted(Path(textlora.fast.__file__).parent.rglob("*")):
        if file.suffix in (".py", ".c", ".h"):
            digest.update(file.read_bytes())
    return f"-{digest.hexdigest()[:8]}"


def paired(first: list[float], second: list[float]) -> dict[str, float]:
    """Return mean and 95 % interval of first minus second, in points."""
    differences = [100 * (a - b) for a, b in zip(first, second, strict=True)]
    mean = statistics.mean(differences)
    error = statistics.stdev(differences) / math.sqrt(len(differences))
    half = float(stats.t.ppf(0.975, len(differences) - 1)) * error
    return {"mean": mean, "low": mean - half, "high": mean + half}


def main() -> None:
    """Run what the command line names."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--seed", type=int, action="append", help="only these seeds")
    parser.add_argument("--arm", action="append", choices=list(ARMS), help="only these arms")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--work", type=Path, default=Path("runs/quality"))
    options = parser.parse_args()
    if not options.data.is_dir():
        sys.exit(f"{options.data}: there is no such folder; name it with --data.")
    options.work.mkdir(parents=True, exist_ok=True)
    seeds = options.seed or list(range(1, options.seeds + 1))
    arms = options.arm or list(ARMS)
    got = {
        arm: [accuracy(arm, seed, options.epochs, options.data, options.work) for seed in seeds]
        for arm in arms
    }
    report(seeds, got)


def report(seeds: list[int], got: dict[str, list[float]]) -> None:
    """Print the table, the differences and the JSON line."""
    console = Console(width=120)
    table = Table("seed", *got)
    for row, seed in enumerate(seeds):
        table.add_row(str(seed), *(f"{values[row]:.2%}" for values in got.values()))
    table.add_row("mean", *(f"{statistics.mean(values):.2%}" for values in got.values()))
    console.print(table)
    differences = {}
    if len(seeds) > 1:
        for first, second in (
            ("fast", "plain"),
            ("fast, attention dropout off", "plain"),
            ("fast, attention dropout off", "fast"),
        ):
            if first in got and second in got:
                name = f"{first} minus {second}"
                differences[name] = paired(got[first], got[second])
                line = "{mean:+.2f} points (95 % interval {low:+.2f} to {high:+.2f})"
                console.print(f"{name}: {line.format(**differences[name])}")
    print(json.dumps({"seeds": seeds, "accuracy": got, "differences": differences}))


if __name__ == "__main__":
    main()
