"""textlora's defaults on tables of many shapes, beside its baselines and SetFit.

    python benchmarks/tables.py --list
    python benchmarks/tables.py [--tables NAME,NAME] [--seeds 3] [--draws 5] [--json FILE]
    python benchmarks/tables.py --tables banking77-10 --setfit /path/to/python
    python benchmarks/tables.py --json FILE --render

Every training is the command `textlora train TRAIN --test TEST --model bundled --seed S`, with
the defaults and nothing else, in a process of its own; time is of the whole command. The figures
are those of the test rows that the run wrote. Prints a Markdown table. With `--json`, each result
is appended to the file as it comes, and what is in the file already is not run again, so that an
interrupted benchmark goes on; `--render` prints the table of the file and runs nothing.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from measuring import machine, prepare, warn_if_busy
from rich.console import Console
from rich.table import Table as Screen
from table_data import TABLES, Table, chosen
from table_markdown import duration, markdown
from table_rows import Sources
from table_runs import (
    FIRST_SEED,
    OURS,
    SETFIT,
    CommandError,
    Result,
    read_results,
    train,
    train_setfit,
)


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--work", type=Path, default=Path("runs/tables"))
    parser.add_argument("--tables", help="only these, separated by commas")
    parser.add_argument("--seeds", type=int, default=1, help=f"{FIRST_SEED}, {FIRST_SEED + 1}, …")
    parser.add_argument("--draws", type=int, help="of the training rows; else as --list says")
    parser.add_argument("--setfit", type=Path, help="a python that has SetFit; few rows alone")
    parser.add_argument("--json", type=Path, help="results, one on a line; appended to")
    parser.add_argument("--threads", type=int, help="default: OMP_NUM_THREADS, else all cores")
    parser.add_argument("--list", action="store_true", help="name the tables")
    parser.add_argument("--render", action="store_true", help="print the results of --json FILE")
    return parser.parse_args()


def main() -> None:
    """Run what the command line names."""
    options = parse()
    if options.list:
        show_tables()
        return
    known = read_results(options.json) if options.json else []
    failed = False
    if not options.render:
        failed = not measure(options, known)
    wanted = {table.name for table in chosen(options.tables)}
    print(markdown([result for result in known if result.table in wanted]))
    sys.exit(1 if failed else 0)


def measure(options: argparse.Namespace, known: list[Result]) -> bool:
    """Run what is not known yet, add it, and return whether everything worked."""
    console = Console(stderr=True, width=150)
    warn_if_busy(machine(prepare(options.threads, "cpu")), console)
    done = {result.key for result in known}
    good = True
    for table, draw, seed, peer in plan(options):
        if (table.name, draw, seed, peer) in done:
            continue
        try:
            result = run_one(options, table, draw, seed, peer)
        except CommandError as error:
            console.print(str(error), style="red", highlight=False, markup=False)
            good = False
            continue
        known.append(result)
        if options.json:
            options.json.parent.mkdir(parents=True, exist_ok=True)
            with options.json.open("a", encoding="utf-8") as file:
                file.write(result.to_json() + "\n")
        figure = result.figures[peer][table.metric]
        console.print(
            f"{table.name}, draw {draw}, seed {seed}, {peer}: {figure:.1%} {table.metric}, "
            f"{duration(result.seconds)}",
            highlight=False,
        )
    return good


def plan(options: argparse.Namespace) -> list[tuple[Table, int, int, str]]:
    """Return what there is to run: table, draw, seed and peer."""
    steps = []
    for table in chosen(options.tables):
        peers = [OURS, *([SETFIT] if options.setfit and table.few_rows else [])]
        draws = 1 if table.fixed else options.draws or table.draws
        for draw in range(1, draws + 1):
            for seed in range(FIRST_SEED, FIRST_SEED + options.seeds):
                steps += [(table, draw, seed, peer) for peer in peers]
    return steps


def run_one(options: argparse.Namespace, table: Table, draw: int, seed: int, peer: str) -> Result:
    """Run one classifier on one draw with one seed."""
    split = table.split(Sources(options.data), draw)
    if peer == SETFIT:
        return train_setfit(table, split, draw, seed, options.work, options.setfit)
    return train(table, split, draw, seed, options.work, compare=seed == FIRST_SEED)


def show_tables() -> None:
    """Print what can be asked for."""
    screen = Screen("table", "what it is", "judged by", "draws", "SetFit")
    for table in TABLES.values():
        setfit = "yes" if table.few_rows else ""
        draws = "fixed" if table.fixed else str(table.draws)
        screen.add_row(table.name, table.about, table.metric, draws, setfit)
    Console(width=120).print(screen)


if __name__ == "__main__":
    main()
