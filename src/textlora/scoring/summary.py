"""What a finished scoring amounts to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from textlora.scoring.shards import Shard


@dataclass(frozen=True)
class Summary:
    """A finished scoring.

    Args:
        out: the output.
        rows: rows in it.
        errors: rows without an answer.
        truncated: texts of which a part was not read.
        labels: how often each answer was given.
        resumed: rows of these that were there from an interrupted scoring.
        seconds: how long the others took, joining included.
    """

    out: Path
    rows: int
    errors: int
    truncated: int
    labels: dict[str, int]
    resumed: int
    seconds: float

    @property
    def rows_per_second(self) -> float:
        """Rows scored in a second, without those that were there."""
        return (self.rows - self.resumed) / self.seconds

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as plain values that JSON can hold."""
        return {
            "out": str(self.out),
            "rows": self.rows,
            "errors": self.errors,
            "truncated": self.truncated,
            "labels": self.labels,
            "resumed": self.resumed,
            "seconds": round(self.seconds, 3),
            "rows_per_second": round(self.rows_per_second, 1),
        }

    @classmethod
    def of(
        cls,
        out: Path,
        shards: Sequence[Shard],
        *,
        resumed: int,
        classes: Sequence[str],
        seconds: float,
    ) -> Summary:
        """Add up the shards of an output; answers are listed in the order of the classes."""
        counts: Counter[str] = Counter()
        for shard in shards:
            counts.update(shard.labels)
        in_order = [name for name in classes if name in counts]
        others = [name for name in counts if name not in in_order]
        return cls(
            out=out,
            rows=shards[-1].end,
            errors=sum(shard.errors for shard in shards),
            truncated=sum(shard.truncated for shard in shards),
            labels={name: counts[name] for name in [*in_order, *others]},
            resumed=resumed,
            seconds=seconds,
        )
