"""What an adapter folder says about itself beyond PEFT's files."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from textlora.errors import ModelError
from textlora.model.backbones import Backbone
from textlora.model.heads import HeadSpec
from textlora.run import read_json, write_json

FILE_NAME = "textlora.json"
FORMAT = 1


@dataclass(frozen=True)
class ClassifierSpec:
    """Everything that turns a text into a labelled answer, besides the weights.

    Args:
        backbone: the pretrained encoder.
        head: the head on it.
        label_names: the classes' names, in the order of the logits.
        label_values: the labels as the training data had them, in the same order.
        max_length: tokens a text may have.
        truncation_side: the end at which a long text loses tokens.
        strip_html: whether HTML is removed before tokenization.
    """

    backbone: Backbone
    head: HeadSpec
    label_names: tuple[str, ...]
    label_values: tuple[str | int, ...]
    max_length: int
    truncation_side: Literal["left", "right"]
    strip_html: bool

    def save(self, folder: Path) -> None:
        """Write the description into an adapter folder."""
        write_json(folder / FILE_NAME, {"format": FORMAT, **asdict(self)})

    @classmethod
    def load(cls, folder: Path) -> ClassifierSpec:
        """Read the description of an adapter folder.

        Raises:
            ModelError: it is missing, or of another format.
        """
        path = folder / FILE_NAME
        if not path.is_file():
            raise ModelError(
                f"{folder}: {FILE_NAME} is missing, so this is no textlora adapter.",
                "Load other adapters with PEFT.",
            )
        values: dict[str, Any] = read_json(path)
        if values.pop("format", None) != FORMAT:
            raise ModelError(
                f"{path}: this format is not known to this version.", "Update textlora."
            )
        try:
            values["backbone"] = Backbone(**values["backbone"])
            values["head"] = HeadSpec(**values["head"])
            for name in ("label_names", "label_values"):
                values[name] = tuple(values[name])
            return cls(**values)
        except (KeyError, TypeError) as error:
            raise ModelError(f"{path}: the file is damaged ({error}).", "Restore it.") from None
