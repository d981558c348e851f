"""Prove that two versions of the code give the same results, to the last bit.

    python scripts/same_results.py OLD_SRC NEW_SRC [--work FOLDER]

Each version runs in a process of its own, with its source folder on PYTHONPATH: the demo, the
default settings and every recipe on a few of the demo's reviews, then evaluate, predict, score,
compare, inspect, export, audit and curve. All that they write and print is compared, but for what
`IGNORED` names: times, versions, paths. Ends with 1 where anything else differs. For machines with
the extras bundled, audit and export; it takes some minutes.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import json
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import yaml

ROWS = {"train": 36, "validation": 16, "test": 16}

# What the old code called something, and what the new code calls it: keys of JSON and YAML,
# columns of tables, and files. Everything else has to keep its name.
RENAMED: dict[str, str] = {}

# Keys whose values may differ, wherever they stand.
IGNORED = re.compile(r"(.*_)?(seconds|milliseconds|version|at|packages)")
# Files that hold times, hashes of paths, or names of the code itself.
UNREAD = re.compile(r"(cache/|.*checkpoints/|.*\.(onnx|data|pt|pth|parquet|png)$)")
# Times and sizes in what is printed and shown: 3 s, 1.5 min, 120 texts/s, 2026-11-22 01:14.
TIMES = re.compile(
    r"\b[\d,.]+\s?(ms|s|min|minutes|seconds|h|hours|GB|MB|kB)\b|[\d,.]+ times"
    r"|[\d,.]+ (texts|rows|tokens)[/ ]?(a |per )?(s|second)\b"
    r"|\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?(\+00:00)?( UTC)?"
)


def commands() -> Iterator[list[str]]:
    """Yield the command lines, in the order in which one needs another's output."""
    quick = ["--epochs", "1", "--seed", "7", "--json"]
    few = ["--set", "evaluation.explained_errors=2", "--set", "evaluation.bootstrap_resamples=200"]
    files = ["train.csv", "--valid", "validation.csv", "--test", "test.csv"]
    bundled = ["--model", "bundled"]
    yield ["train", *files, "--recipe", "demo.yaml", *few, *quick[:-1], "--out", "runs/demo"]
    yield ["train", *files, *bundled, *few, *quick, "--out", "runs/default"]
    for name in (path.stem for path in sorted(recipes_folder().glob("*.yaml"))):
        options = ["--recipe", name, *bundled, *few, *quick, "--out", f"runs/{name}"]
        yield ["train", "train.csv", *options]
    several = ["multi.csv", *bundled, *few, *quick, "--label-separator", "|"]
    yield ["train", *several, "--set", "compute.path=plain", "--out", "runs/multi-label"]
    windows = ["--set", "data.long_texts=windows", "--max-length", "32", "--out", "runs/windows"]
    yield ["train", *files, *bundled, *few, *quick, *windows]
    run = "runs/demo"
    yield ["inspect", *files, *bundled, "--no-estimate"]
    yield ["evaluate", run, "test.csv", "--json"]
    yield ["evaluate", "runs/distilbert-lora-bce", "test.csv", "--precision", "fp32"]
    yield ["predict", run, "It was good.", "A dull film.", "--json"]
    yield ["compare", run, "runs/default", "--data", "test.csv", "--json"]
    for ending in ("csv", "jsonl"):
        yield ["score", run, f"test.{ending}", "--out", f"scored.{ending}", "--prefix", "by_"]
    yield ["explain", run, "It was good.", "--json"]
    for target in ("merged", "onnx"):
        yield ["export", run, "--to", target, "--texts", "20", "--json"]
    yield ["push", run, "owner/name", "--dry-run"]
    yield ["audit", "train.csv", *bundled, "--folds", "2", "--out", "audit", "--json"]
    yield ["curve", "train.csv", *bundled, "--shares", "0.5,1", "--out", "curve", "--json"]


def recipes_folder() -> Path:
    """Return the folder of the recipes of the code that runs."""
    import textlora.recipes

    return Path(textlora.recipes.__file__).parent


def write_tables() -> None:
    """Write the first of the demo's reviews: CSV, JSON Lines, and one with several labels a row."""
    try:
        from textlora.recipes import demo_config, reviews_path
    except ImportError:  # as in version 0.1.0
        from textlora.demo import demo_config, reviews_path

    settings = demo_config().to_yaml().replace(str(reviews_path("train").parent), "REVIEWS")
    Path("demo.yaml").write_text(settings, encoding="utf-8")
    for part, number in ROWS.items():
        with reviews_path(part).open(encoding="utf-8", newline="") as file:
            rows = list(islice(csv.DictReader(file), number))
        write_csv(f"{part}.csv", rows)
        Path(f"{part}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        if part == "train":
            long = [row["label"] + ("|long" if len(row["text"]) > 200 else "") for row in rows]
            both = zip(rows, long, strict=True)
            write_csv("multi.csv", [{"text": row["text"], "label": label} for row, label in both])


def write_csv(name: str, rows: list[dict[str, str]]) -> None:
    """Write a table of texts and labels."""
    with Path(name).open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["text", "label"])
        writer.writeheader()
        writer.writerows(rows)


def run_side() -> None:
    """Run all commands in the current folder, and save what each prints; stop where one fails."""
    from textlora.cli import main

    write_tables()
    Path("printed").mkdir()
    for number, command in enumerate(commands(), 1):
        sys.argv = ["textlora", *command]
        printed = Path(f"printed/{number:02d}-{command[0]}.txt")
        with printed.open("w", encoding="utf-8") as file:
            print(*sys.argv, file=file)
            with contextlib.redirect_stdout(file), contextlib.redirect_stderr(file):
                try:
                    main()
                except SystemExit as ended:
                    code = ended.code
        if code:
            sys.exit(f"{printed.resolve()}: ended with {code}.")
    Path("finished").touch()


def start(src: Path, folder: Path) -> subprocess.Popen[bytes]:
    """Start one version on its way."""
    folder.mkdir(parents=True)
    here = {"PYTHONPATH": str(src), "TEXTLORA_CACHE": str(folder / "cache")}
    fixed = {"OMP_NUM_THREADS": "1", "COLUMNS": "100", "NO_COLOR": "1", "HF_HUB_OFFLINE": "1"}
    script = str(Path(__file__).resolve())
    return subprocess.Popen(
        [sys.executable, script, "--side"], cwd=folder, env={**os.environ, **fixed, **here}
    )


def content(path: Path, names: dict[str, str], folders: list[Path]) -> Any:
    """Return what a file says, without what may differ."""
    try:
        text = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError:
        return path.read_bytes()
    for folder in folders:
        text = text.replace(str(folder), "FOLDER")
    if path.suffix in (".json", ".yaml"):
        return plain(yaml.safe_load(text) if path.suffix == ".yaml" else json.loads(text), names)
    if path.suffix == ".jsonl":
        return [plain(json.loads(line), names) for line in text.splitlines()]
    if path.parent.name == "printed":
        lines = [json_line(line, names) for line in text.splitlines()]
        return [line for line in lines if line]
    if path.suffix == ".csv" and text:
        header, _, rows = text.partition("\n")
        return [",".join(names.get(name, name) for name in header.split(",")), rows]
    return TIMES.sub("TIME", text)


def json_line(line: str, names: dict[str, str]) -> Any:
    """Return a printed line, read where it is JSON; columns may be as wide as their times."""
    if line.startswith("{"):
        return plain(json.loads(line), names)
    return " ".join(re.sub("[━─┏┓┗┛┳┻╇┡┩├┤┼└┘┴]+", " ", TIMES.sub("TIME", line)).split())


def plain(value: Any, names: dict[str, str]) -> Any:
    """Return nested values under their new names, without the ignored ones."""
    if isinstance(value, dict):
        kept = {key: inner for key, inner in value.items() if not IGNORED.fullmatch(str(key))}
        return {names.get(key, key): plain(inner, names) for key, inner in kept.items()}
    if isinstance(value, list):
        return [plain(inner, names) for inner in value]
    return TIMES.sub("TIME", value) if isinstance(value, str) else value


def differences(old: Any, new: Any, place: str = "") -> Iterator[str]:
    """Yield where two contents differ."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted({*old, *new}, key=str):
            yield from differences(old.get(key, "ABSENT"), new.get(key, "ABSENT"), f"{place}.{key}")
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for number, (left, right) in enumerate(zip(old, new, strict=True)):
            yield from differences(left, right, f"{place}[{number}]")
    elif isinstance(old, str) and isinstance(new, str) and "\n" in old and old != new:
        yield from differences(old.splitlines(), new.splitlines(), place)
    elif old != new or type(old) is not type(new):
        yield f"{place}: {str(old)[:300]!r} != {str(new)[:300]!r}"


def compare(work: Path, sources: list[Path]) -> int:
    """Print what differs, and how many files of each folder do; return how many in all."""
    sides = {}
    for side, names in (("old", RENAMED), ("new", {})):
        files = (path for path in (work / side).rglob("*") if path.is_file())
        named = ((path.relative_to(work / side).as_posix(), path) for path in files)
        sides[side] = {names.get(name, name): path for name, path in named}
    folders = [work / "old", work / "new", *sources]
    compared, differing = Counter[str](), Counter[str]()
    for name in sorted({*sides["old"], *sides["new"]}):
        if UNREAD.match(name):
            continue
        contents = [
            content(sides[side][name], names, folders) if name in sides[side] else "ABSENT"
            for side, names in (("old", RENAMED), ("new", {}))
        ]
        found = list(differences(*contents))
        compared[str(Path(name).parent)] += 1
        if found:
            differing[str(Path(name).parent)] += 1
            print(f"{name}: {len(found)} differences", *found[:5], sep="\n    ")
    print(f"{'folder':<50}{'files':>8}{'differ':>8}")
    for folder, files in compared.items():
        print(f"{folder:<50}{files:>8}{differing[folder]:>8}")
    print(f"{'all':<50}{compared.total():>8}{differing.total():>8}")
    return differing.total()


def main() -> None:
    """Run both versions at the same time, and compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument(
        "--work", type=Path, help="Folder for the runs; what ran in it before is not run again."
    )
    given = parser.parse_args()
    work = (given.work or Path(tempfile.mkdtemp(prefix="same-results-"))).resolve()
    sources = [given.old.resolve(), given.new.resolve()]
    folders = [work / "old", work / "new"]
    both = zip(sources, folders, strict=True)
    running = [start(src, side) for src, side in both if not (side / "finished").exists()]
    if any(code for code in [side.wait() for side in running]):
        sys.exit("One of the two did not run to its end.")
    differing = compare(work, sources)
    print(f"{differing} files differ." if differing else "All results are the same.")
    sys.exit(1 if differing else 0)


if __name__ == "__main__":
    if sys.argv[1:] == ["--side"]:
        run_side()
    else:
        main()
