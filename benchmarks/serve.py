"""How much can be served? textlora against transformers.pipeline, many adapters, and overload.

    python benchmarks/serve.py --data ../shared/data [--run RUN] [--parts peers adapters load]

Three parts, each with servers of its own and the client in this process, on the same cores:

    peers     requests a second and their p95, by the number of clients, for short texts (10 to 40
              words of reviews) and whole reviews: textlora, the pipeline behind FastAPI one request
              at a time, and with batches of what waits. "at equal p95": the most that textlora
              answers without a p95 above the peer's.
    adapters  100 adapters on one base, every request to another one, against one adapter;
              memory by adapter.
    load      60 s at 1.5 times the capacity: only answers and 429 may come back, each request
              must get one; then 60 s at 0.6 times with two workers, one of which is killed.

The classifier is the one of benchmarks/score.py. Prints tables and one JSON line.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from load import Answers, closed_loop, open_loop, request
from measuring import Children, machine, median, prepare, print_json, warn_if_busy
from rich.console import Console
from rich.table import Table
from score import make_files
from score_peers import Files
from workload import TRAIN_FILE, VALIDATION_FILE, read_reviews, require_data

PARTS = ("peers", "adapters", "load")
SINGLE, BATCHED, OURS = "pipeline, one at a time", "pipeline, batched", "textlora"
CLIENTS = (1, 2, 4, 8, 16, 32, 64)
ADAPTERS = 100
ADAPTER_CLIENTS = 64
OVERLOAD, MODERATE = 1.5, 0.6
TOKENS_OF_SHORT = 38


@dataclass(frozen=True)
class Level:
    """What a server did under so many clients."""

    clients: int
    rate: float
    p50: float
    p95: float


@dataclass(frozen=True)
class Server:
    """A process that listens."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path

    def memory(self) -> int:
        """Return its resident memory in bytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) * 1024  # type: ignore[index]


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--run", type=Path, help="a finished run, in place of training one")
    parser.add_argument("--work", type=Path, default=Path("runs/score"), help="kept for next time")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--clients", nargs="+", type=int, default=list(CLIENTS))
    parser.add_argument("--seconds", type=float, default=8.0, help="of a level")
    parser.add_argument("--load-seconds", type=float, default=60.0)
    parser.add_argument("--rounds", type=int, default=3, help="of the part adapters")
    parser.add_argument("--threads", type=int, help="default: OMP_NUM_THREADS, else all cores")
    options = parser.parse_args()
    # What score.make_files looks at, too.
    options.model, options.peers = "bundled", []
    return options


def main() -> None:
    """Run the parts that the command line names."""
    options = parse()
    require_data(options.data, TRAIN_FILE, VALIDATION_FILE)
    threads = prepare(options.threads, "cpu")
    console = Console(stderr=True, width=140)
    facts = machine(threads)
    warn_if_busy(facts, console)
    reviews = read_reviews(options.data / VALIDATION_FILE)
    with Children() as children:
        files = make_files(options, threads, reviews, children, console)
    texts = {"short": short_texts(reviews.texts), "reviews": reviews.texts}
    found: dict[str, Any] = {}
    if "peers" in options.parts:
        found["peers"] = compare_peers(files, texts, options, console)
    if "adapters" in options.parts:
        found["adapters"] = many_adapters(files, texts["short"], options, console)
    if "load" in options.parts:
        found["load"] = overload(files, texts["short"], options, console)
    facts["load_at_end"] = os.getloadavg()[0]
    print_json({"benchmark": "serve", "machine": facts, **found})


def short_texts(reviews: Sequence[str]) -> list[str]:
    """Return 10 to 40 words from somewhere in each review."""
    draw = random.Random(0)  # noqa: S311
    texts = []
    for review in reviews:
        words, count = review.split(), draw.randint(10, 40)
        start = draw.randint(0, max(0, len(words) - count))
        texts.append(" ".join(words[start : start + count]))
    return texts


def requests_of(texts: Sequence[str], path: str = "/predict") -> list[bytes]:
    """Return a request for each text."""
    return [request(path, text) for text in texts]


# --- servers -------------------------------------------------------------------------------


@contextmanager
def started(command: Sequence[object], url: str, ready: str, log: Path) -> Iterator[Server]:
    """Run a server until the block ends."""
    with log.open("wb") as file:
        process = subprocess.Popen([sys.executable, *map(str, command)], stderr=file, stdout=file)
    try:
        deadline = time.monotonic() + 120
        while not answers(url + ready):
            if process.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"{command[0]} did not start:\n{log.read_text()[-2000:]}")
            time.sleep(0.2)
        yield Server(url, process, log)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def answers(url: str) -> bool:
    """Return whether a GET gets an answer."""
    try:
        return bool(urllib.request.urlopen(url, timeout=5).status == 200)  # noqa: S310
    except OSError:
        return False


def free_port() -> int:
    """Return a port that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def ours(files: Files, *more: object) -> Any:
    """Start textlora as a user would."""
    port = free_port()
    command = ("-m", "textlora", "serve", f"main={files.run}", "--port", port, *more)
    log = files.folder / "serve-textlora.log"
    return started(command, f"http://127.0.0.1:{port}", "/health/ready", log)


def pipeline(files: Files, mode: str) -> Any:
    """Start a peer."""
    port, script = free_port(), Path(__file__).with_name("serve_peers.py")
    command = (script, files.merged, mode, port)
    log = files.folder / f"serve-{mode}.log"
    return started(command, f"http://127.0.0.1:{port}", "/openapi.json", log)


# --- the parts -----------------------------------------------------------------------------


def compare_peers(
    files: Files, texts: dict[str, list[str]], options: argparse.Namespace, console: Console
) -> dict[str, Any]:
    """Measure every server under every number of clients, in turns."""
    found: dict[str, Any] = {}
    seconds = options.seconds
    with ExitStack() as stack:
        servers = {
            OURS: stack.enter_context(ours(files)),
            SINGLE: stack.enter_context(pipeline(files, "single")),
            BATCHED: stack.enter_context(pipeline(files, "batched")),
        }
        for kind, own in texts.items():
            requests = requests_of(own)
            levels: dict[str, list[Level]] = {name: [] for name in servers}
            for server in servers.values():  # compiles kernels for the shapes to come
                closed_loop(server.url, requests, 16, seconds / 2)
            for count in options.clients:
                for name, server in servers.items():
                    level = measure(server.url, requests, count, seconds)
                    levels[name].append(level)
                    console.print(f"{kind}  {name}: {level}", highlight=False)
            found[kind] = summarise(levels)
            Console(width=110).print(peers_table(kind, levels, found[kind]))
    return found


def measure(url: str, requests: Sequence[bytes], clients: int, seconds: float) -> Level:
    """Run one level; anything but answers ends the benchmark."""
    answers = closed_loop(url, requests, clients, seconds)
    if set(answers.statuses) != {200}:
        sys.exit(f"unexpected answers: {dict(answers.statuses)}")
    return Level(clients, answers.rate, answers.milliseconds(50), answers.milliseconds(95))


def summarise(levels: dict[str, list[Level]]) -> dict[str, Any]:
    """Return levels, and for each of a peer's how much more textlora does at equal p95."""
    return {
        "levels": {name: [asdict(level) for level in own] for name, own in levels.items()},
        "at_equal_p95": {
            name: [at_equal_p95(level, levels[OURS]) for level in levels[name]]
            for name in (SINGLE, BATCHED)
        },
    }


def at_equal_p95(peer: Level, own: Sequence[Level]) -> float | None:
    """Return our best rate without a p95 above the peer's, over the peer's; None: there is none."""
    allowed = [level.rate for level in own if level.p95 <= peer.p95]
    return max(allowed) / peer.rate if allowed else None


def peers_table(kind: str, levels: dict[str, list[Level]], summary: dict[str, Any]) -> Table:
    """Return a table of one kind of texts."""
    table = Table(title=f"{kind}: requests a second by the number of clients")
    for column in ("server", "clients", "requests/s", "p50 ms", "p95 ms", "textlora at equal p95"):
        table.add_column(column, justify="left" if column == "server" else "right")
    for name, own in levels.items():
        ratios = summary["at_equal_p95"].get(name, [None] * len(own))
        for level, ratio in zip(own, ratios, strict=True):
            numbers = (f"{level.rate:.1f}", f"{level.p50:.0f}", f"{level.p95:.0f}")
            shown = "" if ratio is None else f"{ratio:.1f} x"
            table.add_row(name, str(level.clients), *numbers, shown)
    return table


def many_adapters(
    files: Files, texts: Sequence[str], options: argparse.Namespace, console: Console
) -> dict[str, Any]:
    """Load a hundred adapters one by one, then compare many with one."""
    folder = files.folder / "adapters"
    names = make_adapters(files.run, folder)
    with ours(files, "--adapters", folder) as server:
        one = requests_of(texts)
        many = [request(f"/adapters/{names[n % ADAPTERS]}/predict", t) for n, t in enumerate(texts)]
        closed_loop(server.url, one, ADAPTER_CLIENTS, options.seconds)
        put(server.url, names[0])
        before, started_at = server.memory(), time.perf_counter()
        for name in names[1:]:
            put(server.url, name)
        loading = (time.perf_counter() - started_at) / (ADAPTERS - 1)
        growth = (server.memory() - before) / (ADAPTERS - 1)
        info = json.load(urllib.request.urlopen(f"{server.url}/info"))  # noqa: S310
        closed_loop(server.url, many, ADAPTER_CLIENTS, options.seconds / 2)
        rounds = []
        for _ in range(options.rounds):
            pair = [
                measure(server.url, requests, ADAPTER_CLIENTS, options.seconds)
                for requests in (one, many)
            ]
            console.print(f"one adapter {pair[0]}\n{ADAPTERS}  {pair[1]}", highlight=False)
            rounds.append([asdict(level) for level in pair])
    ratio = median(many["rate"] / one["rate"] for one, many in rounds)
    tensors = info["adapters"][-1]["bytes"]
    Console(width=110).print(
        f"{ADAPTERS} adapters answer {ratio:.2f} times as many requests as one; an adapter takes "
        f"{growth / 1024:,.0f} KiB of memory ({tensors / 1024:,.0f} KiB of tensors) and "
        f"{1000 * loading:.0f} ms to load.",
        highlight=False,
    )
    return {
        "ratio": ratio,
        "rounds": rounds,
        "bytes_each": growth,
        "tensor_bytes_each": tensors,
        "seconds_to_load": loading,
    }


def make_adapters(run: Path, folder: Path) -> list[str]:
    """Write a hundred adapters like the run's, each a little different; return their names."""
    from safetensors.numpy import load_file, save_file

    source = run / "adapter" if (run / "adapter").is_dir() else run
    weights = load_file(source / "adapter_model.safetensors")
    names = [f"adapter-{number:03}" for number in range(ADAPTERS)]
    shutil.rmtree(folder, ignore_errors=True)
    for number, name in enumerate(names):
        shutil.copytree(source, folder / name)
        own = {key: tensor * np.float32(1 + number / 1000) for key, tensor in weights.items()}
        save_file(own, folder / name / "adapter_model.safetensors", metadata={"format": "pt"})
    return names


def put(url: str, name: str) -> None:
    """Load an adapter."""
    urllib.request.urlopen(  # noqa: S310
        urllib.request.Request(f"{url}/adapters/{name}", method="PUT")  # noqa: S310
    ).close()


def overload(
    files: Files, texts: Sequence[str], options: argparse.Namespace, console: Console
) -> dict[str, Any]:
    """Send more than can be answered; then kill a worker."""
    requests = requests_of(texts)
    found = {}
    with ours(files) as server:
        closed_loop(server.url, requests, 64, options.seconds)
        capacity = closed_loop(server.url, requests, 64, options.seconds).rate
    console.print(f"capacity: {capacity:.0f} requests/s", highlight=False)
    # A queue of about half a second: what comes beyond is refused, and the rest keeps its time.
    queue = max(1024, round(TOKENS_OF_SHORT * capacity / 2))
    with ours(files, "--max-queue-tokens", queue) as server:
        closed_loop(server.url, requests, 16, options.seconds)
        result = open_loop(server.url, requests, OVERLOAD * capacity, options.load_seconds)
        found["overload"] = told(f"{OVERLOAD} x the capacity", capacity, result)
    with ours(files, "--workers", 2) as server:
        while server.log.read_text().count("Application startup complete") < 2:
            time.sleep(0.1)
        closed_loop(server.url, requests, 64, options.seconds)
        capacity = closed_loop(server.url, requests, 64, options.seconds).rate
        pids = re.findall(r"server process \[(\d+)\]", server.log.read_text())
        result = open_loop(
            server.url,
            requests,
            MODERATE * capacity,
            options.load_seconds,
            at=options.load_seconds / 3,
            event=lambda: os.kill(int(pids[0]), signal.SIGKILL),
        )
        found["killed"] = told(f"{MODERATE} x, a worker killed", capacity, result)
        back = server.log.read_text().count("Application startup complete") == 3
        found["killed"]["came_back"] = back
        Console().print(f"The killed worker {'came back' if back else 'DID NOT come back'}.")
    return found


def told(what: str, capacity: float, result: Answers) -> dict[str, Any]:
    """Print and return one load test."""
    times = {f"p{p}": result.milliseconds(p) for p in (50, 95, 99)}
    names = {200: "answered", 429: "refused (429)", 0: "connection broken"}
    counts = {names.get(k, str(k)): v for k, v in sorted(result.statuses.items())}
    sent = sum(result.statuses.values())
    Console(width=110).print(
        f"{what} ({capacity:.0f} requests/s): {sent:,} sent in {result.elapsed:.0f} s: "
        + ", ".join(f"{name} {count:,}" for name, count in counts.items())
        + "; of the answers "
        + ", ".join(f"{name} {value:.0f} ms" for name, value in times.items()),
        highlight=False,
    )
    return {"capacity": capacity, "sent": sent, "statuses": counts, **times}


if __name__ == "__main__":
    main()
