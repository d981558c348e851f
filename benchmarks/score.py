"""How fast are answers? textlora against Transformers, ONNX Runtime and OpenVINO, in turns.

    python benchmarks/score.py --data ../shared/data [--run RUN] [--rounds N] [--rows N]

1,000 reviews by one classifier, end to end: texts in, probabilities out, tokenization in the
clock. The classifier is recipe `distilbert-lora-imdb` after one epoch, trained first and
kept in the work folder, or a run of yours. The peers, a process each, with as many threads:

    pipeline fp32         transformers.pipeline on the merged model, batches of 16
    torch fp32, sorted    the merged model, reviews sorted by length, batches of 32
    torch bf16, sorted    the same under bf16 autocast
    onnxruntime fp32      sorted, with ONNX Runtime's fused attention or without
    onnxruntime int8      the same, quantize_dynamic
    openvino fp32         sorted, precision hint f32
    openvino default      the same at OpenVINO's own choice: bf16 where it is native
    textlora              the default: packed, bf16 where it is native
    textlora fp32         the same in fp32

ONNX Runtime and OpenVINO get the batch size (and graph, and performance hint) that is
fastest for them on a few reviews; `pip install onnx onnxruntime openvino` installs them, and
what is not installed is left out. The pipeline always runs, as the reference: all peers must
see the same tokens, and all in fp32 must give its answers. A round runs every peer once, in
a rotating order. Prints a table and one JSON line.
"""

from __future__ import annotations

import argparse
import random
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from flops import Sizes, forward_flops
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
    rotated,
    show_bytes,
    warn_if_busy,
)
from rich.console import Console
from rich.table import Table
from score_peers import (
    PEERS,
    Files,
    Options,
    convert,
    export,
    fingerprint,
    make_scorer,
    merge,
    train_run,
)
from workload import (
    TRAIN_FILE,
    VALIDATION_FILE,
    Reviews,
    model_folder,
    read_config,
    read_reviews,
    require_data,
)

PIPELINE = "pipeline fp32"
ROWS = {"bundled": 1000, "base": 200}
CHECKED = 24
# Of a probability in fp32, and of an exported logit: what the order of sums changes.
TOLERANCE = 2e-3
EQUAL_ACCURACY = 0.005


@dataclass
class Found:
    """What a benchmark has found so far: printed however it ends."""

    rate: dict[str, Any] = field(default_factory=lambda: {"rate": 0.0})
    seconds: dict[str, list[float]] = field(default_factory=dict)
    probabilities: dict[str, Any] = field(default_factory=dict)
    memory: dict[str, dict[str, int]] = field(default_factory=dict)
    options: dict[str, Options] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    labels: list[int] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)
    flops: int = 0

    def accuracy(self, name: str) -> float:
        """Return the share of right answers."""
        return float((self.probabilities[name].argmax(axis=1) == np.array(self.labels)).mean())

    def speeds(self, name: str) -> list[float]:
        """Return reviews a second, round by round."""
        return [len(self.labels) / seconds for seconds in self.seconds.get(name, [])]

    def best_runtime(self) -> str | None:
        """Return the fastest of ONNX Runtime and OpenVINO that is as accurate."""
        if PIPELINE not in self.probabilities:
            return None
        allowed = self.accuracy(PIPELINE) - EQUAL_ACCURACY
        fit = [
            name
            for name in self.seconds
            if PEERS[name].family == "runtime" and self.accuracy(name) >= allowed
        ]
        return max(fit, key=lambda name: median(self.speeds(name)), default=None)


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--model", choices=("bundled", "base"), default="bundled")
    parser.add_argument("--run", type=Path, help="a finished run, in place of training one")
    parser.add_argument("--work", type=Path, default=Path("runs/score"), help="kept for next time")
    parser.add_argument("--rows", type=int, help="reviews; bundled 1,000, base 200")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peers", nargs="+", choices=list(PEERS), default=list(PEERS))
    parser.add_argument("--peer-batch", type=int, help="for ONNX Runtime and OpenVINO: no sweep")
    parser.add_argument("--sweep-rows", type=int, default=100)
    parser.add_argument("--threads", type=int, help="default: OMP_NUM_THREADS, else all cores")
    parser.add_argument("--skip-rate", action="store_true", help="no best rate, so no MFU")
    return parser.parse_args()


def main() -> None:
    """Run what the command line names."""
    options = parse()
    require_data(options.data, TRAIN_FILE, VALIDATION_FILE)
    threads = prepare(options.threads, "cpu")
    console = Console(stderr=True, width=150)
    facts = machine(threads)
    warn_if_busy(facts, console)
    reviews = sample(options)
    found, failure = Found(labels=reviews.labels), None
    with Children() as children:
        try:
            files = make_files(options, threads, reviews, children, console)
            measure(options, files, reviews, children, found, console)
        except (PeerError, MismatchError, KeyboardInterrupt) as error:
            failure = str(error) or "interrupted"
    if found.seconds:
        report(found, options, Console(width=170))
    print_json(summary(found, options, facts, failure))
    if failure:
        sys.exit(f"\nStopped: {failure}")


def sample(options: argparse.Namespace) -> Reviews:
    """Return the reviews to answer: those of the validation file, or some of them."""
    everything = read_reviews(options.data / VALIDATION_FILE)
    count = options.rows or ROWS[options.model]
    if count >= len(everything.texts):
        return everything
    rows = random.Random(0).sample(range(len(everything.texts)), count)  # noqa: S311
    return Reviews([everything.texts[r] for r in rows], [everything.labels[r] for r in rows])


def make_files(
    options: argparse.Namespace,
    threads: int,
    reviews: Reviews,
    children: Children,
    console: Console,
) -> Files:
    """Make the classifier in every form, unless it is there.

    Raises:
        MismatchError: the exported graph gives other logits than torch.
    """
    run = options.run
    if run is None:
        run = options.work / f"run-{options.model}"
        if not finished(run):
            console.print(f"training one epoch into {run}")
            model = children.once("model", model_folder, options.model, options.work)
            rows = None if options.model == "bundled" else 32  # random weights learn nothing
            children.once("training", train_run, model, options.data.absolute(), run, rows)
    run = run.absolute()
    folder = options.work.absolute() / children.once("checksum", fingerprint, run)
    folder.mkdir(parents=True, exist_ok=True)
    files = Files(run, folder, threads)
    if not (files.merged / "tokenizer.json").is_file():
        console.print(f"merging the adapter into {files.merged}")
        children.once("merging", merge, files)
    wanted = {PEERS[name].package for name in options.peers if PEERS[name].installed}
    try:
        if wanted & {"onnxruntime", "openvino"} and not files.int8.is_file():
            export_checked(files, reviews.texts[:8], children, console)
        if "openvino" in wanted and not files.openvino("torch").is_file():
            children.once("converting", convert, files)
    except PeerError as error:  # the peers that need these files are left out
        console.print(str(error), style="bold red", markup=False)
    return files


def export_checked(files: Files, texts: list[str], children: Children, console: Console) -> None:
    """Write the ONNX graphs.

    Raises:
        MismatchError: they give other logits than torch.
    """
    difference = children.once("exporting", export, files, texts)
    console.print(f"exported to ONNX; largest difference of a logit {difference:.1e}")
    if not difference <= TOLERANCE:
        files.int8.unlink()
        raise MismatchError(f"the exported logits differ from torch's by {difference}")


def finished(run: Path) -> bool:
    """Return whether a run folder holds a finished run."""
    from textlora.errors import RunError
    from textlora.files import RunFolder

    try:
        RunFolder(run).require_finished()
    except RunError:
        return False
    return True


def measure(
    options: argparse.Namespace,
    files: Files,
    reviews: Reviews,
    children: Children,
    found: Found,
    console: Console,
) -> None:
    """Start the peers, check them against the pipeline, and time them round by round."""
    sizes = Sizes.of(read_config(files.merged))
    peers = {}
    for name in [PIPELINE, *(name for name in options.peers if name != PIPELINE)]:
        if not PEERS[name].installed:
            found.failed[name] = "not installed"
            continue
        try:
            chosen = choose(name, options, files, reviews, children, console)
            peers[name] = children.start(name, make_scorer, name, files, chosen)
            found.options[name] = {**PEERS[name].options, **chosen}
        except PeerError as error:
            if name == PIPELINE:
                raise
            found.failed[name] = str(error).strip().splitlines()[-1]
            console.print(f"{name} is left out: {error}", style="bold red", markup=False)
    check(peers, reviews, found, console)
    found.flops = forward_flops(sizes, found.lengths)
    rate = None
    if not options.skip_rate:
        sides = sizes.hidden, sizes.intermediate
        rate = children.start("product rate", ProductRate, *sides, "cpu", files.threads)
    time_rounds(options.rounds, peers, rate, reviews, found, console)


def choose(
    name: str,
    options: argparse.Namespace,
    files: Files,
    reviews: Reviews,
    children: Children,
    console: Console,
) -> Options:
    """Return the options that are fastest for a peer on a few reviews, one option at a time.

    In processes that end, so that what is tried does not count as the peer's memory.
    """
    sweep = dict(PEERS[name].sweep)
    if not sweep:
        return {}
    if options.peer_batch:
        sweep["batch"] = (options.peer_batch,)
    texts = reviews.texts[: options.sweep_rows]
    chosen: Options = {key: values[0] for key, values in sweep.items()}
    if all(len(values) == 1 for values in sweep.values()):
        return chosen
    best = None
    for key, values in sweep.items():
        for value in values if best is None else values[1:]:
            tried = {**chosen, key: value}
            child = children.start(f"{name} {tried}", make_scorer, name, files, tried)
            # The first pass compiles kernels for new shapes; the rounds do not see that either.
            seconds = min(child.call("answer", texts)["seconds"] for _ in range(2))
            children.stop(child)
            console.print(f"sweep  {name} {tried}: {len(texts) / seconds:.1f} reviews/s")
            if best is None or seconds < best:
                best, chosen = seconds, tried
    return chosen


def check(peers: dict[str, Child], reviews: Reviews, found: Found, console: Console) -> None:
    """Compare tokens of all reviews, and answers to a few, before any clock runs.

    Raises:
        MismatchError: a peer sees other tokens, or gives other answers in fp32.
    """
    expected = peers[PIPELINE].call("tokens", reviews.texts)
    found.lengths = expected["lengths"]
    few = reviews.texts[:CHECKED]
    answers = peers[PIPELINE].call("answer", few)["probabilities"]
    for name, child in peers.items():
        if child.call("tokens", reviews.texts) != expected:
            raise MismatchError(f"{name} sees other tokens than the pipeline")
        difference = distance(child.call("answer", few)["probabilities"], answers)
        console.print(f"check  {name}: largest difference of a probability {difference:.1e}")
        require_equal(name, difference)


def distance(values: Any, expected: Any) -> float:
    """Return the largest difference of a probability."""
    return float(np.abs(values - expected).max())


def require_equal(name: str, difference: float) -> None:
    """Raise MismatchError where a peer in fp32 gives other answers than the pipeline."""
    if PEERS[name].exact and not difference <= TOLERANCE:
        raise MismatchError(f"{name}: probabilities differ from the pipeline's by {difference}")


def time_rounds(
    rounds: int,
    peers: dict[str, Child],
    rate: Child | None,
    reviews: Reviews,
    found: Found,
    console: Console,
) -> None:
    """Run the rounds, measuring the best rate between them."""
    for number in range(rounds):
        if rate is not None:
            measured = rate.call("measure")
            found.rate = max(found.rate, measured, key=lambda entry: entry["rate"])
        for name in rotated(list(peers), number):
            result = peers[name].call("answer", reviews.texts)
            found.seconds.setdefault(name, []).append(result["seconds"])
            found.probabilities[name] = result["probabilities"]
            found.memory[name] = peers[name].call("memory")
            console.print(
                f"round {number + 1} of {rounds}  {name}: {len(reviews.texts)} reviews "
                f"in {result['seconds']:.1f} s",
                highlight=False,
            )
        for name, values in found.probabilities.items():
            require_equal(name, distance(values, found.probabilities[PIPELINE]))


def line(found: Found, name: str) -> dict[str, Any]:
    """Return a peer's figures."""
    speeds = found.speeds(name)
    runtime = found.best_runtime()
    ratios = {
        key: Ratio.paired(speeds, found.speeds(other)) if other not in (None, name) else None
        for key, other in (("against_pipeline", PIPELINE), ("against_runtime", runtime or name))
    }
    known = found.probabilities.get(PIPELINE)
    rate = found.rate["rate"]
    seconds = median(found.seconds[name])
    return {
        "options": found.options[name],
        "reviews_per_second": median(speeds),
        "tokens_per_second": sum(found.lengths) / seconds,
        **{key: asdict(ratio) if ratio else None for key, ratio in ratios.items()},
        "accuracy": found.accuracy(name),
        "largest_difference": (
            None if known is None else distance(found.probabilities[name], known)
        ),
        **{f"memory_{key}": value for key, value in found.memory[name].items()},
        "mfu": found.flops / seconds / rate if rate else None,
        "seconds": found.seconds[name],
    }


def report(found: Found, options: argparse.Namespace, console: Console) -> None:
    """Print the table."""
    runtime = found.best_runtime()
    title = f"{len(found.labels):,} reviews answered, {options.model} encoder, texts in"
    table = Table(title=f"{title}, probabilities out")
    table.add_column("peer", no_wrap=True)
    columns = ("reviews/s", "tokens/s", "against pipeline", "against best runtime", "accuracy")
    for column in (*columns, "largest diff.", "peak memory", "grown by", "MFU"):
        table.add_column(column, justify="right")
    for name in found.seconds:
        values = line(found, name)
        ratios = (values["against_pipeline"], values["against_runtime"])
        difference = values["largest_difference"]
        table.add_row(
            name + (" *" if name == runtime else ""),
            f"{values['reviews_per_second']:.1f}",
            f"{values['tokens_per_second']:,.0f}",
            *(str(Ratio(**ratio)) if ratio else "–" for ratio in ratios),
            f"{values['accuracy']:.1%}",
            "–" if difference is None else f"{difference:.1e}",
            show_bytes(values["memory_peak"]),
            show_bytes(values["memory_growth"]),
            f"{values['mfu']:.1%}" if values["mfu"] else "–",
        )
    for name, why in found.failed.items():
        table.add_row(name, why)
    console.print(table)
    if runtime:
        console.print(
            "* the fastest of ONNX Runtime and OpenVINO that is at most "
            f"{100 * EQUAL_ACCURACY:g} points less accurate than the pipeline"
        )
    for name, chosen in found.options.items():
        if PEERS[name].sweep:
            console.print(f"{name}: {chosen}", highlight=False)
    if found.rate["rate"]:
        rate = "{type}, {shape}, {way}".format(**found.rate)
        console.print(f"best product: {found.rate['rate'] / 1e9:,.0f} GFLOP/s ({rate})")


def summary(
    found: Found, options: argparse.Namespace, facts: dict[str, Any], failure: str | None
) -> dict[str, Any]:
    """Return everything, for machines."""
    return {
        "benchmark": "score",
        "rows": len(found.labels),
        "tokens": sum(found.lengths),
        "options": {key: value for key, value in vars(options).items() if key != "data"},
        "machine": facts,
        "best_rate": found.rate,
        "best_runtime": found.best_runtime(),
        "peers": {name: line(found, name) for name in found.seconds},
        "left_out": found.failed,
        "failure": failure,
    }


if __name__ == "__main__":
    main()
