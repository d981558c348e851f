"""What to do with texts that are longer than the model takes? Every way, on the same reviews.

    python benchmarks/long_texts.py --data ../shared/data [--seeds 3] [--epochs 3] [--work FOLDER]

The bundled encoder is trained on 1,000 IMDb reviews with each way of cutting, seed by seed with
the same head, adapter and settings; nothing is chosen on the way, the weights after the last step
are taken. Accuracy is on the 1,000 validation reviews, overall and for those longer than
`--max-length` tokens. Ways that differ only in how answers are made share one training.

Prints a Markdown table and one JSON line. The difference to the first arm is paired: over texts
(each text's share of seeds that get it right; normal) and, with more than one seed, over seeds
(Student's t). Trainings and answers in the work folder are reused, so the long job may be
stopped, and its arms run in processes of their own (`--arm`, `--seed`), before the table is made.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from scipy import stats

from textlora.config import BUNDLED_MODEL, ComputeConfig, RunConfig, set_value
from textlora.data.labels import LabelSet
from textlora.data.loading import load_labelled
from textlora.data.splitting import random_subset
from textlora.files import RunFolder, read_json, write_json
from textlora.inference.predictor import Predictor
from textlora.metrics.subsets import accuracy_by_length
from textlora.recipes import DEFAULT_RECIPE, load_recipe
from textlora.training.job import train

TRAININGS: dict[str, dict[str, Any]] = {
    "right": {"truncation_side": "right"},
    "left": {"truncation_side": "left"},
    "head+tail, 25 %": {"truncation_side": "head+tail", "head_share": 0.25},
    "head+tail, 50 %": {"truncation_side": "head+tail", "head_share": 0.5},
    "head+tail, 75 %": {"truncation_side": "head+tail", "head_share": 0.75},
    "windows": {"long_texts": "windows", "train_windows": True},
}


@dataclass(frozen=True)
class Arm:
    """A way to treat long texts.

    Args:
        training: key of `TRAININGS`.
        answers: fields of the `ClassifierSpec` that differ when answers are made.
    """

    training: str
    answers: Mapping[str, Any]


def _arms() -> dict[str, Arm]:
    windows = {"long_texts": "windows"}
    mean, most = {**windows, "window_pooling": "mean"}, {**windows, "window_pooling": "max"}
    arms = {name: Arm(name, {}) for name in TRAININGS if name != "windows"}
    for side in ("right", "left", "head+tail, 25 %"):
        arms[f"{side}; answers from windows, mean"] = Arm(side, mean)
    arms["right; answers from windows, max"] = Arm("right", most)
    arms["windows in training, too, mean"] = Arm("windows", mean)
    arms["windows in training, too, max"] = Arm("windows", most)
    return arms


ARMS = _arms()


@dataclass(frozen=True)
class Options:
    """What the command line names: see `main`."""

    data: Path
    work: Path
    recipe: str
    epochs: float
    max_length: int
    rows: int | None
    settings: tuple[str, ...]


@dataclass(frozen=True)
class Outcome:
    """One arm with one seed.

    Args:
        lengths: tokens of each review, before it was cut.
        right: whether each was answered right, 0 or 1.
        seconds: time to answer all of them.
        training_seconds: time of the training.
    """

    lengths: list[int]
    right: list[int]
    seconds: float
    training_seconds: float

    def accuracy(self, longer_than: int = 0) -> float:
        """Return the share right among the texts of more tokens than that."""
        chosen = np.array(self.right)[np.array(self.lengths) > longer_than]
        return float(chosen.mean()) if len(chosen) else math.nan


def config_of(training: str, seed: int, options: Options) -> RunConfig:
    """Return the settings of a training."""
    given: dict[str, dict[str, Any]] = {}
    for assignment in options.settings:
        set_value(given, assignment)
    named: dict[str, dict[str, Any]] = {
        "model": {"name_or_path": BUNDLED_MODEL},
        "training": {
            **{"num_train_epochs": options.epochs, "seed": seed},
            # One evaluation, at the end and of a few rows: there is nothing to choose.
            **{"eval_strategy": "steps", "eval_steps": 1_000_000},
        },
        "evaluation": {"baselines": False},
        "data": {
            "train": str(options.data / "imdb_train_1000.parquet"),
            "validation": str(options.data / "imdb_validation_1000.parquet"),
            **{"subset": options.rows, "subset_eval": 8, "max_length": options.max_length},
            **TRAININGS[training],
        },
    }
    sections = {name: {**named.get(name, {}), **given.get(name, {})} for name in {**named, **given}}
    return load_recipe(options.recipe).config(**sections)


def outcome(name: str, seed: int, options: Options) -> Outcome:
    """Train and answer with one arm and one seed, unless that is done."""
    arm = ARMS[name]
    config = config_of(arm.training, seed, options)
    folder = options.work / f"{_slug(arm.training)}-{seed}-{_digest(config.to_yaml())}"
    answers = json.dumps([dict(arm.answers), options.rows], sort_keys=True)
    file = options.work / f"{folder.name}-{_digest(answers)}.json"
    if file.is_file():
        return Outcome(**read_json(file))
    if RunFolder(folder).state().get("state") != "finished":
        train(config, RunFolder(folder), console=Console(stderr=True), overwrite=True)
    found = answer(Predictor.load(folder, ComputeConfig()), arm, config, options)
    seconds = read_json(RunFolder(folder).metrics)["training"]["seconds"]
    done = replace(found, training_seconds=seconds)
    write_json(file, asdict(done))
    return done


def answer(predictor: Predictor, arm: Arm, config: RunConfig, options: Options) -> Outcome:
    """Answer the validation reviews with a trained classifier, as the arm says."""
    spec = replace(predictor.spec, **arm.answers)
    predictor = replace(predictor, spec=spec)
    labels = LabelSet(spec.label_names, False, spec.label_values)
    part = load_labelled(str(options.data / "imdb_validation_1000.parquet"), config.data, labels)
    if options.rows is not None:
        part = part.select(random_subset(len(part), options.rows, config.data.seed))
    started = time.perf_counter()
    sequences = predictor.sequences(part.table.texts)
    predicted = predictor.logits(sequences).argmax(axis=1)
    seconds = time.perf_counter() - started
    right = (predicted == part.targets).astype(int).tolist()
    return Outcome(sequences.full_lengths.tolist(), right, seconds, training_seconds=0.0)


def difference(first: Sequence[Outcome], other: Sequence[Outcome], longer_than: int) -> Any:
    """Return the mean of other minus first in points, with 95 % intervals; None where none is."""
    long = np.array(first[0].lengths) > longer_than
    rights = [np.array([one.right for one in arm])[:, long] for arm in (first, other)]
    if not long.any():
        return None
    points = 100.0 * (rights[1] - rights[0])
    by_text, by_seed = points.mean(axis=0), points.mean(axis=1)
    values: dict[str, Any] = {"mean": float(points.mean())}
    for name, each, quantile in (
        ("over_texts", by_text, float(stats.norm.ppf(0.975))),
        ("over_seeds", by_seed, float(stats.t.ppf(0.975, max(len(by_seed) - 1, 1)))),
    ):
        if len(each) > 1:
            half = quantile * float(np.std(each, ddof=1)) / math.sqrt(len(each))
            values[name] = [values["mean"] - half, values["mean"] + half]
    return values


def buckets(one: Outcome, max_length: int) -> list[dict[str, Any]]:
    """Return accuracy by length."""
    wanted = [1] * len(one.right)
    found = accuracy_by_length(one.lengths, wanted, one.right, max_length=max_length)
    return [bucket.to_dict() for bucket in found]


def report(seeds: Sequence[int], got: Mapping[str, Sequence[Outcome]], options: Options) -> None:
    """Print the table and the JSON line."""
    limit = options.max_length
    first_name, first = next(iter(got.items()))
    long = int((np.array(first[0].lengths) > limit).sum())
    print(
        f"\n{len(first[0].right):,} validation reviews, {long:,} of them longer than {limit} "
        f"tokens; seeds {', '.join(map(str, seeds))}. Differences are to “{first_name}”, in "
        "points, with 95 % intervals over texts; over seeds.\n"
    )
    print("| long texts | accuracy | longer ones | difference | longer ones | training | answers |")
    print("|---|---|---|---|---|---|---|")
    results = {}
    for name, outcomes in got.items():
        overall, longer = (difference(first, outcomes, above) for above in (0, limit))
        own = name == first_name
        print(
            f"| {name} | {_mean(one.accuracy() for one in outcomes):.1%} "
            f"| {_mean(one.accuracy(limit) for one in outcomes):.1%} "
            f"| {'–' if own else _shown(overall)} | {'–' if own else _shown(longer)} "
            f"| {_mean(one.training_seconds for one in outcomes):.0f} s "
            f"| {_mean(one.seconds for one in outcomes):.1f} s |"
        )
        results[name] = {
            "accuracy": [one.accuracy() for one in outcomes],
            "accuracy_of_longer": [one.accuracy(limit) for one in outcomes] if long else None,
            "difference": overall,
            "difference_of_longer": longer,
            "by_length": [buckets(one, limit) for one in outcomes],
        }
    print()
    print(json.dumps({"seeds": list(seeds), "max_length": limit, "longer": long, "arms": results}))


def _shown(values: dict[str, Any] | None) -> str:
    if values is None:
        return "–"
    bounds = [values[name] for name in ("over_texts", "over_seeds") if name in values]
    intervals = "; ".join(f"{low:+.1f} to {high:+.1f}" for low, high in bounds)
    return f"{values['mean']:+.1f} ({intervals})" if intervals else f"{values['mean']:+.1f}"


def _mean(values: Any) -> float:
    return statistics.mean(values)


def _slug(name: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in name)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def main() -> None:
    """Run what the command line names."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--seed", type=int, action="append", help="only these seeds")
    parser.add_argument("--arm", action="append", choices=list(ARMS), help="only these arms")
    parser.add_argument("--epochs", type=float, default=3)
    parser.add_argument("--recipe", default=DEFAULT_RECIPE.name)
    parser.add_argument("--set", action="append", default=[], help="a setting, as for train")
    parser.add_argument("--max-length", type=int, default=512)
    parser.add_argument("--rows", type=int, help="train and answer on so many reviews: a trial")
    parser.add_argument("--work", type=Path, default=Path("runs/long-texts"))
    given = parser.parse_args()
    if not given.data.is_dir():
        sys.exit(f"{given.data}: there is no such folder; name it with --data.")
    given.work.mkdir(parents=True, exist_ok=True)
    options = Options(
        given.data,
        given.work,
        given.recipe,
        given.epochs,
        given.max_length,
        given.rows,
        tuple(given.set),
    )
    seeds = given.seed or list(range(1, given.seeds + 1))
    arms = given.arm or list(ARMS)
    got = {name: [outcome(name, seed, options) for seed in seeds] for name in arms}
    report(seeds, got, options)


if __name__ == "__main__":
    main()
