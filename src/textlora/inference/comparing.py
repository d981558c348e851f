"""Finished runs side by side on the same rows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from textlora.config import ComputeConfig
from textlora.errors import ConfigError, DataError, RunError
from textlora.files import RunFolder
from textlora.inference.evaluating import AnsweredTexts, FinishedRun, answer_file
from textlora.metrics.comparison import Contender, Predictions
from textlora.metrics.statistics import Metric
from textlora.report.comparisons import SideBySide, side_by_side

_GIVE_DATA = "Ask all of them about the same rows with --data FILE."


def compare_runs(paths: Sequence[Path]) -> SideBySide:
    """Compare runs by what they answered on their own test parts (else validation parts).

    Raises:
        RunError: a run is missing or unfinished, or they did not judge the same texts.
    """
    _check(paths)
    runs = [FinishedRun.read(path) for path in paths]
    part = _common_part(runs)
    answered = _aligned([(run.path, run.parts[part]) for run in runs])
    return side_by_side(
        [
            Contender(str(run.path), rows.predictions, None, run.seconds, run.size_bytes)
            for run, rows in zip(runs, answered, strict=True)
        ],
        part,
        [run.metric for run in runs],
    )


def compare_on(
    paths: Sequence[Path],
    source: str,
    *,
    console: Console | None = None,
    compute: ComputeConfig | None = None,
    **reading: Any,
) -> SideBySide:
    """Compare runs, or adapter folders, by asking all of them about the same rows.

    Args:
        paths: their folders.
        source: file, saved dataset or Hub dataset id.
        console: where progress is shown; None for silence.
        compute: how the arithmetic is done; None: as each run was trained.
        reading: settings of section `data`; None is no override.

    Raises:
        RunError: a run is missing or unfinished.
        DataError: the source cannot be used, or has a label that a run does not know.
    """
    _check(paths)
    asked = []
    for path in paths:
        if console is not None:
            console.print(f"Scoring    {path}", markup=False, highlight=False)
        rows = answer_file(path, source, console=console, compute=compute, **reading)
        spec = rows.predictor.spec
        predictions = Predictions.of(rows.part.targets, rows.probabilities, spec.decision)
        texts = tuple(rows.part.table.texts)
        asked.append((path, AnsweredTexts(texts, predictions, spec.label_names)))
    known = [_known(path) for path in paths]
    return side_by_side(
        [
            Contender(str(path), rows.predictions, None, seconds, size)
            for path, rows, (seconds, size, _) in zip(paths, _aligned(asked), known, strict=True)
        ],
        source,
        [metric for _, _, metric in known],
    )


def _check(paths: Sequence[Path]) -> None:
    if len(paths) < 2:
        raise ConfigError("One run alone cannot be compared.", "Give two run folders or more.")
    if len({path.resolve() for path in paths}) < len(paths):
        raise ConfigError("A run was given twice.", "Give each run folder once.")


def _common_part(runs: Sequence[FinishedRun]) -> str:
    if all("test" in run.parts for run in runs):
        return "test"
    tested = next((run for run in runs if "test" in run.parts), None)
    if tested is not None:
        other = next(run for run in runs if "test" not in run.parts)
        raise RunError(f"{tested.path} has a test part, and {other.path} has none.", _GIVE_DATA)
    return "validation"


def _aligned(asked: Sequence[tuple[Path, AnsweredTexts]]) -> list[AnsweredTexts]:
    """Return the answers with classes and rows in one order.

    Raises:
        DataError: the runs have other classes.
        RunError: they did not judge the same texts, or hold other labels for right.
    """
    first_path, first = asked[0]
    aligned: list[AnsweredTexts] = []
    for path, rows in asked:
        if set(rows.labels) != set(first.labels):
            raise DataError(
                f"the classes are {', '.join(rows.labels)}, and those of {first_path} are "
                f"{', '.join(first.labels)}.",
                source=path,
                remedy="Compare runs that were trained on the same classes.",
            )
        aligned.append(rows.aligned(first.labels))
        _check_same(path, aligned[-1], first_path, aligned[0])
    return aligned


def _check_same(path: Path, rows: AnsweredTexts, first_path: Path, first: AnsweredTexts) -> None:
    if rows.texts != first.texts:
        shared = len(set(rows.texts) & set(first.texts))
        raise RunError(
            f"{path} and {first_path} did not judge the same texts "
            f"({len(rows.texts):,} and {len(first.texts):,}, {shared:,} of them shared).",
            _GIVE_DATA,
        )
    if rows.predictions.truth.tolist() != first.predictions.truth.tolist():
        raise RunError(
            f"{path} and {first_path} judged the same texts by different labels.", _GIVE_DATA
        )


def _known(path: Path) -> tuple[float | None, int | None, Metric | None]:
    """Return training time, adapter size and metric of a run; of an adapter alone, nothing."""
    if not RunFolder(path).metrics.is_file():
        return None, None, None
    run = FinishedRun.read(path)
    return run.seconds, run.size_bytes, run.metric
