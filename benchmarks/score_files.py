"""How much memory and time scoring a large file takes.

    python benchmarks/score_files.py RUN --rows 100000 [--words 30] [--format csv] [--no-model]

A file of made-up reviews is written and scored by `textlora score`'s own function. Printed are the
time, the rows a second and the most memory that the process took. `--no-model` puts a constant
answer in the place of the classifier: what is left is reading, packing and writing, so that a file
of 10 million rows can be tried in minutes. One JSON line ends the output.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from textlora.scoring.job import Request, score_file
from textlora.scoring.scorer import Answers, Progress, Scorer, load_scorer

WORDS = [
    *("a", "the", "film", "was", "it", "plot", "and", "very", "story", "cast", "scene", "ending"),
    *("good", "great", "lovely", "moving", "bad", "awful", "dull", "boring", "long", "never"),
]
CLASSES = ("negative", "positive")


def write_rows(path: Path, rows: int, words: int) -> None:
    """Write texts of up to twice `words` words, with a number beside each."""
    import pyarrow
    import pyarrow.parquet

    draw = random.Random(0)  # noqa: S311
    # Drawn once: the texts are to cost time when they are scored, not here.
    texts = [" ".join(draw.choices(WORDS, k=draw.randint(1, 2 * words))) for _ in range(5_000)]
    if path.suffix == ".parquet":
        schema = pyarrow.schema([("id", pyarrow.int64()), ("text", pyarrow.string())])
        with pyarrow.parquet.ParquetWriter(path, schema) as writer:
            for start in range(0, rows, len(texts)):
                some = range(start, min(rows, start + len(texts)))
                columns = [list(some), texts[: len(some)]]
                writer.write_table(pyarrow.table(columns, schema=schema))
        return
    with path.open("w", encoding="utf-8") as file:
        if path.suffix == ".csv":
            file.write("id,text\n")
        for row in range(rows):
            text = texts[row % len(texts)]
            line = (
                f"{row},{text}" if path.suffix == ".csv" else json.dumps({"id": row, "text": text})
            )
            file.write(line + "\n")


def constant_scorer() -> Scorer:
    """Return a scorer that gives one answer to every text."""
    from textlora.inference.predictor import Prediction

    answer = Prediction("positive", 0.75, {"negative": 0.25, "positive": 0.75})

    def same(texts: Sequence[str], progress: Progress) -> Answers:
        progress(len(texts))
        return Answers([answer] * len(texts), 0)

    return Scorer(CLASSES, False, False, {"adapter": "none"}, same)


def peak_bytes() -> int:
    """Return the most memory that this process took."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def main() -> None:
    """Run what the command line names."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run", type=Path, nargs="?", help="run folder; not with --no-model")
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--words", type=int, default=30, help="words of a text, on average")
    parser.add_argument("--format", choices=["csv", "jsonl", "parquet"], default="csv")
    parser.add_argument("--no-model", action="store_true")
    options = parser.parse_args()
    if options.no_model == (options.run is not None):
        parser.error("give a run folder, or --no-model")
    scorer = constant_scorer() if options.no_model else load_scorer(options.run)
    with tempfile.TemporaryDirectory() as folder:
        source, out = (Path(folder) / f"{name}.{options.format}" for name in ("rows", "scored"))
        write_rows(source, options.rows, options.words)
        before, megabytes = peak_bytes(), source.stat().st_size / 1e6
        summary = score_file(Request(str(source), out), scorer, Console(stderr=True))
    figures = {
        "format": options.format,
        "model": not options.no_model,
        "rows": summary.rows,
        "input_megabytes": round(megabytes, 1),
        "seconds": round(summary.seconds, 1),
        "rows_per_second": round(summary.rows_per_second),
        "peak_megabytes_before": round(before / 1e6),
        "peak_megabytes": round(peak_bytes() / 1e6),
    }
    for name, value in figures.items():
        print(f"{name:24}{value}")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
