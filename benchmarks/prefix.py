"""What does the prefix cache save? Adapters in the top layers against adapters in all.

    python benchmarks/prefix.py --data ../shared/data [--epochs 10] [--arm NAME …]

With `lora.layers=top:2` nothing below the two top layers is trained, so what enters them is
the same in every epoch: `compute.prefix_cache=true` computes it once. Recipe
`distilbert-lora-imdb`, 1,000 reviews, all of `textlora train`: every epoch is validated on
1,000 others, the best one is kept, and the run folder is written. Each arm has a process of
its own, one after the other. Prints a table and one JSON line: time of the training (with
validations) and of the whole command, best validation accuracy, accuracy on 4,000 test
reviews that nothing was chosen by, and peak memory.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from measuring import (
    Children,
    PeerError,
    machine,
    memory,
    prepare,
    print_json,
    show_bytes,
    warn_if_busy,
)
from rich.console import Console
from rich.table import Table
from workload import (
    TEST_FILE,
    TRAIN_FILE,
    VALIDATION_FILE,
    model_folder,
    recipe_config,
    require_data,
)

ALL, CACHED, UNCACHED = "all layers", "top 2, prefix cached", "top 2"
ARMS: dict[str, dict[str, dict[str, Any]]] = {
    ALL: {},
    CACHED: {"lora": {"layers": "top:2"}, "compute": {"prefix_cache": True}},
    UNCACHED: {"lora": {"layers": "top:2"}},
}


def fill_caches(model: Path, data: Path, rows: int | None) -> None:
    """Tokenize and compile what is kept between runs, so that the first arm does not pay it."""
    from textlora.data.loading import load_parts
    from textlora.training.building import build_classifier, tokenize_parts

    config = recipe_config(
        model, data, data={"subset": rows, "subset_eval": rows}, compute={"path": "fast"}
    )
    parts = load_parts(config.data)
    tokenize_parts(parts, build_classifier(config, parts).predictor)


def run_arm(
    name: str, model: Path, data: Path, folder: Path, training: dict[str, Any], rows: int | None
) -> dict[str, Any]:
    """Train one arm and return its figures.

    Args:
        name: the arm.
        model: folder of the encoder.
        data: folder of the reviews.
        folder: where the run goes.
        training: settings of section `training`.
        rows: of every file, to try the benchmark out; None: all.
    """
    from textlora.files import RunFolder
    from textlora.training.job import train

    sections = ARMS[name]
    config = recipe_config(
        model,
        data,
        data={"subset": rows, "subset_eval": rows},
        training=training,
        lora=sections.get("lora", {}),
        compute={"path": "fast", **sections.get("compute", {})},
    )
    started = time.perf_counter()
    run = train(config, RunFolder(folder), console=Console(stderr=True))
    wall = time.perf_counter() - started
    peak = memory()["peak"]
    accuracies = [record.accuracy for record in run.history]
    return {
        "seconds": run.seconds,
        "wall_seconds": wall,
        "epoch_seconds": [record.seconds for record in run.history],
        "trainable": run.parameters.trainable,
        "best_validation": max(accuracies),
        "final_validation": accuracies[-1],
        "test": test_accuracy(run, data, rows),
        "memory_peak": peak,
    }


def test_accuracy(run: Any, data: Path, rows: int | None) -> float:
    """Return the accuracy on the test reviews."""
    from textlora.data.labels import LabelSet
    from textlora.data.loading import load_labelled

    spec = run.predictor.spec
    labels = LabelSet(spec.label_names, False, spec.label_values)
    part = load_labelled(str(data / TEST_FILE), run.config.data, labels)
    if rows is not None:
        part = part.select(range_of(rows))
    answers = run.predictor.predict_proba(part.table.texts).argmax(axis=1)
    return float((answers == part.targets).mean())


def range_of(rows: int) -> Any:
    """Return the numbers of the first rows, as `Part.select` wants them."""
    import numpy as np

    return np.arange(rows)


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--model", choices=("bundled", "base"), default="bundled")
    parser.add_argument("--epochs", type=float, default=10)
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--arm", action="append", choices=list(ARMS), help="default: the first two")
    parser.add_argument("--rows", type=int, help="of every file, to try this out; default: all")
    parser.add_argument("--threads", type=int, help="default: OMP_NUM_THREADS, else all cores")
    return parser.parse_args()


def main() -> None:
    """Run what the command line names."""
    options = parse()
    require_data(options.data, TRAIN_FILE, VALIDATION_FILE, TEST_FILE)
    if any("prefix_cache" in ARMS[arm].get("compute", {}) for arm in arms_of(options)):
        require_setting()
    threads = prepare(options.threads, "cpu")
    console = Console(stderr=True, width=150)
    facts = machine(threads)
    warn_if_busy(facts, console)
    found: dict[str, dict[str, Any]] = {}
    failure = None
    with tempfile.TemporaryDirectory() as folder, Children() as children:
        try:
            work = Path(folder)
            model = children.once("model", model_folder, options.model, work)
            data, rows = options.data.absolute(), options.rows
            children.once("caches", fill_caches, model, data, rows)
            training = {"num_train_epochs": options.epochs, "seed": options.seed}
            for number, arm in enumerate(arms_of(options)):
                console.rule(arm)
                target = work / f"run-{number}"
                found[arm] = children.once(arm, run_arm, arm, model, data, target, training, rows)
        except (PeerError, KeyboardInterrupt) as error:
            failure = str(error) or "interrupted"
    if found:
        report(found, options)
    values = {key: value for key, value in vars(options).items() if key != "data"}
    print_json(
        {"benchmark": "prefix", "options": values, "machine": facts, "arms": found}
        | {"faster": faster(found), "failure": failure}
    )
    if failure:
        sys.exit(f"\nStopped: {failure}")


def arms_of(options: argparse.Namespace) -> list[str]:
    """Return the arms to train."""
    return options.arm or [ALL, CACHED]


def require_setting() -> None:
    """End the program where this textlora has no prefix cache."""
    from textlora.config import valid_keys

    if "compute.prefix_cache" not in valid_keys():
        sys.exit("This version of textlora has no setting compute.prefix_cache.")


def faster(found: dict[str, dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Return how many times faster than adapters in all layers each other arm is."""
    if ALL not in found:
        return {}
    return {
        arm: {key: found[ALL][key] / values[key] for key in ("seconds", "wall_seconds")}
        for arm, values in found.items()
        if arm != ALL
    }


def report(found: dict[str, dict[str, Any]], options: argparse.Namespace) -> None:
    """Print the table."""
    table = Table(title=f"{options.epochs:g} epochs, {options.model} encoder, fast path")
    table.add_column("adapters in", no_wrap=True)
    columns = ("training", "whole command", "faster", "trained", "best val.", "final val.", "test")
    for column in (*columns, "peak memory"):
        table.add_column(column, justify="right")
    ratios = faster(found)
    for arm, values in found.items():
        ratio = ratios.get(arm)
        table.add_row(
            arm,
            f"{values['seconds']:.0f} s",
            f"{values['wall_seconds']:.0f} s",
            f"{ratio['seconds']:.2f}x, {ratio['wall_seconds']:.2f}x" if ratio else "–",
            f"{values['trainable']:,}",
            f"{values['best_validation']:.1%}",
            f"{values['final_validation']:.1%}",
            f"{values['test']:.1%}",
            show_bytes(values["memory_peak"]),
        )
    console = Console(width=140)
    console.print(table)
    console.print("Faster: the training, and the whole command with reading and writing.")


if __name__ == "__main__":
    main()
