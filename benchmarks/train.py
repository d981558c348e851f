"""How fast is training? textlora against Transformers' Trainer with PEFT, in turns.

    python benchmarks/train.py --data ../shared/data [--model base] [--rounds N] [--rows N]

Recipe `distilbert-lora-imdb`: LoRA of rank 4 on the query, batches of 4, at most 512 tokens.
Every peer starts from the same weights and trains on the same reviews:

    plain recipe          Trainer, PEFT, dynamic padding, fp32
    plain at its best     the same with bf16 autocast and rows of similar length in a batch
    textlora fast         the default: packed rows, bf16 where it is native
    … attention dropout off

Each has a process of its own. A round trains every peer once over the rows, in a rotating
order; the clock runs around `Trainer.train()`: no evaluation, no saving, texts tokenized
beforehand. Before any clock runs, the first steps without dropout must give the same losses
and gradient norms in all of them. tokens/s counts real tokens; MFU is explained in
`flops.py`, and its best rate is measured between the rounds. Memory is the highest resident
size of the peer's process. Prints a table and one JSON line.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from flops import Sizes, training_flops
from measuring import (
    Child,
    Children,
    MismatchError,
    PeerError,
    ProductRate,
    Ratio,
    machine,
    median,
    prepare,
    print_json,
    require_gpu,
    rotated,
    show_bytes,
    warn_if_busy,
)
from rich.console import Console
from rich.table import Table
from train_peers import PEERS, Job, first_steps, make_peer, write_start
from workload import (
    RECIPE,
    TRAIN_FILE,
    VALIDATION_FILE,
    model_folder,
    read_config,
    require_data,
    without_dropout,
)

PLAIN, BEST = "plain recipe", "plain at its best"
ROWS = {"bundled": 160, "base": 48}
CHECKED_STEPS = 3
# Of a loss and of a gradient norm: what the order of sums changes, and what bf16 does.
TOLERANCE = {"fp32": (5e-4, 0.01), "own": (0.02, 0.1)}
# Dropout alone moves the mean loss of some rounds by less than this.
MEAN_LOSS_TOLERANCE = 0.15


@dataclass
class Found:
    """What a benchmark has found so far: printed however it ends."""

    rate: dict[str, Any] = field(default_factory=lambda: {"rate": 0.0})
    rounds: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    memory: dict[str, dict[str, int]] = field(default_factory=dict)
    facts: dict[str, dict[str, Any]] = field(default_factory=dict)

    def add_rate(self, measured: dict[str, Any]) -> None:
        """Keep the best rate."""
        if measured["rate"] > self.rate["rate"]:
            self.rate = measured

    def speeds(self, name: str) -> list[float]:
        """Return a peer's tokens a second, round by round."""
        return [entry["tokens"] / entry["seconds"] for entry in self.rounds.get(name, [])]


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--model", choices=("bundled", "base"), default="bundled")
    parser.add_argument("--rows", type=int, help="in a round; bundled 160, base 48")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--warm-up", type=int, default=4, help="steps before the first round")
    parser.add_argument("--peers", nargs="+", choices=list(PEERS), default=list(PEERS))
    parser.add_argument("--full-epoch", action="store_true", help="fast peers: all rows")
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--threads", type=int, help="default: OMP_NUM_THREADS, else all cores")
    parser.add_argument("--skip-rate", action="store_true", help="no best rate, so no MFU")
    return parser.parse_args()


def main() -> None:
    """Run what the command line names."""
    options = parse()
    require_data(options.data, TRAIN_FILE, VALIDATION_FILE)
    options.rows = options.rows or ROWS[options.model]
    threads = prepare(options.threads, options.device)
    console = Console(stderr=True, width=150)
    facts = machine(threads)
    warn_if_busy(facts, console)
    found, failure = Found(), None
    with tempfile.TemporaryDirectory() as folder, Children() as children:
        try:
            measure(options, Path(folder), threads, children, found, console)
        except (PeerError, MismatchError, KeyboardInterrupt) as error:
            failure = str(error) or "interrupted"
    if found.rounds:
        report(found, options, Console(width=160))
    print_json(summary(found, options, facts, failure))
    if failure:
        sys.exit(f"\nStopped: {failure}")


def measure(
    options: argparse.Namespace,
    folder: Path,
    threads: int,
    children: Children,
    found: Found,
    console: Console,
) -> None:
    """Start the peers, check them against each other, and time them round by round."""
    if options.device == "cuda":
        children.once("GPU", require_gpu)
    model = children.once("model", model_folder, options.model, folder)
    job = Job(
        model=model,
        data=options.data.absolute(),
        start=folder / "start.safetensors",
        output=folder / "output",
        batch_size=options.batch_size,
        device=options.device,
        threads=threads,
    )
    children.once("start", write_start, job)
    sizes = sizes_of(job)
    check_first_steps(options.peers, job, folder, children, console)
    peers = {name: children.start(name, make_peer, name, job) for name in options.peers}
    lengths = check_tokens(peers, found)
    rate = None
    if not options.skip_rate:
        sides = sizes.hidden, sizes.intermediate
        rate = children.start("product rate", ProductRate, *sides, options.device, threads)
    time_rounds(options, peers, rate, lengths, sizes, found, console)


def sizes_of(job: Job) -> Sizes:
    """Return what the count of operations depends on."""
    lora = job.settings().lora
    return Sizes.of(read_config(job.model), lora.target_modules, lora.r)


def check_first_steps(
    names: list[str], job: Job, folder: Path, children: Children, console: Console
) -> None:
    """Train some steps without dropout by every peer: all must do the same.

    Raises:
        MismatchError: a loss or a gradient norm differs.
    """
    rows = list(range(CHECKED_STEPS * job.batch_size))
    still = replace(job, model=without_dropout(job.model, folder / "without-dropout"))
    reference = None
    for name in [PLAIN, *(name for name in names if name != PLAIN)]:
        steps = children.once(f"check of {name}", first_steps, name, still, rows)
        reference = reference or steps["fp32"]
        shown = []
        for kind, allowed in TOLERANCE.items():
            found = compare(f"{name}, {kind}", steps[kind], reference, allowed)
            shown.append("{}: loss {:.1e}, gradient norm {:.1e}".format(kind, *found))
        first = steps["fp32"]["losses"][0]
        line = f"check  {name}: first loss {first:.5f}; differences in {', in '.join(shown)}"
        console.print(line, highlight=False)


def compare(
    what: str, steps: dict[str, Any], reference: dict[str, Any], allowed: tuple[float, float]
) -> list[float]:
    """Return the largest differences of losses and, relatively, of gradient norms.

    Raises:
        MismatchError: one is larger than allowed, or a step is missing.
    """
    largest = []
    for key, scale, limit in zip(("losses", "norms"), (1.0, 0.0), allowed, strict=True):
        values, expected = steps[key], reference[key]
        if len(values) != CHECKED_STEPS or None in values:
            raise MismatchError(f"{what}: {CHECKED_STEPS} {key} expected, got {values}")
        # Relative, but for losses below 1.
        differences = [
            abs(value - right) / max(scale, abs(right))
            for value, right in zip(values, expected, strict=True)
        ]
        if not all(difference <= limit for difference in differences):
            raise MismatchError(f"{what}: {key} {values}, {PLAIN}: {expected}")
        largest.append(max(differences))
    return largest


def check_tokens(peers: dict[str, Child], found: Found) -> list[int]:
    """Return the lengths of the tokenized rows, which must be the same to every peer.

    Raises:
        MismatchError: tokens or the number of trained parameters differ.
    """
    for name, child in peers.items():
        found.facts[name] = child.call("facts")
    for key in ("lengths", "tokens", "trained"):
        values = {name: facts[key] for name, facts in found.facts.items()}
        if any(value != next(iter(values.values())) for value in values.values()):
            raise MismatchError(f"the peers differ in their {key}: {values}")
    return next(iter(found.facts.values()))["lengths"]  # type: ignore[no-any-return]


def warm_up(peers: dict[str, Child], rows: list[int], console: Console) -> None:
    """Train every peer a few steps that do not count."""
    for name, child in peers.items():
        if rows:
            console.print(f"warm-up  {name}: {len(rows)} rows", highlight=False)
            child.call("train", rows, 0)


def time_rounds(
    options: argparse.Namespace,
    peers: dict[str, Child],
    rate: Child | None,
    lengths: list[int],
    sizes: Sizes,
    found: Found,
    console: Console,
) -> None:
    """Warm up, then run the rounds, measuring the best rate between them."""
    order = random.Random(0)  # noqa: S311 - not a secret
    every = list(range(len(lengths)))
    sample = order.sample(every, min(options.rows, len(every)))
    rest = [row for row in every if row not in set(sample)] or sample
    warm_up(peers, rest[: options.warm_up * options.batch_size], console)
    for number in range(options.rounds):
        if rate is not None:
            found.add_rate(rate.call("measure"))
        # Every round shuffles anew, as every epoch does, and the same for all.
        order.shuffle(sample)
        order.shuffle(every)
        for name in rotated(list(peers), number):
            whole = options.full_epoch and name not in (PLAIN, BEST)
            rows = every if whole else sample
            result = peers[name].call("train", rows, number + 1)
            taken = [lengths[row] for row in rows]
            counts = {"rows": len(rows), "tokens": sum(taken)}
            result |= {**counts, "flops": training_flops(sizes, taken)}
            found.rounds.setdefault(name, []).append(result)
            found.memory[name] = peers[name].call("memory")
            console.print(
                f"round {number + 1} of {options.rounds}  {name}: {len(rows)} rows "
                f"in {result['seconds']:.1f} s, mean loss {result['loss']:.4f}",
                highlight=False,
            )
    # Random weights amplify what dropout does; there, the first steps have to suffice.
    if options.model == "bundled":
        check_mean_losses(found)


def check_mean_losses(found: Found) -> None:
    """Raise MismatchError where the mean losses on the same rows are far from each other."""
    rows = {name: entries[0]["rows"] for name, entries in found.rounds.items()}
    means = {
        name: sum(entry["loss"] for entry in entries) / len(entries)
        for name, entries in found.rounds.items()
        if rows[name] == min(rows.values())
    }
    if max(means.values()) - min(means.values()) > MEAN_LOSS_TOLERANCE:
        raise MismatchError(f"the mean losses are far apart: {means}")


def line(found: Found, name: str) -> dict[str, Any]:
    """Return a peer's figures."""
    entries = found.rounds[name]
    speeds = found.speeds(name)
    rate = found.rate["rate"]
    achieved = median(entry["flops"] / entry["seconds"] for entry in entries)
    ratios = {
        key: Ratio.paired(speeds, found.speeds(other)) if other != name else None
        for key, other in (("against_plain", PLAIN), ("against_best", BEST))
    }
    return {
        "rows": entries[0]["rows"],
        "reviews_per_second": median(entry["rows"] / entry["seconds"] for entry in entries),
        "tokens_per_second": median(speeds),
        **{key: asdict(ratio) if ratio else None for key, ratio in ratios.items()},
        **{f"memory_{key}": value for key, value in found.memory[name].items()},
        "mfu": achieved / rate if rate else None,
        "seconds": [entry["seconds"] for entry in entries],
        "mean_losses": [entry["loss"] for entry in entries],
        "computed": found.facts[name]["description"],
    }


def report(found: Found, options: argparse.Namespace, console: Console) -> None:
    """Print the table."""
    title = f"training, {options.model} encoder, batches of {options.batch_size}"
    columns = ("rows", "reviews/s", "tokens/s", "against plain", "against its best")
    more = ("peak memory", "grown by", "MFU")
    table = Table(title=title)
    table.add_column("peer", no_wrap=True)
    for column in (*columns, *more):
        table.add_column(column, justify="right")
    for name in (name for name in options.peers if name in found.rounds):
        values = line(found, name)
        ratios = (values["against_plain"], values["against_best"])
        table.add_row(
            name,
            f"{values['rows']:,}",
            f"{values['reviews_per_second']:.2f}",
            f"{values['tokens_per_second']:,.0f}",
            *(str(Ratio(**ratio)) if ratio else "–" for ratio in ratios),
            show_bytes(values["memory_peak"]),
            show_bytes(values["memory_growth"]),
            f"{values['mfu']:.1%}" if values["mfu"] else "–",
        )
    console.print(table)
    for name in found.rounds:
        console.print(f"{name}: {found.facts[name]['description']}", highlight=False)
    if found.rate["rate"]:
        rate = "{type}, {shape}, {way}".format(**found.rate)
        console.print(f"best product: {found.rate['rate'] / 1e9:,.0f} GFLOP/s ({rate})")
    console.print(
        "Ratios are of tokens/s: the median of the rounds' (lowest to highest). Grown by: the peak "
        "over what was resident once the model was loaded.",
        highlight=False,
    )


def summary(
    found: Found, options: argparse.Namespace, facts: dict[str, Any], failure: str | None
) -> dict[str, Any]:
    """Return everything, for machines."""
    return {
        "benchmark": "train",
        "recipe": RECIPE,
        "options": {key: value for key, value in vars(options).items() if key != "data"},
        "machine": facts,
        "best_rate": found.rate,
        "peers": {name: line(found, name) for name in found.rounds},
        "failure": failure,
    }


if __name__ == "__main__":
    main()
