"""The round trip: a run's own texts, asked of the run and of what was exported from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, Protocol

import numpy as np
from tokenizers import Tokenizer

from textlora.data.tokenizing import TokenizedTexts, tokenize
from textlora.errors import ModelError
from textlora.export.portable import TOKENIZER_FILE, own_cut
from textlora.inference.evaluating import AnsweredTexts, FinishedRun
from textlora.inference.logits import Logits, length_batches, pool_logits, score
from textlora.inference.predictor import Predictor, Probabilities, load_tokenizer, probabilities_of
from textlora.metrics.classification import Interval
from textlora.metrics.comparison import Comparison, Predictions
from textlora.metrics.scores import right_rows
from textlora.model.backends.plain import PlainForward, TokenIds
from textlora.model.spec import ClassifierSpec

TOLERANCE = 1e-4
"""How far a probability may be off in fp32: rounding moves it by a hundredth of that."""

_TIMED = 30
_TOKENS_IN_A_BATCH = 2048

Ids = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True)
class Outputs:
    """What an exported model gives for a batch: logits and probabilities, [batch, classes]."""

    logits: Logits
    probabilities: Probabilities


class Runner(Protocol):
    """An exported model, loaded."""

    @property
    def spec(self) -> ClassifierSpec:
        """What the model is."""
        ...

    def __call__(self, input_ids: Ids, attention_mask: Ids) -> Outputs:
        """Answer token ids [batch, length]."""
        ...


@dataclass(frozen=True)
class Reference:
    """What the run answers itself, in fp32.

    Args:
        part: where the texts are from.
        texts: real texts of the run.
        truth: class numbers [texts], or 0/1 [texts, classes].
        probabilities: [texts, classes].
        milliseconds: median time of one sequence alone, from token ids to logits.
        size_bytes: weights of base and adapter together.
    """

    part: str
    texts: tuple[str, ...]
    truth: np.ndarray[Any, np.dtype[np.int64]]
    probabilities: Probabilities
    milliseconds: float
    size_bytes: int

    @classmethod
    def of(cls, run: FinishedRun, predictor: Predictor, texts: int) -> Reference:
        """Ask the run about texts of its test part, else its validation part, evenly chosen.

        Args:
            run: the run.
            predictor: it, loaded in fp32.
            texts: how many at most.
        """
        part = "test" if "test" in run.parts else "validation"
        chosen, truth = _chosen(run.parts[part], texts)
        sequences = predictor.sequences(chosen)
        logits = predictor.logits(sequences)
        ask = [[sequences[number]] for number in _spread(range(len(sequences)), _TIMED)]
        base = sum(file.stat().st_size for file in run.spec.backbone.folder().glob("*.safetensors"))
        return cls(
            part=part,
            texts=tuple(chosen),
            truth=truth,
            probabilities=predictor.probabilities_of(logits),
            milliseconds=_median_ms(
                lambda one: score(predictor.model, predictor.forward, one), ask
            ),
            size_bytes=base + run.size_bytes,
        )


@dataclass(frozen=True)
class Proof:
    """What the round trip showed.

    Args:
        part: where the texts are from.
        texts: how many they are.
        tolerance: how far a probability may be off; None where it may be as far as it is.
        different_answers: texts that get another answer.
        largest_difference: of a probability.
        accuracy: of the exported model on these texts; multi-label: every label right.
        reference_accuracy: of the run.
        drop: accuracy of the run minus that of the exported model.
        drop_interval: its paired bootstrap interval.
        milliseconds: median time of one sequence alone, from token ids to probabilities.
        reference_milliseconds: of the run in fp32, on the same machine.
        threads: of the arithmetic, in both.
        size_bytes: of the exported weights.
        reference_size_bytes: of base and adapter.
    """

    part: str
    texts: int
    tolerance: float | None
    different_answers: int
    largest_difference: float
    accuracy: float
    reference_accuracy: float
    drop: float
    drop_interval: Interval
    milliseconds: float
    reference_milliseconds: float
    threads: int
    size_bytes: int
    reference_size_bytes: int


def prove(
    runner: Runner, folder: Path, reference: Reference, tolerance: float | None, size_bytes: int
) -> Proof:
    """Ask an exported model about the reference's texts.

    Args:
        runner: the model, loaded from its folder.
        folder: where its tokenizer is.
        reference: what it has to answer.
        tolerance: how far a probability may be off; None: any finite value passes.
        size_bytes: of its weights.

    Raises:
        ModelError: a probability is off by more.
    """
    import torch

    spec = runner.spec
    sequences = _sequences(folder, reference.texts, spec)
    collate = PlainForward(int(load_tokenizer(folder).pad_token_id)).collate  # type: ignore[arg-type]

    def ask(rows: Sequence[TokenIds]) -> Outputs:
        batch = {name: tensor.numpy() for name, tensor in collate(rows).items()}
        return runner(batch["input_ids"], batch["attention_mask"])

    answered = _pooled(_batched(ask, sequences), sequences, spec)
    difference = float(np.abs(answered - reference.probabilities).max())
    # Alone, as the only row of a batch, a text has to get the same.
    firsts, windows = sequences.text_offsets[:-1], np.diff(sequences.text_offsets)
    for text in _spread(np.flatnonzero(windows == 1).tolist(), _TIMED):
        row = ask([sequences[int(firsts[text])]]).probabilities[0]
        difference = max(difference, float(np.abs(row - answered[text]).max()))
    # Compared so that NaN does not pass.
    if not difference <= (tolerance if tolerance is not None else 1.0):
        raise ModelError(
            f"The exported model does not answer as the run does: a probability of "
            f"{len(reference.texts):,} texts is off by {difference:.2g}, more than "
            f"{tolerance or 1.0:g}. Nothing was kept.",
            "Please report this, with the versions in the run's environment.json.",
        )
    given = Predictions.of(reference.truth, answered, spec.decision)
    expected = Predictions.of(reference.truth, reference.probabilities, spec.decision)
    drop = Comparison.of(expected, given)
    return Proof(
        part=reference.part,
        texts=len(reference.texts),
        tolerance=tolerance,
        different_answers=int((~right_rows(expected.predicted, given.predicted)).sum()),
        largest_difference=difference,
        accuracy=given.accuracy,
        reference_accuracy=expected.accuracy,
        drop=drop.difference,
        drop_interval=drop.interval,
        milliseconds=_median_ms(
            ask, [[sequences[number]] for number in _spread(range(len(sequences)), _TIMED)]
        ),
        reference_milliseconds=reference.milliseconds,
        threads=torch.get_num_threads(),
        size_bytes=size_bytes,
        reference_size_bytes=reference.size_bytes,
    )


def _chosen(rows: AnsweredTexts, count: int) -> tuple[list[str], Any]:
    kept = _spread(range(len(rows.texts)), count)
    return [rows.texts[number] for number in kept], rows.predictions.truth[kept]


def _sequences(folder: Path, texts: Sequence[str], spec: ClassifierSpec) -> TokenizedTexts:
    """Return token ids by the exported tokenizer, cut by itself where it can do that."""
    from textlora.data.cleaning import strip_html

    cleaned = [strip_html(text) if spec.strip_html else text for text in texts]
    whole = tokenize(cleaned, load_tokenizer(folder), cut=spec.cut, cache_dir=None)
    if not own_cut(spec):
        return whole
    own = Tokenizer.from_file(str(folder / TOKENIZER_FILE))
    own.no_padding()
    own.enable_truncation(spec.max_length, direction=spec.truncation_side)
    ids = [np.array(each.ids, np.int32) for each in own.encode_batch(cleaned)]
    offsets = np.cumsum([0, *map(len, ids)], dtype=np.int64)
    return TokenizedTexts(
        np.concatenate(ids), offsets, whole.text_offsets, whole.full_lengths, whole.truncated
    )


def _batched(ask: Any, sequences: TokenizedTexts) -> Logits:
    logits: Logits | None = None
    lengths = sequences.lengths.tolist()
    padded = PlainForward(0).cost
    for positions in length_batches(lengths, padded, _TOKENS_IN_A_BATCH):
        rows = ask([sequences[position] for position in positions]).logits
        if logits is None:
            logits = np.empty((len(sequences), rows.shape[1]), np.float32)
        logits[positions] = rows
    assert logits is not None  # noqa: S101 - a run has texts
    return logits


def _pooled(logits: Logits, sequences: TokenizedTexts, spec: ClassifierSpec) -> Probabilities:
    by_text = pool_logits(
        logits, sequences.text_offsets, head=spec.head, pooling=spec.window_pooling
    )
    return probabilities_of(by_text, spec)


def _spread(numbers: Sequence[int], count: int) -> list[int]:
    """Return at most `count` of the numbers, from the first to the last."""
    kept = min(count, len(numbers))
    return [numbers[place * len(numbers) // kept] for place in range(kept)]


def _median_ms(ask: Any, asked: Sequence[Any]) -> float:
    ask(asked[0])  # the first call warms up
    seconds = []
    for one in asked:
        started = perf_counter()
        ask(one)
        seconds.append(perf_counter() - started)
    return 1000 * median(seconds)
