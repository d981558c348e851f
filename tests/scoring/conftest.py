"""What the tests of scoring share."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.scorers import COUNTING
from textlora.data.formats import Limits
from textlora.scoring.job import Request, score_file
from textlora.scoring.shards import Summary

ADDED = ["label", "probability_even", "probability_odd", "error"]


def run(source: Path, out: Path, rows: int = 3, **more: Any) -> Summary:
    """Score with the classifier that counts letters, in small chunks."""
    return score_file(Request(str(source), out, limits=Limits(rows), **more), COUNTING)


def read_csv(content: bytes, delimiter: str = ",") -> list[dict[str, str]]:
    """Read a CSV as any program would."""
    text = content.decode("utf-8-sig", "surrogateescape")
    return list(csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))


def read_jsonl(path: Path) -> list[dict[str, Any]]:
    """Read JSON Lines."""
    return [json.loads(line) for line in path.read_bytes().decode().split("\n") if line]


@pytest.fixture
def table(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes a file of rows in the format of its name."""
    import pyarrow
    import pyarrow.parquet

    def write(name: str, rows: int = 20) -> Path:
        path = tmp_path / name
        texts = ["word " * (row % 13) + "x" * (row % 7) for row in range(rows)]
        if path.suffix == ".parquet":
            columns = {"id": list(range(rows)), "text": texts}
            pyarrow.parquet.write_table(pyarrow.table(columns), path)
        elif path.suffix == ".jsonl":
            lines = [json.dumps({"id": row, "text": text}) for row, text in enumerate(texts)]
            path.write_text("\n".join(lines))
        else:
            path.write_text("".join(["id,text\n", *(f"{i},{t}\n" for i, t in enumerate(texts))]))
        return path

    return write
