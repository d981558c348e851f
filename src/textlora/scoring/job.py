"""Score a file: chunk after chunk becomes a shard, and the shards become the output."""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textlora.errors import DataError, storage_errors
from textlora.scoring.added import AddedColumns
from textlora.scoring.chunks import Content, check
from textlora.scoring.formats import Output, Source, make_output, open_source
from textlora.scoring.request import Request
from textlora.scoring.scorer import Answers, Progress, Scorer
from textlora.scoring.screen import progress_of_rows
from textlora.scoring.shards import Shard, WorkFolder, checksum
from textlora.scoring.summary import Summary

if TYPE_CHECKING:
    from rich.console import Console

    from textlora.inference.answers import Prediction


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
    path = Path(request.source).expanduser()
    source = open_source(request.source, request.options)
    added = AddedColumns(scorer.classes, scorer.multi_label, request.prefix)
    added.refuse_clash(source.columns, source.name)
    output = make_output(source, request.out, added, request.limits)
    before = _Stamp.of(path)
    work = WorkFolder(request.out)
    identity = _identity(request, source, scorer, path)
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
            with progress_of_rows(console, source.rows, resumed) as progress:
                writer = _Writer(work, scorer, output, progress)
                shards = writer.write_missing(source.chunks(request.limits), shards)
            with storage_errors(f"writing {work.path}"):
                output.join([work.shard_path(number) for number in range(len(shards))], work.joined)
            before.require_same(path, source.name)
            work.publish()
    seconds = time.perf_counter() - started
    return Summary.of(request.out, shards, resumed=resumed, classes=scorer.classes, seconds=seconds)


@dataclass(frozen=True)
class _Stamp:
    """By what a file shows that it was written to."""

    size: int
    written: int

    @classmethod
    def of(cls, path: Path) -> _Stamp:
        stat = path.stat()
        return cls(stat.st_size, stat.st_mtime_ns)

    def require_same(self, path: Path, name: str) -> None:
        if not path.is_file() or _Stamp.of(path) != self:
            raise DataError(
                "the file was written to while it was scored.",
                source=name,
                remedy="Start again with --overwrite when it is complete.",
            )


def _identity(request: Request, source: Source, scorer: Scorer, path: Path) -> dict[str, Any]:
    """Return all that the output follows from, by the names that a message gives it."""
    reading = {
        "text column": source.text_column,
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
class _Writer:
    """Makes shards of chunks."""

    work: WorkFolder
    scorer: Scorer
    output: Output
    progress: Progress

    def write_missing(self, chunks: Iterable[Content], there: Sequence[Shard]) -> list[Shard]:
        """Return all shards, of which those that are not there yet were written."""
        shards = list(there)
        for number, content in enumerate(chunks):
            if number >= len(there):
                shards.append(self._write(number, shards[-1].end if shards else 0, content))
        return shards

    def _write(self, number: int, first: int, content: Content) -> Shard:
        checked = check(content, self.scorer.strip_html)
        answers = Answers((), 0)
        if checked.texts:
            answers = self.scorer.answer(checked.texts, self.progress)
        errors = len(content) - len(checked.texts)
        self.progress(errors)
        encoded = self.output.encode(content, checked.beside(answers.predictions))
        shard = Shard(
            first=first,
            rows=len(content),
            errors=errors,
            truncated=answers.truncated,
            labels=dict(Counter(name for one in answers.predictions for name in _named(one))),
            sha256=hashlib.sha256(encoded).hexdigest(),
        )
        self.work.add(number, encoded, shard)
        return shard


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
