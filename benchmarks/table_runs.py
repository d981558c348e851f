"""What one training on a table gave: the command, its figures, and the difference to baselines."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

from measuring import Children
from table_data import Table
from table_differences import BASELINES, differences_of
from table_rows import Split

OURS = "textlora"
SETFIT = "SetFit"
FIRST_SEED = 42


class CommandError(RuntimeError):
    """A command of the benchmark failed; the message has its last lines."""


@dataclass(frozen=True)
class Result:
    """What one classifier, or textlora with its baselines, gave on one draw with one seed.

    Args:
        table: name of the table.
        draw: number of the draw.
        seed: of the training.
        peer: "textlora", whose run has the baselines' figures, too; or "SetFit".
        rows: of training.
        test_rows: of test.
        classes: how many.
        multi_label: whether a text may have several.
        metric: what the table is judged by.
        figures: by classifier: accuracy and macro F1, for several labels per text micro F1.
        seconds: of the whole command, with everything that it does after training.
        differences: by baseline: ours minus it, in the metric, with the bounds of the paired
            95 % interval over the test rows; empty where it was not asked for.
    """

    table: str
    draw: int
    seed: int
    peer: str
    rows: int
    test_rows: int
    classes: int
    multi_label: bool
    metric: str
    figures: dict[str, dict[str, float]]
    seconds: float
    differences: dict[str, tuple[float, float, float]] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, int, int, str]:
        """What makes it another measurement than the others."""
        return self.table, self.draw, self.seed, self.peer

    def to_json(self) -> str:
        """Return a line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, line: str) -> Result:
        """Rebuild from a line."""
        values = json.loads(line)
        values["differences"] = {
            name: tuple(bounds) for name, bounds in values["differences"].items()
        }
        return cls(**values)


def read_results(file: Path) -> list[Result]:
    """Return the results of a file of JSON lines; none where there is no file."""
    if not file.is_file():
        return []
    return [Result.from_json(line) for line in file.read_text().splitlines() if line.strip()]


def train(table: Table, split: Split, draw: int, seed: int, work: Path, *, compare: bool) -> Result:
    """Run textlora's command with nothing but its defaults, and return what its run says.

    Args:
        table: which.
        split: its rows.
        draw: number of the draw.
        seed: of the training.
        work: where files, run and log go.
        compare: whether the baselines answer once more, for the differences.

    Raises:
        CommandError: the command failed.
    """
    name = f"{table.name}-{draw}"
    files = [str(file) for file in split.write(work / "data" / name)]
    run = work / "runs" / f"{name}-{seed}"
    command = [sys.executable, "-m", "textlora", "train", files[0], "--test", files[1]]
    command += ["--model", "bundled", "--seed", str(seed), "--out", str(run), "--overwrite"]
    started = time.perf_counter()
    _called(command, run.with_suffix(".log"))
    seconds = time.perf_counter() - started
    figures = run_figures(run)
    differences = {}
    if compare:
        with Children() as children:
            differences = children.once("baselines", differences_of, run, table.metric)
    return _result(table, split, draw, seed, OURS, figures, seconds, differences)


def train_setfit(
    table: Table, split: Split, draw: int, seed: int, work: Path, python: Path
) -> Result:
    """Run SetFit in its own environment, and return its figures; arguments as above.

    Raises:
        CommandError: it failed.
    """
    from textlora.model.bundled import package_folder

    name = f"{table.name}-{draw}"
    files = [str(file) for file in split.write(work / "data" / name)]
    script = Path(__file__).with_name("table_setfit.py")
    command = [str(python), str(script), *files, str(package_folder()), "--seed", str(seed)]
    log = work / "runs" / f"{name}-{seed}-setfit.log"
    # The Trainer prints dictionaries of its own, which are no JSON.
    printed = _called(command, log).splitlines()
    figures = json.loads(next(line for line in reversed(printed) if line.startswith('{"')))
    seconds = figures.pop("seconds")
    return _result(table, split, draw, seed, SETFIT, {SETFIT: figures}, seconds, {})


def run_figures(run: Path) -> dict[str, dict[str, float]]:
    """Return the test figures of a run folder, by classifier."""
    verdict = json.loads((run / "verdict.json").read_text(encoding="utf-8"))
    parts = json.loads((run / "metrics.json").read_text(encoding="utf-8"))["parts"]
    names = {verdict["tuned"]: OURS, **{name: name for name in BASELINES}}
    figures = {
        names[candidate["name"]]: {name: candidate[name] for name in ("accuracy", "macro_f1")}
        for candidate in verdict["candidates"]
        if candidate["name"] in names
    }
    if parts["test"]["multi_label"]:
        figures[OURS]["micro_f1"] = parts["test"]["micro_f1"]
    return figures


def _called(command: list[str], log: Path) -> str:
    """Run a command and return what it printed, which is in the log while it runs."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w", encoding="utf-8") as file:
        done = subprocess.run(command, stdout=file, stderr=subprocess.STDOUT, check=False)
    printed = log.read_text(encoding="utf-8")
    if done.returncode:
        last = "\n".join(printed.splitlines()[-8:])
        raise CommandError(f"{' '.join(command)}: exit code {done.returncode}\n{last}")
    return printed


def _result(
    table: Table,
    split: Split,
    draw: int,
    seed: int,
    peer: str,
    figures: dict[str, dict[str, float]],
    seconds: float,
    differences: dict[str, tuple[float, float, float]],
) -> Result:
    return Result(
        table=table.name,
        draw=draw,
        seed=seed,
        peer=peer,
        rows=len(split.train),
        test_rows=len(split.test),
        classes=len(split.classes),
        multi_label=split.multi_label,
        metric=table.metric,
        figures=figures,
        seconds=seconds,
        differences=differences,
    )
