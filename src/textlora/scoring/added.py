"""The columns that scoring adds: the label, a probability per class, and the error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from textlora.errors import DataError

if TYPE_CHECKING:
    from textlora.inference.predictor import Prediction

# As in a run's predictions.csv.
_DIGITS = 6
_SEPARATOR = "|"


@dataclass(frozen=True)
class AddedColumns:
    """Names of the added columns, and what goes into them.

    Args:
        classes: the classes' names.
        multi_label: whether a text may have several.
        prefix: what their names start with.
    """

    classes: tuple[str, ...]
    multi_label: bool
    prefix: str = ""

    @cached_property
    def label(self) -> str:
        """Name of the column with the answer."""
        return f"{self.prefix}label"

    @cached_property
    def probabilities(self) -> tuple[str, ...]:
        """Names of the columns with the probabilities, in the order of the classes."""
        return tuple(f"{self.prefix}probability_{name}" for name in self.classes)

    @cached_property
    def error(self) -> str:
        """Name of the column that says why a row has no answer."""
        return f"{self.prefix}error"

    @cached_property
    def names(self) -> tuple[str, ...]:
        """All names, in their order."""
        return (self.label, *self.probabilities, self.error)

    def refuse_clash(self, columns: Sequence[str], source: str) -> None:
        """Refuse an input that has one of these columns already.

        Raises:
            DataError: it has.
        """
        taken = [name for name in self.names if name in columns]
        if taken:
            raise DataError(
                f"the column '{taken[0]}' is there already, and scoring adds one of that name.",
                source=source,
                remedy="Give the added columns a prefix, such as --prefix scored_.",
            )

    def values(self, prediction: Prediction | None, error: str | None) -> dict[str, Any]:
        """Return the cells of a row: strings, numbers, None; multi-label: a list of names."""
        if prediction is None:
            return {**dict.fromkeys(self.names), self.error: error}
        label: Any = prediction.label
        if prediction.unsure:
            label = [prediction.shown] if self.multi_label else prediction.shown
        shares = (round(prediction.probabilities[name], _DIGITS) for name in self.classes)
        named = dict(zip(self.probabilities, shares, strict=True))
        return {self.label: label, **named, self.error: error}

    def texts(self, prediction: Prediction | None, error: str | None) -> list[str]:
        """Return the same as strings; several labels are joined by a bar."""
        return [_as_text(value) for value in self.values(prediction, error).values()]


def _as_text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return _SEPARATOR.join(value)
    return f"{value:.{_DIGITS}f}" if isinstance(value, float) else str(value)
