"""What the benchmarks share: peers in processes of their own, taken in turns; memory; rates.

A peer lives in a process of its own, so that its peak memory is its own and no allocator
serves two. It works on command and otherwise waits at a pipe, using no core. Every round
runs every peer once, in an order that rotates, so that what slows the machine down for a
while meets all of them; ratios are taken within a round.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import platform
import resource
import signal
import statistics
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib import metadata
from multiprocessing.connection import Connection, wait
from pathlib import Path
from types import TracebackType
from typing import Any

from rich.console import Console

PACKAGES = (
    *("torch", "transformers", "peft", "accelerate"),
    *("onnxruntime", "openvino"),
)
BUSY_LOAD = 0.5
GIBIBYTE = 2**30


class PeerError(RuntimeError):
    """A peer failed or died; the message holds its traceback."""


class MismatchError(RuntimeError):
    """The peers do not compute the same thing, so their times say nothing."""


class Child:
    """An object in a process of its own, whose methods are called from here.

    Args:
        name: what the process is called in messages.
        factory: makes the object, over there.
        arguments: for the factory.

    Raises:
        PeerError: the object could not be made.
    """

    def __init__(self, name: str, factory: Callable[..., Any], *arguments: Any) -> None:
        # Spawned, not forked: nothing of this process is in its memory.
        context = multiprocessing.get_context("spawn")
        self.name = name
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=_serve, args=(theirs, factory, arguments), name=name, daemon=True
        )
        self._process.start()
        theirs.close()
        self._receive()

    def call(self, method: str, *arguments: Any) -> Any:
        """Call a method and return what it returns.

        Raises:
            PeerError: it raised an exception, or the process died.
        """
        # What worked before is asleep by now: thread pools spin for a moment when they end.
        time.sleep(0.3)
        self._pipe.send((method, arguments))
        return self._receive()

    def close(self) -> None:
        """End the process."""
        self._pipe.close()
        self._process.join(2)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    def _receive(self) -> Any:
        wait([self._pipe, self._process.sentinel])
        try:
            good, value = self._pipe.recv()
        except (EOFError, ConnectionError):
            self._process.join()
            code = self._process.exitcode
            raise PeerError(f"{self.name}: the process died (exit code {code})") from None
        if not good:
            raise PeerError(f"{self.name}: {value}")
        return value


class Children:
    """A block that ends every process started in it, however it is left."""

    def __init__(self) -> None:
        self._started: list[Child] = []

    def __enter__(self) -> Children:
        # A polite kill ends the children too, and prints what there is, as Ctrl-C does.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        for child in self._started:
            child.close()

    def start(self, name: str, factory: Callable[..., Any], *arguments: Any) -> Child:
        """Start a process that stays."""
        child = Child(name, factory, *arguments)
        self._started.append(child)
        return child

    def once(self, name: str, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a function in a process that ends with it, and return what it returns."""
        child = self.start(name, Function, function)
        try:
            return child.call("call", *arguments)
        finally:
            self.stop(child)

    def stop(self, child: Child) -> None:
        """End a process early."""
        self._started.remove(child)
        child.close()


@dataclass(frozen=True)
class Function:
    """A function as an object with a method, as `Child` wants it."""

    function: Callable[..., Any]

    def call(self, *arguments: Any) -> Any:
        """Call it."""
        return self.function(*arguments)


def _serve(pipe: Connection, factory: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    """Make the object, then answer until the other end closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends it
    os.dup2(2, 1)  # what a library prints must not get between the parent's lines
    try:
        served = factory(*arguments)
        pipe.send((True, None))
        while True:
            method, values = pipe.recv()
            pipe.send((True, getattr(served, method)(*values)))
    except EOFError:
        return
    except Exception:  # goes to the parent, whatever it is
        pipe.send((False, traceback.format_exc()))


def rotated(names: Sequence[str], turn: int) -> list[str]:
    """Return the names in the order of a round: each is first once in as many rounds."""
    start = turn % len(names) if names else 0
    return [*names[start:], *names[:start]]


@dataclass(frozen=True)
class Ratio:
    """How much faster one is than another: the median of the rounds' ratios, and their range."""

    median: float
    low: float
    high: float

    @classmethod
    def paired(cls, fast: Sequence[float], slow: Sequence[float]) -> Ratio | None:
        """Compare two peers' speeds round by round; None where no round has both."""
        ratios = [a / b for a, b in zip(fast, slow, strict=False)]
        return cls(statistics.median(ratios), min(ratios), max(ratios)) if ratios else None

    def __str__(self) -> str:
        return f"{self.median:.2f}x ({self.low:.2f} to {self.high:.2f})"


def memory() -> dict[str, int]:
    """Return this process's resident memory now and at its highest, in bytes.

    Not `ru_maxrss` where it can be avoided: that takes over the parent's peak.
    """
    status = Path("/proc/self/status")
    if not status.is_file():
        unit = 1 if sys.platform == "darwin" else 1024
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
        return {"now": peak, "peak": peak}
    fields = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
    kib = {name: int(fields[name].split()[0]) * 1024 for name in ("VmRSS", "VmHWM")}
    return {"now": kib["VmRSS"], "peak": kib["VmHWM"]}


class ProductRate:
    """Measures the fastest matrix product of this machine, in a process of its own.

    Square products of 1024, 2048 and 4096, and the model's own on 1,152 rows, in bf16 where
    it is native, else in fp32; by `torch.nn.functional.linear` and, on a CPU, with a weight
    that oneDNN has laid out beforehand.

    Args:
        hidden: size of the model's hidden states.
        intermediate: size inside its feed-forward.
        device: "cpu" or "cuda".
        threads: of torch.
    """

    def __init__(self, hidden: int, intermediate: int, device: str, threads: int) -> None:
        import torch

        torch.set_num_threads(threads)
        self.device = torch.device(device)
        self.type = torch.bfloat16 if _native_bf16(device) else torch.float32
        own = [(hidden, 3 * hidden), (hidden, intermediate), (intermediate, hidden)]
        self.shapes = [(size, size, size) for size in (1024, 2048, 4096)]
        self.shapes += [(1152, *pair) for pair in [*own, (hidden, hidden)]]

    def measure(self) -> dict[str, Any]:
        """Return the best rate in FLOP/s, and the shape, type and way that had it."""
        import torch

        best: dict[str, Any] = {"rate": 0.0}
        with torch.inference_mode():
            for rows, ins, outs in self.shapes:
                x = torch.randn(rows, ins, device=self.device).to(self.type)
                weight = torch.randn(outs, ins, device=self.device).to(self.type)
                for way, product in self._ways(x, weight).items():
                    rate = 2 * rows * ins * outs / self._seconds(product)
                    if rate > best["rate"]:
                        shape = f"[{rows:,}, {ins:,}] x [{ins:,}, {outs:,}]"
                        kind = str(self.type).removeprefix("torch.")
                        best = {"rate": rate, "shape": shape, "type": kind, "way": way}
        return best

    def _ways(self, x: Any, weight: Any) -> dict[str, Callable[[], Any]]:
        import torch

        linear = torch.nn.functional.linear
        ways: dict[str, Callable[[], Any]] = {"linear": lambda: linear(x, weight)}
        if x.device.type == "cpu" and torch.backends.mkldnn.is_available():
            packed = torch.ops.mkldnn._reorder_linear_weight(weight, len(x))
            pointwise = torch.ops.mkldnn._linear_pointwise
            ways["linear, weight laid out beforehand"] = lambda: pointwise(
                x, packed, None, "none", [], ""
            )
        return ways

    def _seconds(self, product: Callable[[], Any]) -> float:
        """Return the time of one product: the best of three runs of 0.2 s or more."""
        product()
        times = []
        count = 1
        while len(times) < 3:
            started = time.perf_counter()
            for _ in range(count):
                product()
            synchronize(self.device.type)
            seconds = time.perf_counter() - started
            if seconds >= 0.2:
                times.append(seconds / count)
            else:
                count = max(count + 1, int(count * 0.22 / max(seconds, 1e-6)))
        return min(times)


def _native_bf16(device: str) -> bool:
    import torch

    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported(False))
    known = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return bool(known.get("avx512_bf16") or known.get("amx_bf16"))


def synchronize(device: str) -> None:
    """Wait until a GPU has done what it was given; a CPU has."""
    if device == "cuda":
        import torch

        torch.cuda.synchronize()


def prepare(threads: int | None, device: str) -> int:
    """Set what every process inherits, the same for all peers, and return the thread count.

    Args:
        threads: for every peer; None: OMP_NUM_THREADS, else all cores.
        device: "cpu" hides a GPU that is there.
    """
    count = threads or int(os.environ.get("OMP_NUM_THREADS") or 0) or available_cores()
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS"):
        os.environ[name] = str(count)
    os.environ |= {"TOKENIZERS_PARALLELISM": "true", "HF_HUB_OFFLINE": "1"}
    os.environ |= {"HF_HUB_DISABLE_PROGRESS_BARS": "1", "PYTHONWARNINGS": "ignore"}
    os.environ["TRANSFORMERS_VERBOSITY"] = "error"
    if device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    return count


def available_cores() -> int:
    """Return how many cores this process may use."""
    known = getattr(os, "sched_getaffinity", None)
    return len(known(0)) if known else os.cpu_count() or 1


def require_gpu() -> None:
    """End the program where there is no GPU; called in a process of its own."""
    import torch

    if not torch.cuda.is_available():
        raise PeerError("--device cuda: there is no GPU here, or this torch has no CUDA.")


def machine(threads: int) -> dict[str, Any]:
    """Return what a reader must know of the machine to place the figures."""
    cpu = platform.processor()
    information = Path("/proc/cpuinfo")
    if information.is_file():
        lines = information.read_text().splitlines()
        names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
        cpu = next(names, cpu)
    installed = {entry.metadata["Name"] for entry in metadata.distributions()}
    return {
        "cpu": cpu,
        "cores": available_cores(),
        "threads": threads,
        "load_at_start": os.getloadavg()[0],
        "python": platform.python_version(),
        **{name: metadata.version(name) for name in PACKAGES if name in installed},
    }


def warn_if_busy(facts: dict[str, Any], console: Console) -> None:
    """Say so where other programs use the cores: no time is worth anything then."""
    load = facts["load_at_start"]
    if load > BUSY_LOAD:
        console.print(
            f"The machine is busy (load {load:.1f}): do not trust the times below.",
            style="bold yellow",
        )


def print_json(values: dict[str, Any]) -> None:
    """Print the one line for machines."""
    print(json.dumps(values, default=str), flush=True)


def show_bytes(count: float) -> str:
    """Return a size in GiB."""
    return f"{count / GIBIBYTE:.2f} GiB"


def median(values: Iterable[float]) -> float:
    """Return the median, or NaN of nothing."""
    known = list(values)
    return statistics.median(known) if known else float("nan")
