"""What an adapter folder says about itself beyond PEFT's files."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter

from textlora.data.truncation import Cut, Side, Truncation, Windows
from textlora.errors import ModelError
from textlora.files import write_json
from textlora.metrics.decisions import BY_PROBABILITY, Decision
from textlora.model.encoders import Backbone
from textlora.model.heads import HeadSpec
from textlora.model.safety import MAX_CLASSES, MAX_LENGTH, STRICT, read_settings, validated
from textlora.model.tensors import refuse, short

FILE_NAME = "textlora.json"
FORMAT = 1
Labels = Annotated[tuple[str | int, ...], Field(max_length=MAX_CLASSES)]


@dataclass(frozen=True)
class ClassifierSpec:
    """Everything that turns a text into a labelled answer, besides the weights.

    Args:
        backbone: the pretrained encoder.
        head: the head on it.
        label_names: the classes' names, in the order of the logits.
        label_values: the labels as the training data had them, in the same order.
        max_length: tokens a text may have.
        truncation_side: the end at which a long text loses tokens; "head+tail": in the middle.
        strip_html: whether HTML is removed before tokenization.
        temperature: what the logits are divided by before they become probabilities.
        decision: how probabilities become answers.
        head_share: for "head+tail", the share of the tokens kept from the start.
        long_texts: whether a long text is truncated or read in windows.
        window_stride: tokens that a window shares with the one before.
        window_pooling: how the probabilities of a text's windows become one.
        max_windows: windows that a text has at most.
        merged_labels: labels of the training data that are now one class, "other".
    """

    # How `load` reads the description; the same goes for all that is inside it.
    __pydantic_config__ = STRICT

    backbone: Backbone
    head: HeadSpec
    label_names: Annotated[tuple[str, ...], Field(max_length=MAX_CLASSES)]
    label_values: Labels
    max_length: Annotated[int, Field(ge=1, le=MAX_LENGTH)]
    truncation_side: Side
    strip_html: bool
    temperature: Annotated[float, Field(ge=1e-6, le=1e6)] = 1.0
    decision: Decision = BY_PROBABILITY
    # Adapters of before these settings have none of them, and truncate.
    head_share: Annotated[float, Field(ge=0, le=1)] = 0.25
    long_texts: Literal["truncate", "windows"] = "truncate"
    window_stride: Annotated[int, Field(ge=0, le=MAX_LENGTH)] = 0
    window_pooling: Literal["mean", "max"] = "mean"
    max_windows: Annotated[int, Field(ge=1, le=MAX_LENGTH)] = 1
    merged_labels: Labels = ()

    @property
    def truncation(self) -> Truncation:
        """How a text is truncated, where it is."""
        return Truncation(self.max_length, self.truncation_side, self.head_share)

    @property
    def cut(self) -> Cut:
        """What becomes of a long text that is to be answered."""
        if self.long_texts == "truncate":
            return self.truncation
        return Windows(self.max_length, self.window_stride, self.max_windows)

    @property
    def cut_in_words(self) -> str:
        """What becomes of a long text, for the terminal and the model card."""
        if self.long_texts == "windows":
            return (
                f"read in windows that overlap by {self.window_stride} tokens, "
                f"{self.window_pooling} of their probabilities"
            )
        if self.truncation_side == "head+tail":
            return f"truncated in the middle ({self.head_share:.0%} from the start)"
        return f"truncated on the {self.truncation_side}"

    def require_positions(self, positions: int | None) -> None:
        """Refuse a base that takes shorter texts than this cuts; None: it sets no limit.

        Raises:
            ModelError: it does.
        """
        if positions is not None and self.max_length > positions:
            raise ModelError(
                f"{self.backbone.name_or_path}: this model takes {positions} tokens, and the "
                f"adapter's texts have up to {self.max_length}.",
                "Load it on the model it was trained on.",
            )

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
        values: dict[str, Any] = read_settings(path)
        if values.pop("format", None) != FORMAT:
            raise ModelError(
                f"{path}: this format is not known to this version.", "Update textlora."
            )
        rule = values.get("decision")
        if isinstance(rule, dict) and set(rule) != {field.name for field in fields(Decision)}:
            refuse(path, f"'decision' is {short(rule)}, so the file is damaged or newer")
        spec = validated(_SPEC, values, path)
        _require_agreement(spec, path)
        return spec


_SPEC = TypeAdapter(ClassifierSpec)


def _require_agreement(spec: ClassifierSpec, path: Path) -> None:
    """Refuse a description whose parts are of different numbers of classes, or no rule.

    Raises:
        ModelError: they are.
    """
    classes, rule = len(spec.label_names), spec.decision
    sizes = [spec.head.num_labels, len(spec.label_values)]
    if rule.thresholds is not None:
        one = not spec.head.multi_label and len(rule.thresholds) == 1
        sizes.append(2 if one else len(rule.thresholds))
    if rule.costs is not None:
        sizes += [len(rule.costs), *(len(row) for row in rule.costs)]
    if rule.min_confidence is not None and not 0 <= rule.min_confidence <= 1:
        refuse(path, f"'decision' is {short(rule)}; min_confidence should be from 0 to 1")
    if any(size != classes for size in sizes):
        raise ModelError(
            f"{path}: the file is damaged (it is of {classes} classes by their names, and of "
            f"{next(size for size in sizes if size != classes):,} elsewhere).",
            "Restore it.",
        )
