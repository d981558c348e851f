"""Does the label audit find wrong labels? Some are flipped on purpose, and looked for.

    python benchmarks/audit.py --data ../shared/data [--seed 1 --seed 2] [--set key=value]

8 % of the labels of 1,000 reviews are flipped, drawn by a seed. The audit runs on the rest of its
way as `textlora audit` does, with the bundled encoder. Printed for the adapters alone, for word
counts alone and for the mean of both: how many of the flipped labels are among the twice as many
surest suspects, and recall and precision of what cleanlab flags. Wrong labels that
the 1,000 reviews may have of their own count as mistakes here. One JSON line ends the output.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from textlora.auditing.audit import (
    Probabilities,
    adapter_answers,
    judge,
    make_folds,
    quick_recipe,
    rows_to_audit,
    word_count_answers,
)
from textlora.config import BUNDLED_MODEL
from textlora.data.loading import Parts

TRAIN_FILE = "imdb_train_1000.parquet"
FLIPPED_SHARE = 0.08


@dataclass(frozen=True)
class Found:
    """How well one way of judging finds the flipped labels.

    Args:
        arm: which probabilities were judged.
        seed: of the flips, the folds and the trainings.
        flipped: labels that were flipped.
        in_top: how many of them are among the `2 x flipped` surest suspects.
        recall: share of the flipped that cleanlab flags.
        precision: share of the flagged that were flipped.
        flagged: labels that cleanlab flags.
        agreement: share of the given labels that the out-of-fold answers agree with.
        right: share of the labels before the flips that they agree with.
    """

    arm: str
    seed: int
    flipped: int
    in_top: int
    recall: float
    precision: float
    flagged: int
    agreement: float
    right: float


def flip(parts: Parts, seed: int) -> tuple[Parts, np.ndarray[tuple[int], np.dtype[np.bool_]]]:
    """Return the rows with 8 % of their two-class labels flipped, and which these are."""
    rows = len(parts.train)
    chosen = np.random.default_rng(seed).choice(rows, round(FLIPPED_SHARE * rows), replace=False)
    flipped = np.zeros(rows, np.bool_)
    flipped[chosen] = True
    targets = np.where(flipped, 1 - parts.train.targets, parts.train.targets)
    return replace(parts, train=replace(parts.train, targets=targets)), flipped


def audit_flipped(
    file: Path, seed: int, settings: list[str], folds: int, console: Console
) -> list[Found]:
    """Flip, audit in every way, and count."""
    config = quick_recipe().config(
        settings,
        data={"train": str(file), "seed": seed},
        model={"name_or_path": BUNDLED_MODEL},
        training={"seed": seed},
    )
    clean = rows_to_audit(config)
    parts, flipped = flip(clean, seed)
    dealt = make_folds(
        *(parts.train.table.texts, parts.train.targets, folds, seed),
        **{"names": parts.labels.names, "source": str(file)},
    )
    adapters, words = (
        adapter_answers(config, parts, dealt, console),
        word_count_answers(parts, dealt),
    )
    arms = {"adapters": adapters, "word counts": words, "both": (adapters + words) / 2}
    found = []
    for arm, answers in arms.items():
        issues = judge(parts, dealt, answers, 0.0).issues
        top = np.argsort(issues.quality, kind="stable")[: 2 * int(flipped.sum())]
        hits = int((issues.flagged & flipped).sum())
        found.append(
            Found(
                arm=arm,
                seed=seed,
                flipped=int(flipped.sum()),
                in_top=int(flipped[top].sum()),
                recall=hits / int(flipped.sum()),
                precision=hits / max(1, int(issues.flagged.sum())),
                flagged=int(issues.flagged.sum()),
                agreement=agreement(answers, parts),
                right=agreement(answers, clean),
            )
        )
    return found


def agreement(answers: Probabilities, parts: Parts) -> float:
    """Return the share of labels that the answers agree with."""
    return float((answers.argmax(axis=1) == parts.train.targets).mean())


def report(found: Sequence[Found]) -> Table:
    """Return the table."""
    table = Table("Seed", "Judged by", "Flipped in top", "Flagged", "Recall", "Precision", "Right")
    for one in found:
        table.add_row(
            str(one.seed),
            one.arm,
            f"{one.in_top} of {one.flipped}",
            str(one.flagged),
            f"{one.recall:.1%}",
            f"{one.precision:.1%}",
            f"{one.right:.1%}",
        )
    return table


def main() -> None:
    """Run what the command line names."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--seed", type=int, action="append", help="repeatable; 1 by default")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--set", action="append", default=[], metavar="SECTION.KEY=VALUE")
    options = parser.parse_args()
    file = options.data / TRAIN_FILE
    if not file.is_file():
        sys.exit(f"{file} is not there; name its folder with --data.")
    started = time.perf_counter()
    progress = Console(stderr=True)
    found = [
        one
        for seed in options.seed or [1]
        for one in audit_flipped(file, seed, options.set, options.folds, progress)
    ]
    seconds = time.perf_counter() - started
    Console(width=100).print(report(found))
    print(json.dumps({"seconds": round(seconds, 1), "found": [asdict(one) for one in found]}))


if __name__ == "__main__":
    main()
