"""Score a file: what is asked for, chunk after chunk to shards, shards to the output, a summary."""

from __future__ import annotations

import hashlib
import os
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from textlora.data.formats import (
    LONGEST,
    SUFFIXES,
    Chunk,
    Limits,
    Writer,
    format_of,
    open_file,
    writer_for,
)
from textlora.data.formats.csv import CsvFile
from textlora.data.rows import BadCellError, read_text_cell
from textlora.data.sources import find_file
from textlora.data.tables import ReadOptions
from textlora.errors import ConfigError, DataError, storage_errors
from textlora.files import RunFolder
from textlora.recipes import saved_config
from textlora.scoring.scorer import AddedColumns, Answers, Progress, Scorer
from textlora.scoring.shards import Shard, Summary, WorkFolder, checksum

if TYPE_CHECKING:
    from rich.progress import Task
    from rich.text import Text

    from textlora.inference.predictor import Prediction


def read_options(
    run: Path,
    source: str,
    *,
    text_column: str | None = None,
    delimiter: str | None = None,
    header: bool | None = None,
    encoding: str | None = None,
) -> ReadOptions:
    """Return how a file is read.

    Unless it is asked, a text table has a header if those that the run was trained on had one; if
    neither has, its texts are where theirs were.

    Args:
        run: run folder, or adapter folder.
        source: the file.
        text_column: column with the texts; None: found.
        delimiter: field delimiter; None: by the file's suffix.
        header: whether the first line names the columns; None: as in the run.
        encoding: None: UTF-8.

    Raises:
        ConfigError: the run's settings cannot be read.
    """
    trained_on = saved_config(RunFolder(run).config).data
    named = trained_on.header if header is None else header
    if not named and text_column is None and format_of(source) is CsvFile:
        text_column = None if trained_on.header else trained_on.text_column
    return ReadOptions(
        text_column=text_column,
        delimiter=delimiter,
        header=named,
        encoding=encoding or ReadOptions.encoding,
        labelled=False,
    )


@dataclass(frozen=True)
class Request:
    """What is to be scored.

    Args:
        source: the file.
        out: the output; its suffix says its format.
        options: how the source is read.
        prefix: what the names of the added columns start with.
        resume: go on where an interrupted scoring stopped, if there is one.
        overwrite: replace an output that is there.
        limits: how large a chunk may be.
    """

    source: str
    out: Path
    options: ReadOptions = field(default_factory=lambda: ReadOptions(labelled=False))
    prefix: str = ""
    resume: bool = False
    overwrite: bool = False
    limits: Limits = field(default_factory=Limits)

    def check(self) -> None:
        """Refuse an output that cannot be, before any work is done.

        Raises:
            ConfigError: its suffix names no format, or it is the source.
            RunError: it is there already, or an interrupted scoring is.
        """
        if format_of(self.out) is None:
            raise ConfigError(
                f"--out {self.out}: the suffix says how the output is written, and this one says "
                "nothing.",
                f"Accepted are {SUFFIXES}.",
            )
        with suppress(OSError):  # one of the two is not there
            if self.out.samefile(self.source):
                raise ConfigError(f"--out {self.out} is the file to score.", "Name another file.")
        WorkFolder(self.out).check(resume=self.resume, overwrite=self.overwrite)


@contextmanager
def progress_of_rows(console: Console | None, total: int, done: int) -> Iterator[Progress]:
    """Show rows, rows a second and the time left.

    Args:
        console: where; None for silence.
        total: rows in the file.
        done: rows that were there before.

    Yields:
        A function to call with the number of rows done.
    """
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        ProgressColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    from textlora.report.progress import LongWork

    class RowsPerSecond(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text("" if task.speed is None else f"{task.speed:,.0f} rows/s")

    with LongWork(
        console,
        "scoring",
        unit="rows",
        total=total,
        done=done,
        columns=(
            *("{task.description}", BarColumn(), MofNCompleteColumn()),
            *(RowsPerSecond(), TimeRemainingColumn()),
        ),
        # A chunk is answered longest text first: the speed is only known over a while.
        bar_options={"speed_estimate_period": 120},
    ) as work:
        yield work.advance


def print_summary(summary: Summary, error_column: str, console: Console) -> None:
    """Print what was written, how fast, and what to look at."""
    from textlora.report.wording import count, duration, percent

    def line(text: str, style: str = "") -> None:
        console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)

    def rows(number: int, one: str, many: str) -> str:
        return f"{count(number)} {one if number == 1 else many}"

    answered = summary.rows - summary.errors
    for name, times in summary.labels.items():
        line(f"{name}  {count(times)} ({percent(times / answered)})")
    before = f", {count(summary.resumed)} of them before" if summary.resumed else ""
    line(
        f"{rows(summary.rows, 'row', 'rows')}{before}, in {duration(summary.seconds)} "
        f"({summary.rows_per_second:,.0f} rows/s)"
    )
    if summary.truncated:
        cut = rows(summary.truncated, "text was", "texts were")
        line(f"{cut} too long to be read as a whole.")
    if summary.errors:
        bad = rows(summary.errors, "row has", "rows have")
        line(f"{bad} no answer: column '{error_column}' says why.", "yellow")
    line(f"Written to {summary.out}")


def score_file(request: Request, scorer: Scorer, console: Console | None = None) -> Summary:
    """Write the rows of a file with label, probabilities and error.

    The output is there when it is complete. Until then shards lie in a folder beside it, named like
    it with `.parts`. What is in the output follows from the file, the scorer and the limits; where
    it was interrupted makes no difference.

    Args:
        request: what, where to, and how it is read.
        scorer: the classifier.
        console: where progress is shown; None for silence.

    Raises:
        ConfigError: the output cannot be.
        DataError: the source cannot be used, or has a column that would be added.
        RunError: something is in the way, or what is to be resumed is something else.
        StorageError: the disk is full, or may not be written.
    """
    started = time.perf_counter()
    request.check()
    path = find_file(request.source)
    options = replace(request.options, on_bad_rows="skip")
    file = open_file(path, request.source, options, longest=LONGEST)
    text_column, rows = file.find(options).text, file.count()
    added = AddedColumns(scorer.classes, scorer.multi_label, request.prefix)
    added.refuse_clash(file.columns, file.name)
    output = writer_for(file, request.out, text_column, added.types, request.limits)
    before = path.stat()
    work = WorkFolder(request.out)
    identity = _identity(request, text_column, scorer, path)
    if request.resume and work.begun():
        begun = work.resume(identity, overwrite=request.overwrite)
    else:
        begun = work.begin(identity)
    shards = begun.shards
    resumed = shards[-1].end if shards else 0
    with _kept_for_resume(work, console):
        if begun.published:
            work.clear()
        else:
            with progress_of_rows(console, rows, resumed) as progress:
                answering = _Answering(work, scorer, text_column, added, output, progress)
                shards = answering.write_missing(file.chunks(request.limits), shards)
            with storage_errors(f"writing {work.path}"):
                output.join([work.shard_path(number) for number in range(len(shards))], work.joined)
            _require_same(path, before, file.name)
            work.publish()
    seconds = time.perf_counter() - started
    return Summary.of(request.out, shards, resumed=resumed, classes=scorer.classes, seconds=seconds)


def _require_same(path: Path, before: os.stat_result, name: str) -> None:
    """Refuse a file that was written to, or that is gone."""
    now = path.stat() if path.is_file() else None
    if now is None or (now.st_size, now.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
        raise DataError(
            "the file was written to while it was scored.",
            source=name,
            remedy="Start again with --overwrite when it is complete.",
        )


def _identity(request: Request, text_column: str, scorer: Scorer, path: Path) -> dict[str, Any]:
    """Return all that the output follows from, by the names that a message gives it."""
    reading = {
        "text column": text_column,
        "delimiter": request.options.delimiter,
        "encoding": request.options.encoding,
        "header": request.options.header,
    }
    return {
        "the input": {"bytes": path.stat().st_size, "sha256": checksum(path)},
        "how it is read": reading,
        "--prefix": request.prefix,
        "the format of the output": request.out.suffix.lower(),
        "the size of a chunk": asdict(request.limits),
        **{f"the {name}": value for name, value in scorer.identity.items()},
    }


@dataclass(frozen=True)
class _Answering:
    """Makes shards of chunks."""

    work: WorkFolder
    scorer: Scorer
    text_column: str
    added: AddedColumns
    output: Writer
    progress: Progress

    def write_missing(self, chunks: Iterable[Chunk], there: Sequence[Shard]) -> list[Shard]:
        """Return all shards, of which those that are not there yet were written."""
        shards = list(there)
        for number, chunk in enumerate(chunks):
            if number >= len(there):
                shards.append(self._write(number, shards[-1].end if shards else 0, chunk))
        return shards

    def _write(self, number: int, first: int, chunk: Chunk) -> Shard:
        cells = chunk.cells(self.text_column)
        errors = self._errors(chunk, cells)
        good = [row for row, bad in enumerate(errors) if bad is None]
        texts = [str(cells[row]) for row in good]
        answers = self.scorer.answer(texts, self.progress) if texts else Answers((), 0)
        self.progress(len(chunk) - len(texts))
        answered = dict(zip(good, answers.predictions, strict=True))
        further = [self.added.values(answered.get(row), bad) for row, bad in enumerate(errors)]
        encoded = self.output.encode(chunk, further)
        shard = Shard(
            first=first,
            rows=len(chunk),
            errors=len(chunk) - len(texts),
            truncated=answers.truncated,
            labels=dict(Counter(name for one in answers.predictions for name in _named(one))),
            sha256=hashlib.sha256(encoded).hexdigest(),
        )
        self.work.add(number, encoded, shard)
        return shard

    def _errors(self, chunk: Chunk, cells: Sequence[object]) -> list[str | None]:
        """Return of every row why it has no good text, by the rules of `data.rows`."""
        errors = chunk.problems()
        for row, cell in enumerate(cells):
            try:
                if errors[row] is None:
                    read_text_cell(cell, self.scorer.strip_html)
            except BadCellError as bad:
                errors[row] = str(bad)
        return errors


def _named(prediction: Prediction) -> list[str]:
    """Return the names under which an answer is counted."""
    label = prediction.label
    return label if isinstance(label, list) else [prediction.shown]


@contextmanager
def _kept_for_resume(work: WorkFolder, console: Console | None) -> Iterator[None]:
    """Say how to go on where scoring ends early; where nothing is done yet, leave nothing."""
    try:
        yield
    except BaseException:
        if not work.holds_shards():
            work.clear()
        elif console is not None:
            console.print(
                f"What is done is kept in {work.path}. Go on with --resume.",
                style="yellow",
                markup=False,
                highlight=False,
                soft_wrap=True,
            )
        raise
