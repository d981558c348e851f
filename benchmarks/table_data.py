"""The tables of `tables.py`, by name; or, as a program, their files.

    python benchmarks/table_data.py --out runs/tables/data [--tables NAME,NAME] [--draw 1]

Writes OUT/NAME/train.csv and test.csv (several labels per text: .jsonl), so that
`textlora train OUT/NAME/train.csv --test OUT/NAME/test.csv --model bundled` runs on them, and
prints what is in them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pandas as pd
import table_found as found
import table_long as long
import table_made as made
from rich.console import Console
from rich.table import Table as Screen
from table_rows import Metric, Sources, Split, labels_of

Draw = Callable[[Sources, int], Split]


@dataclass(frozen=True)
class Table:
    """A table of the benchmark.

    Args:
        name: by which it is asked for.
        about: what it is, for a reader.
        split: makes its rows from the sources and the number of the draw.
        metric: what it is judged by: macro F1 where classes are uneven or texts have several.
        draws: how many draws are usual; 1 where a draw is no more telling than a seed.
        fixed: whether every draw has the same rows.
        few_rows: whether it is one for few-shot peers such as SetFit.
    """

    name: str
    about: str
    split: Draw
    metric: Metric = "accuracy"
    draws: int = 1
    fixed: bool = False
    few_rows: bool = False


TABLES = {
    table.name: table
    for table in (
        Table(
            "banking77-10",
            "Banking77, 10 rows per class",
            partial(found.banking_few, count=10),
            few_rows=True,
        ),
        Table(
            "banking77-3",
            "Banking77, 3 rows per class",
            partial(found.banking_few, count=3),
            few_rows=True,
        ),
        Table("banking77-all", "Banking77, all rows", found.banking_all, fixed=True),
        Table(
            "banking-topics", "Banking77 by twelve coarse topics", found.banking_topics, "macro_f1"
        ),
        Table(
            "goemotions-4000", "GoEmotions, several labels", found.emotions, "macro_f1", fixed=True
        ),
        Table(
            "goemotions-single",
            "GoEmotions, one emotion",
            found.emotions_single,
            "macro_f1",
            fixed=True,
        ),
        Table(
            "goemotions-6", "GoEmotions, six frequent emotions", found.emotions_frequent, fixed=True
        ),
        Table(
            "goemotions-sentiment", "GoEmotions by sentiment", found.emotions_sentiment, fixed=True
        ),
        Table(
            "goemotions-anger", "anger among neutral posts, 1:20", found.emotions_anger, "macro_f1"
        ),
        Table("imdb-1000", "IMDb, 1,000 reviews", found.reviews, fixed=True),
        Table(
            "imdb-100",
            "IMDb, 100 reviews",
            partial(found.reviews_few, count=100),
            draws=5,
            few_rows=True,
        ),
        Table(
            "imdb-20",
            "IMDb, 20 reviews",
            partial(found.reviews_few, count=20),
            draws=5,
            few_rows=True,
        ),
        Table("imdb-uneven", "IMDb, good among bad, 1:20", found.reviews_uneven, "macro_f1"),
        Table(
            "review-sentences", "one sentence per IMDb review", found.review_sentences, fixed=True
        ),
        Table("fragments", "four words: question, post or review?", found.fragments),
        Table("demo", "the demo's short reviews", found.demo, fixed=True),
        Table("long-topics", "long documents, several topics", long.long_topics, "macro_f1"),
        Table("headline-first", "long documents, topic in front", long.headline_first, "macro_f1"),
        Table("verdict-last", "long documents, topic at the end", long.verdict_last, "macro_f1"),
        Table("spam", "made: spam among messages, 1:200", made.spam, "macro_f1"),
        Table("catalogue-200", "made: product titles, 200 kinds", made.catalogue),
        Table("tickets", "made: service desk, 1:500", made.tickets, "macro_f1"),
    )
}


def chosen(names: str | None) -> list[Table]:
    """Return the tables that are asked for, separated by commas; all without a name."""
    wanted = names.split(",") if names else list(TABLES)
    unknown = [name for name in wanted if name not in TABLES]
    if unknown:
        sys.exit(f"{unknown[0]}: there is no such table. There are: {', '.join(TABLES)}.")
    return [TABLES[name] for name in wanted]


def facts(split: Split) -> dict[str, str]:
    """Return what a reader wants to know of a table's rows, as it is shown."""
    words = split.train["text"].str.split().str.len()
    counts = pd.Series(labels_of(split.train)).value_counts()
    return {
        "rows": f"{len(split.train):,}",
        "test": f"{len(split.test):,}",
        "classes": f"{len(counts)}{', several' if split.multi_label else ''}",
        "uneven": f"1:{counts.max() / counts.min():.0f}",
        "words": f"{words.min():,} to {words.max():,} (median {words.median():,.0f})",
    }


def main() -> None:
    """Write the files that the command line names."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path, default=Path("runs/tables/data"))
    parser.add_argument("--tables", help="only these, separated by commas")
    parser.add_argument("--draw", type=int, default=1)
    options = parser.parse_args()
    screen = Screen("table", "rows", "test", "classes", "uneven", "words", "judged by")
    for table in chosen(options.tables):
        split = table.split(Sources(options.data), options.draw)
        split.write(options.out / table.name)
        screen.add_row(table.name, *facts(split).values(), table.metric)
    Console(width=120).print(screen)


if __name__ == "__main__":
    main()
