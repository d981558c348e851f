"""LoRA adapters: the one module that imports PEFT."""

from __future__ import annotations

import re
import shutil
import tempfile
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from peft import LoraConfig, PeftModel, TaskType, get_peft_model
from peft.utils import SAFETENSORS_WEIGHTS_NAME
from safetensors import safe_open
from torch import nn

from textlora.config import LoraSettings
from textlora.errors import ConfigError, ModelError
from textlora.model.architectures import (
    LOGICAL_TARGETS,
    architecture_of,
    layer_range,
)
from textlora.model.backbones import Backbone
from textlora.model.heads import BaseClassifier

# These start from a split of the base weight, which they change; the saved
# adapter is converted so that it fits the untouched base.
_MUTATING_INITS = ("pissa", "olora")
_UNSUPPORTED_INITS = {
    "loftq": "it needs a quantised base model",
    "corda": "it needs a covariance pass with its own configuration",
    "eva": "it needs a pass over the data with its own configuration",
}


@dataclass(frozen=True)
class ParameterCount:
    """How many parameters a model has, and how many of them are trained."""

    trainable: int
    total: int

    @property
    def share(self) -> float:
        """Trainable over total, 0 to 1."""
        return self.trainable / self.total

    def __str__(self) -> str:
        return f"{self.trainable:,} of {self.total:,} ({self.share:.2%})"


def count_parameters(model: nn.Module) -> ParameterCount:
    """Count as PEFT does: a module trained in full counts with its frozen original."""
    sizes = [(parameter.numel(), parameter.requires_grad) for parameter in model.parameters()]
    return ParameterCount(sum(n for n, trained in sizes if trained), sum(n for n, _ in sizes))


def add_adapter(
    base: BaseClassifier, settings: LoraSettings, backbone: Backbone | None = None
) -> PeftModel:
    """Put a fresh LoRA adapter on a classifier, in place.

    Args:
        base: the classifier and the modules of its head.
        settings: the adapter's settings.
        backbone: written into the adapter, so that it finds its base again.

    Raises:
        ConfigError: a target or layer does not exist, or PEFT refuses the settings.
    """
    modules = target_modules(base, settings)
    in_head = "head" in settings.target_modules
    to_save = [] if in_head else list(base.trained_head)
    config = LoraConfig(
        # PEFT's task type always trains the head in full; with LoRA on the head it must not.
        task_type=None if in_head else TaskType.SEQ_CLS,
        r=settings.r,
        lora_alpha=settings.lora_alpha,  # type: ignore[arg-type]
        lora_dropout=settings.lora_dropout,
        bias=settings.bias,
        target_modules=modules,
        modules_to_save=to_save + settings.modules_to_save,
        use_rslora=settings.use_rslora,
        use_dora=settings.use_dora,
        init_lora_weights=_checked_init(settings.init_lora_weights),  # type: ignore[arg-type]
        revision=backbone.revision if backbone else None,
    )
    try:
        model = get_peft_model(base.model, config)  # type: ignore[arg-type]
    except (ValueError, TypeError) as error:
        raise ConfigError(f"PEFT refuses these LoRA settings: {error}", "See section lora.") from error
    saved = model.peft_config["default"].modules_to_save  # type: ignore[attr-defined]
    model.peft_config["default"].modules_to_save = sorted(set(saved or []))  # type: ignore[attr-defined]
    if backbone is not None:
        model.peft_config["default"].base_model_name_or_path = backbone.reference()
    return model  # type: ignore[return-value]


def target_modules(base: BaseClassifier, settings: LoraSettings) -> list[str]:
    """Return the modules that get an adapter, as PEFT takes them.

    The shortest form that means exactly these modules: endings such as `q_lin`
    where they are unambiguous, full names otherwise.

    Raises:
        ConfigError: a name fits no module, or the layers are out of range.
    """
    linear = _linear_modules(base.model)
    endings = _endings(base, settings.target_modules)
    wanted: list[str] = []
    for ending in endings:
        found = [name for name in linear if name == ending or name.endswith(f".{ending}")]
        if ending == "output.dense":
            # BERT's FFN and its attention both end so; "out" is the attention's.
            found = [name for name in found if "attention" not in name]
        if not found:
            raise ConfigError(
                f"lora.target_modules: '{ending}' fits no module of this model.",
                f"Use {', '.join(LOGICAL_TARGETS)}, or one of: {_short_names(linear)}.",
            )
        wanted += found
    wanted = _in_layers(sorted(set(wanted)), base, settings)
    matched_by_endings = {
        name for name in linear if any(name == e or name.endswith(f".{e}") for e in endings)
    }
    return sorted(set(endings)) if matched_by_endings == set(wanted) else wanted


def save_adapter(model: PeftModel, folder: Path, initial: Path | None = None) -> None:
    """Write the adapter with its head as PEFT files (safetensors).

    Args:
        model: the tuned model.
        folder: where to.
        initial: the adapter as it was before training, where its initialisation changed the base.
    """
    model.save_pretrained(
        str(folder),
        # "auto" would ask the Hub whether the vocabulary grew.
        save_embedding_layers=False,
        path_initial_model_for_weight_conversion=None if initial is None else str(initial),
    )
    # PEFT writes an empty model card; ours is written with the figures.
    (folder / "README.md").unlink(missing_ok=True)


def save_initial_adapter(model: PeftModel, settings: LoraSettings) -> Path | None:
    """Keep the untrained adapter where saving will need it, else return None.

    The caller removes the folder.
    """
    init = settings.init_lora_weights
    if not isinstance(init, str) or not init.startswith(_MUTATING_INITS):
        return None
    folder = Path(tempfile.mkdtemp(prefix="textlora-initial-"))
    config = model.peft_config["default"]
    # PEFT's conversion wants the stored initial adapter to load without splitting again.
    original = config.init_lora_weights  # type: ignore[attr-defined]
    config.init_lora_weights = True  # type: ignore[attr-defined]
    try:
        save_adapter(model, folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    finally:
        config.init_lora_weights = original  # type: ignore[attr-defined]
    return folder


def load_adapter(base: BaseClassifier, folder: Path, *, trainable: bool = False) -> PeftModel:
    """Put a saved adapter, with its head, on a classifier.

    Raises:
        ModelError: files are missing, or a head weight is (the model would predict at random).
    """
    weights = folder / SAFETENSORS_WEIGHTS_NAME
    for file in (weights, folder / "adapter_config.json"):
        if not file.is_file():
            raise ModelError(f"{folder}: {file.name} is missing.", "Give a complete adapter folder.")
    with safe_open(weights, framework="pt") as tensors:
        saved = list(tensors.keys())
    for name in base.trained_head:
        if not any(f".{name}." in key for key in saved):
            raise ModelError(
                f"{folder}: the adapter has no weights for the head module '{name}'; "
                "it would predict at random.",
                "Save the adapter again with its head.",
            )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        try:
            return PeftModel.from_pretrained(  # type: ignore[no-any-return]
                base.model,  # type: ignore[arg-type]
                str(folder),
                is_trainable=trainable,
            )
        except (RuntimeError, ValueError) as error:
            raise ModelError(
                f"{folder}: the adapter does not fit this base model ({_first_line(error)}).",
                "Load it on the model it was trained on.",
            ) from error


def _checked_init(init: bool | str) -> bool | str:
    if isinstance(init, str):
        for name, why in _UNSUPPORTED_INITS.items():
            if init.startswith(name):
                raise ConfigError(
                    f"lora.init_lora_weights={init} is not supported: {why}.",
                    "Use true, gaussian, pissa, pissa_niter_16, olora or orthogonal.",
                )
    return init


def _endings(base: BaseClassifier, targets: Iterable[str]) -> list[str]:
    config: Any = base.model.config
    known = architecture_of(config)
    endings: list[str] = []
    for target in targets:
        if target not in LOGICAL_TARGETS:
            endings.append(target)
        elif target == "head":
            endings += _head_linears(base)
        elif known is None:
            raise ConfigError(
                f"lora.target_modules: '{target}' is not defined for the architecture "
                f"'{config.model_type}'.",
                f"Name the model's own modules: {_short_names(_linear_modules(base.model))}.",
            )
        else:
            endings += known.targets[target]
    return list(dict.fromkeys(endings))


def _head_linears(base: BaseClassifier) -> list[str]:
    return [
        name
        for name in _linear_modules(base.model)
        if any(name == head or name.startswith(f"{head}.") for head in base.trained_head)
    ]


def _linear_modules(model: nn.Module) -> list[str]:
    kinds = (nn.Linear, nn.Embedding, nn.Conv1d, nn.Conv2d)
    return [
        name
        for name, module in model.named_modules()
        if isinstance(module, kinds) or type(module).__name__ == "Conv1D"
    ]


def _in_layers(names: list[str], base: BaseClassifier, settings: LoraSettings) -> list[str]:
    if settings.layers is None:
        return names
    config: Any = base.model.config
    allowed = layer_range(settings.layers, config.num_hidden_layers)
    kept = []
    for name in names:
        number = re.search(r"\.(\d+)\.", name)
        if number is None or int(number.group(1)) in allowed:
            kept.append(name)
    return kept


def _short_names(names: list[str]) -> str:
    return ", ".join(dict.fromkeys(re.sub(r"^.*\.\d+\.", "", name) for name in names))


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
