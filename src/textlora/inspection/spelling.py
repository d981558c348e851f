"""Labels that are one label in different spellings: "pos", "Pos ", "POS."."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from textlora.data.tables import Label

# Not "+", "-" or "#": "A+" and "A", "-1" and "1", "C#" and "C" are different labels.
_EDGES = " \t.,;:!?\"'`´‘’“”«»()[]{}"
_BETWEEN_WORDS = re.compile(r"(?<=\w)[\s_-]+(?=\w)")
_WHOLE_NUMBER = re.compile(r"([+-]?\d+)\.0+")


@dataclass(frozen=True)
class Spellings:
    """One label as it is written in the data.

    Args:
        usual: the spelling with the most rows.
        rows: rows of each spelling, the usual one first.
    """

    usual: Label
    rows: dict[Label, int]

    @property
    def unusual(self) -> dict[Label, int]:
        """The other spellings and their rows."""
        return {label: count for label, count in self.rows.items() if label != self.usual}


def find_spellings(labels: Iterable[Label | None]) -> list[Spellings]:
    """Find labels that differ in case, white space, punctuation or a trailing ".0" alone.

    Args:
        labels: the labels of all rows; of multi-label rows each member counts.

    Returns:
        The labels with more than one spelling, by name.
    """
    counts: Counter[Label] = Counter(
        member
        for label in labels
        if label is not None
        for member in (label if isinstance(label, tuple) else (label,))
    )
    forms: dict[str, list[Label]] = defaultdict(list)
    for label in counts:
        forms[spelling_form(str(label))].append(label)
    found = []
    for form in sorted(form for form, written in forms.items() if len(written) > 1):
        ranked = sorted(forms[form], key=lambda label: (-counts[label], str(label)))
        found.append(Spellings(ranked[0], {label: counts[label] for label in ranked}))
    return found


def corrections(spellings: Iterable[Spellings]) -> dict[Label, Label]:
    """Return the usual spelling for every other one."""
    return {label: one.usual for one in spellings for label in one.unusual}


def spelling_form(label: str) -> str:
    """Return what all spellings of a label have in common."""
    plain = unicodedata.normalize("NFKC", label).casefold().strip()
    form = _BETWEEN_WORDS.sub(" ", plain.strip(_EDGES))
    number = _WHOLE_NUMBER.fullmatch(form)
    return number[1] if number else form or plain
