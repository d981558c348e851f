"""Find the column of the texts and the column of the labels."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from textlora.data.tables import ReadOptions
from textlora.errors import DataError

TEXT_NAMES = ("text", "sentence", "review", "content")
LABEL_NAMES = ("label", "labels", "target", "sentiment")

_SHOWN_COLUMNS = 20
_SHOWN_NAME = 40


@dataclass(frozen=True)
class Columns:
    """The columns to read.

    Args:
        text: name of the column with the texts.
        label: name of the column with the labels; None where none are wanted.
    """

    text: str
    label: str | None


def find_columns(names: Sequence[str], options: ReadOptions, source: str) -> Columns:
    """Choose the text and the label column of a table.

    Args:
        names: the table's columns, in order.
        options: the columns the user named, and whether labels are wanted.
        source: where the table comes from, for messages.

    Returns:
        The chosen columns.

    Raises:
        DataError: two columns share a name; a named column does not exist; no
            column, or more than one, has a known name.
    """
    _refuse_duplicates(names, source)
    text = _given(names, options.text_column, "--text-column", source)
    label = _given(names, options.label_column, "--label-column", source)
    text = text or _known(names, label, TEXT_NAMES, "text", source)
    if not options.labelled:
        return Columns(text, None)
    label = label or _known(names, text, LABEL_NAMES, "label", source)
    if text == label:
        raise DataError(
            f"the column '{text}' is named for the texts and for the labels.",
            source=source,
            remedy="Give --text-column and --label-column two different columns.",
        )
    return Columns(text, label)


def listed(names: Sequence[str]) -> str:
    """Return the columns as a message shows them."""
    clipped = [name if len(name) <= _SHOWN_NAME else name[:_SHOWN_NAME] + "…" for name in names]
    more = f", and {len(clipped) - _SHOWN_COLUMNS} more" if len(clipped) > _SHOWN_COLUMNS else ""
    return ", ".join(f"'{name}'" for name in clipped[:_SHOWN_COLUMNS]) + more


def _refuse_duplicates(names: Sequence[str], source: str) -> None:
    # An empty name, such as that of a saved pandas index, cannot be asked for.
    counts = Counter(name for name in names if name)
    twice = [name for name, count in counts.items() if count > 1]
    if twice:
        raise DataError(
            f"the header has the column {listed(twice[:1])} more than once ({listed(names)}).",
            source=source,
            remedy="Rename or remove one of the two columns.",
        )


def _given(names: Sequence[str], name: str | None, flag: str, source: str) -> str | None:
    if name is None or name in names:
        return name
    lowered = {known.lower(): known for known in names}
    close = difflib.get_close_matches(name.lower(), lowered, n=1, cutoff=0.5)
    hint = f"Did you mean {flag} {lowered[close[0]]}? " if close else ""
    raise DataError(
        f"there is no column '{name}'.",
        source=source,
        remedy=f"{hint}The columns are: {listed(names)}.",
    )


def _known(
    names: Sequence[str], taken: str | None, known: Sequence[str], what: str, source: str
) -> str:
    found = [name for name in names if name.strip().lower() in known and name != taken]
    if len(found) == 1:
        return found[0]
    if found:
        raise DataError(
            f"more than one column could hold the {what}s: {listed(found)} "
            f"(all columns: {listed(names)}).",
            source=source,
            remedy=f"Name the right one with --{what}-column.",
        )
    raise DataError(
        f"no column has one of the usual names for {what}s ({', '.join(known)}); "
        f"the columns are: {listed(names)}.",
        source=source,
        remedy=f"Name the right one with --{what}-column.",
    )
