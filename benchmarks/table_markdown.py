"""The results of `tables.py` as Markdown."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from table_data import TABLES
from table_differences import BASELINES
from table_runs import OURS, SETFIT, Result

METRICS = {"accuracy": "accuracy", "macro_f1": "macro F1", "micro_f1": "micro F1"}


@dataclass(frozen=True)
class Difference:
    """Ours minus the better of the baselines on the test rows, with its paired interval.

    Args:
        value: as a share.
        low: lower bound.
        high: upper bound.
    """

    value: float
    low: float
    high: float

    @property
    def outcome(self) -> str:
        """Whether the interval leaves 0 out, and on which side."""
        if self.low > 0:
            return "better"
        return "worse" if self.high < 0 else "not told apart"

    def __str__(self) -> str:
        low, high = (f"{100 * bound:+.1f}" for bound in (self.low, self.high))
        return f"{100 * self.value:+.1f} ({low} to {high}), {self.outcome}"


@dataclass(frozen=True)
class Group:
    """The results of one draw of a table, in the order of their seeds."""

    table: str
    draw: int
    ours: tuple[Result, ...]
    setfit: tuple[Result, ...]

    @property
    def difference(self) -> Difference | None:
        """That of the first seed to the better baseline; None where it was not computed."""
        compared = [result for result in self.ours if result.differences]
        if not compared:
            return None
        return Difference(*min(compared[0].differences.values()))


def groups(results: Iterable[Result]) -> list[Group]:
    """Sort results by table, as the tables are listed, and draw."""
    found: dict[tuple[str, int], list[Result]] = {}
    for result in sorted(results, key=lambda result: result.key):
        found.setdefault((result.table, result.draw), []).append(result)
    order = list(TABLES)
    return [
        Group(
            table,
            draw,
            tuple(result for result in of_draw if result.peer == OURS),
            tuple(result for result in of_draw if result.peer == SETFIT),
        )
        for (table, draw), of_draw in sorted(
            found.items(), key=lambda item: (order.index(item[0][0]), item[0][1])
        )
        if any(result.peer == OURS for result in of_draw)
    ]


def markdown(results: Sequence[Result]) -> str:
    """Return the table, and the sentence that sums it up."""
    known = groups(results)
    with_setfit = any(group.setfit for group in known)
    header = ["table", "rows", "classes", "metric", "textlora", *BASELINES.values()]
    header += [SETFIT] * with_setfit + ["textlora − better baseline", "time"]
    right = {"rows", "classes", "time"}
    lines = [_row(header), _row("---:" if name in right else "---" for name in header)]
    for group in known:
        if group is _first(group, known) and _draws(group, known) > 1:
            lines.append(_row(_mean_line(group.table, known, with_setfit)))
        lines += [_row(cells) for cells in _lines(group, known, with_setfit)]
    return "\n".join([*lines, "", summary(known)])


def summary(known: Sequence[Group]) -> str:
    """Return on how many tables textlora is better, and on which it is worse."""
    outcomes = {_name(group, known): group.difference for group in known}
    compared = {name: difference.outcome for name, difference in outcomes.items() if difference}
    count = {outcome: list(compared.values()).count(outcome) for outcome in set(compared.values())}
    worse = [name for name, outcome in compared.items() if outcome == "worse"]
    return (
        f"Of {len(compared)} tables and draws, textlora is significantly better than the better "
        f"baseline on {count.get('better', 0)}, cannot be told apart on "
        f"{count.get('not told apart', 0)}, and is significantly worse on "
        f"{len(worse)}{': ' if worse else ''}{', '.join(worse)}."
    )


def _lines(group: Group, known: Sequence[Group], with_setfit: bool) -> list[list[str]]:
    """Return the cells of a draw; several labels per text have a second line, of micro F1."""
    first = group.ours[0]
    seconds = statistics.mean(result.seconds for result in group.ours)
    facts = [_name(group, known), f"{first.rows:,}", str(first.classes)]
    setfit = [_values(group.setfit, SETFIT, first.metric, timed=True)] * with_setfit
    lines = [
        [
            *facts,
            METRICS[first.metric],
            f"**{_values(group.ours, OURS, first.metric)}**",
            *(_values(group.ours, name, first.metric) for name in BASELINES),
            *setfit,
            str(group.difference or "–"),
            duration(seconds),
        ]
    ]
    if first.multi_label:
        micro = [_values(group.ours, name, "micro_f1") for name in (OURS, *BASELINES)]
        lines.append(["", "", "", METRICS["micro_f1"], *micro, *[""] * with_setfit, "", ""])
    return lines


def _mean_line(table: str, known: Sequence[Group], with_setfit: bool) -> list[str]:
    """Return the cells of the mean over a table's draws, and how often it is not above."""
    draws = [group for group in known if group.table == table]
    results = [result for group in draws for result in group.ours]
    metric = results[0].metric
    means = [_mean([each.figures[name][metric] for each in results]) for name in (OURS, *BASELINES)]
    setfit = [each.figures[SETFIT][metric] for group in draws for each in group.setfit]
    differences = [group.difference.value for group in draws if group.difference]
    below = sum(value < 0 for value in differences)
    return [
        f"{table}, mean of {len(draws)} draws",
        f"{results[0].rows:,}",
        str(results[0].classes),
        METRICS[metric],
        f"**{means[0]}**",
        *means[1:],
        *[_mean(setfit)] * with_setfit,
        f"{100 * statistics.mean(differences):+.1f}, below on {below} of {len(differences)}"
        if differences
        else "–",
        duration(statistics.mean(result.seconds for result in results)),
    ]


def _mean(values: Sequence[float]) -> str:
    return f"{100 * statistics.mean(values):.1f}" if values else "–"


def _values(results: Sequence[Result], name: str, metric: str, *, timed: bool = False) -> str:
    """Return the mean, and in brackets the seeds' own values where they differ."""
    found = [result.figures.get(name, {}).get(metric) for result in results]
    values = [value for value in found if value is not None]
    if not values:
        return "–"
    shown = [f"{100 * value:.1f}" for value in values]
    each = f" ({', '.join(shown)})" if len(set(shown)) > 1 else ""
    time = duration(statistics.mean(result.seconds for result in results))
    return f"{_mean(values)}{each}{f', {time}' if timed else ''}"


def _name(group: Group, known: Sequence[Group]) -> str:
    several = _draws(group, known) > 1
    return f"{group.table}, draw {group.draw}" if several else group.table


def _first(group: Group, known: Sequence[Group]) -> Group:
    return next(other for other in known if other.table == group.table)


def _draws(group: Group, known: Sequence[Group]) -> int:
    return sum(other.table == group.table for other in known)


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def duration(seconds: float) -> str:
    """Return a time as a reader says it."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
