"""Labels that are several labels in one cell, though nobody said what separates them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from textlora.data.tables import Label

_SEPARATORS = ("|", ";", ",")
_FEWEST_LABELS = 10
_LEAST_SHARE = 1 / 3
"""Share of the different labels that have the separator in them."""
_MOST_ATOMS = 1 / 2
"""What is left of the different labels once they are taken apart; "Lyon, France" stays many."""


@dataclass(frozen=True)
class Separator:
    """What seems to separate several labels in one cell.

    Args:
        character: the separator.
        example: the most frequent label that has it.
        joined: different labels that have it.
        labels: different labels there are.
        atoms: different labels there would be.
    """

    character: str
    example: str
    joined: int
    labels: int
    atoms: int

    @property
    def problem(self) -> str:
        """What was found, as a clause."""
        return (
            f"{self.joined:,} of {self.labels:,} different labels have {self.character!r} in them, "
            f"as {self.example!r} has; taken apart they are {self.atoms:,} labels"
        )

    @property
    def remedy(self) -> str:
        """What to do where they are several labels."""
        return f"Several labels to a text: --label-separator '{self.character}'."


def likely_separator(counts: Mapping[Label, int]) -> Separator | None:
    """Find what separates labels that are too many as they stand, and few taken apart.

    Args:
        counts: rows of each label.

    Returns:
        The separator that leaves the fewest labels; None where labels look like single ones.
    """
    if len(counts) < _FEWEST_LABELS:
        return None
    found = [_taken_apart(counts, character) for character in _SEPARATORS]
    likely = [
        one
        for one in found
        if one.joined >= _LEAST_SHARE * one.labels and one.atoms <= _MOST_ATOMS * one.labels
    ]
    return min(likely, key=lambda one: one.atoms, default=None)


def _taken_apart(counts: Mapping[Label, int], character: str) -> Separator:
    labels = {label: rows for label, rows in counts.items() if isinstance(label, str)}
    joined = [label for label in labels if character in label]
    atoms = {part.strip() for label in counts for part in str(label).split(character)} - {""}
    example = max(joined, key=lambda label: labels[label], default="")
    return Separator(character, example, len(joined), len(counts), len(atoms))
