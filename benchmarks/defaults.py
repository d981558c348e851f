"""Which settings are best for the bundled encoder and 1,000 labels? Chosen on validation.

    python benchmarks/defaults.py --work runs/defaults [--arm NAME] [--seeds 3]
    python benchmarks/defaults.py --work runs/defaults --cuts NAME [--seeds 3]
    python benchmarks/defaults.py --work runs/defaults --average NAME [--seeds 3]
    python benchmarks/defaults.py --work runs/defaults --test NAME [--seeds 3]

Every arm differs from textlora's defaults, or from the arm that it names, in the settings
shown. The best epoch of a training is chosen on the 1,000 validation reviews, and so is
the arm, by the mean over its seeds. The 4,000 test reviews are scored only with `--test`,
for the arm that was chosen. Prints a table and one JSON line; finished trainings in the
work folder are reused. `--cuts` asks the trained runs of an arm about the validation reviews
once more, with other ways of taking a long text; `--average` with the means of the weights of
the last epochs.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from peft import set_peft_model_state_dict
from rich.console import Console
from rich.table import Table
from safetensors.torch import load_file
from workload import TEST_FILE, TRAIN_FILE, VALIDATION_FILE, read_reviews

from textlora.config import BUNDLED_MODEL, ComputeConfig
from textlora.inference.evaluating import evaluate_file
from textlora.inference.predictor import Predictor
from textlora.recipes import load_recipe
from textlora.run import RunFolder, read_json
from textlora.training.job import train

EVERYWHERE = "lora.target_modules=[q, k, v, out, ffn]"
MEAN = "model.pooling=mean"
LEFT = "data.truncation_side=left"
# Settings as --set takes them.
ARMS: dict[str, list[str]] = {
    "first defaults": [
        *(
            "model.pooling=cls",
            "model.head=auto",
            "lora.target_modules=[q, v]",
            "lora.r=8",
            "lora.lora_alpha=16",
        ),
        *("training.num_train_epochs=3", "training.learning_rate=5e-4"),
        *("data.truncation_side=right", "lora.lora_dropout=0.05"),
        *("training.per_device_train_batch_size=16", "training.warmup_ratio=0"),
    ],
}


def arm(name: str, start: str, *settings: str) -> None:
    """Add an arm: an earlier one with some settings replaced."""
    ARMS[name] = [*ARMS[start], *settings]


arm("mean", "first defaults", MEAN)
arm("mean, everywhere", "mean", EVERYWHERE)
arm("mean, everywhere, lr 1e-3", "mean, everywhere", "training.learning_rate=1e-3")
arm("mean, everywhere, lr 2e-4", "mean, everywhere", "training.learning_rate=2e-4")
arm("mean, everywhere, 5 epochs", "mean, everywhere", "training.num_train_epochs=5")
arm("5 epochs, left", "mean, everywhere, 5 epochs", LEFT)
arm("5 epochs, left, lr 1e-3", "5 epochs, left", "training.learning_rate=1e-3")
arm("5 epochs, left, linear head", "5 epochs, left", "model.head=linear")
arm("5 epochs, left, dropout 0.2", "5 epochs, left", "lora.lora_dropout=0.2")
arm("5 epochs, left, r 16", "5 epochs, left", "lora.r=16", "lora.lora_alpha=32")
CHOSEN = "5 epochs, left, linear head"
for difference, settings in {
    "lr 1e-3": ["training.learning_rate=1e-3"],
    "lr 3e-4": ["training.learning_rate=3e-4"],
    "r 16": ["lora.r=16", "lora.lora_alpha=32"],
    "r 4": ["lora.r=4", "lora.lora_alpha=8"],
    "dropout 0.2": ["lora.lora_dropout=0.2"],
    "batch 8": ["training.per_device_train_batch_size=8"],
    "8 epochs": ["training.num_train_epochs=8"],
    "warm-up 10 %": ["training.warmup_ratio=0.1"],
    "cosine": ["training.lr_scheduler_type=cosine"],
    "weight decay 0.1": ["training.weight_decay=0.1"],
    "strip HTML": ["data.strip_html=true"],
    "head+tail": ["data.truncation_side=head+tail"],
    "windows": ["data.long_texts=windows", "data.train_windows=true"],
    "without ffn": ["lora.target_modules=[q, k, v, out]"],
}.items():
    arm(f"chosen, {difference}", CHOSEN, *settings)


def accuracy(name: str, seed: int, data: Path, work: Path) -> dict[str, Any]:
    """Train an arm with a seed, unless that is done, and return its validation figures."""
    folder = run_folder(work, name, seed)
    if folder.state().get("state") != "finished":
        config = load_recipe(None).config(
            ARMS[name],
            data={"train": str(data / TRAIN_FILE), "validation": str(data / VALIDATION_FILE)},
            model={"name_or_path": BUNDLED_MODEL},
            training={"seed": seed, "save_total_limit": 9},
            evaluation={"baselines": False},
        )
        train(config, folder, console=Console(stderr=True), overwrite=True)
    metrics = read_json(folder.metrics)
    return {
        "accuracy": metrics["parts"]["validation"]["accuracy"],
        "epoch": metrics["training"]["best_epoch"],
    }


def run_folder(work: Path, name: str, seed: int) -> RunFolder:
    """Return where a training goes."""
    return RunFolder(work / f"{name.replace(', ', '-').replace(' ', '-')}-{seed}")


def test(name: str, seeds: list[int], data: Path, work: Path) -> None:
    """Score the test reviews with the trained runs of one arm."""
    values = [
        evaluate_file(
            run_folder(work, name, seed).path, str(data / TEST_FILE), compute=ComputeConfig()
        ).metrics.accuracy
        for seed in seeds
    ]
    shown = " ".join(f"{value:.2%}" for value in values)
    print(f"{name}, 4,000 test reviews: {shown}, mean {statistics.mean(values):.2%}")
    print(json.dumps({"arm": name, "test_accuracy": values, "mean": statistics.mean(values)}))


CUTS: dict[str, dict[str, Any]] = {
    "as trained": {},
    "right": {"truncation_side": "right"},
    "head+tail": {"truncation_side": "head+tail", "head_share": 0.25},
    "windows, mean": {"long_texts": "windows", "window_pooling": "mean"},
    "windows, max": {"long_texts": "windows", "window_pooling": "max"},
}


def cuts(name: str, seeds: list[int], data: Path, work: Path) -> None:
    """Score the validation reviews with the trained runs of one arm, cut in other ways."""
    reviews = read_reviews(data / VALIDATION_FILE)
    got: dict[str, list[float]] = {cut: [] for cut in CUTS}
    for seed in seeds:
        trained = Predictor.load(run_folder(work, name, seed).path, ComputeConfig())
        windows = {"window_stride": trained.spec.max_length // 4, "max_windows": 64}
        for cut, changes in CUTS.items():
            predictor = replace(trained, spec=replace(trained.spec, **windows, **changes))
            answers = predictor.predict_proba(reviews.texts).argmax(axis=1)
            got[cut].append(float((answers == reviews.labels).mean()))
            print(f"seed {seed}, {cut}: {got[cut][-1]:.2%}", file=sys.stderr, flush=True)
    table = Table("answers from", "validation", "mean")
    for cut, values in got.items():
        shown = " ".join(f"{value:.1%}" for value in values)
        table.add_row(cut, shown, f"{statistics.mean(values):.2%}")
    Console(width=120).print(table)
    print(json.dumps({"arm": name, "cuts": got}))


def averages(name: str, seeds: list[int], data: Path, work: Path) -> None:
    """Score the validation reviews with the means of the last epochs of an arm's trained runs."""
    reviews = read_reviews(data / VALIDATION_FILE)
    for seed in seeds:
        folder = run_folder(work, name, seed)
        predictor = Predictor.load(folder.path, ComputeConfig())
        checkpoints = sorted(
            folder.checkpoints.glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1])
        )
        epochs = [load_file(path / "adapter_model.safetensors") for path in checkpoints]
        shown = []
        for last in range(1, len(epochs)):
            taken = epochs[-last:]
            mean = {key: sum(epoch[key] for epoch in taken) / last for key in taken[0]}
            set_peft_model_state_dict(predictor.model, mean)
            right = predictor.predict_proba(reviews.texts).argmax(axis=1) == reviews.labels
            shown.append(f"last {last}: {right.mean():.1%}")
        print(f"seed {seed}: {', '.join(shown)}", flush=True)


def main() -> None:
    """Run what the command line names."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--work", type=Path, default=Path("runs/defaults"))
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--arm", action="append", choices=list(ARMS), help="only these arms")
    parser.add_argument("--test", choices=list(ARMS), help="score the test reviews with this arm")
    parser.add_argument("--cuts", choices=list(ARMS), help="cut long texts in other ways")
    parser.add_argument("--average", choices=list(ARMS), help="means of the last epochs")
    options = parser.parse_args()
    if not options.data.is_dir():
        sys.exit(f"{options.data}: there is no such folder; name it with --data.")
    seeds = list(range(1, options.seeds + 1))
    if options.cuts:
        cuts(options.cuts, seeds, options.data, options.work)
        return
    if options.average:
        averages(options.average, seeds, options.data, options.work)
        return
    if options.test:
        test(options.test, seeds, options.data, options.work)
        return
    options.work.mkdir(parents=True, exist_ok=True)
    got = {
        name: [accuracy(name, seed, options.data, options.work) for seed in seeds]
        for name in options.arm or list(ARMS)
    }
    report(got)


def report(got: dict[str, list[dict[str, Any]]]) -> None:
    """Print the table, the best first, and the JSON line."""
    means = {name: statistics.mean(run["accuracy"] for run in runs) for name, runs in got.items()}
    table = Table("arm", "validation", "best epochs", "mean")
    for name in sorted(got, key=lambda name: -means[name]):
        values = " ".join(f"{run['accuracy']:.1%}" for run in got[name])
        epochs = " ".join(f"{run['epoch']:g}" for run in got[name])
        table.add_row(name, values, epochs, f"{means[name]:.2%}")
    Console(width=120).print(table)
    print(json.dumps({"validation": got, "means": means}))


if __name__ == "__main__":
    main()
