"""The frozen prefix cache of a training: made, told of, and let go."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from textlora.data.tokenizing import TokenizedTexts
from textlora.errors import storage_errors
from textlora.fast.prefix import PrefixStates
from textlora.inference.scoring import DEFAULT_TOKEN_BUDGET, length_batches
from textlora.model.prefix_forward import PrefixForward
from textlora.report.terminal import labelled, progress_bar
from textlora.report.wording import count, duration, size

_GB = 1_000_000_000


@contextmanager
def prefix_cache(
    forward: PrefixForward,
    sequences: Mapping[str, TokenizedTexts],
    *,
    ram_gb: float,
    folder: Path,
    console: Console,
) -> Iterator[dict[str, PrefixStates]]:
    """Run the frozen layers once over the rows to train and to validate on.

    Args:
        forward: which layers are frozen, and how they are run.
        sequences: token ids, by part; "validation" may be missing, and is empty then.
        ram_gb: up to this size the states stay in memory.
        folder: where a larger file goes; it has no name there, and goes with this block.
        console: where progress and cost are shown.

    Yields:
        The states of the parts "train" and "validation"; they are gone after the block.

    Raises:
        StorageError: the folder cannot be written, or has no room.
    """
    texts = [*sequences["train"], *sequences.get("validation", ())]
    lengths = [len(text) for text in texts]
    started = time.perf_counter()
    with (
        storage_errors(f"writing the prefix cache in {folder}"),
        progress_bar(console, f"running {_below(forward)} once", len(texts)) as progress,
    ):
        states = forward.run_frozen(
            texts,
            list(length_batches(lengths, forward.cost, DEFAULT_TOKEN_BUDGET)),
            ram_bytes=ram_gb * _GB,
            folder=folder,
            progress=progress,
        )
    try:
        _tell(console, forward, states, time.perf_counter() - started)
        train, validation = states.split(len(sequences["train"]))
        yield {"train": train, "validation": validation}
    finally:
        states.close()


def _tell(console: Console, forward: PrefixForward, states: PrefixStates, seconds: float) -> None:
    below, layers = _below(forward), forward.layers
    place = "on disk" if states.rows.on_disk else "in memory"
    ran = f"{below} of {layers} run once over {count(len(states))} sequences, without dropout"
    console.print(labelled("Prefix", ran))
    cost = f"{size(states.rows.values.nbytes)} {place}, built in {duration(seconds)}"
    saved = f"each epoch skips {forward.first_layer} of {layers} layers"
    console.print(labelled("", f"{cost}; {saved}"))


def _below(forward: PrefixForward) -> str:
    last = forward.first_layer - 1
    return "layer 0" if last == 0 else f"layers 0 to {last}"
