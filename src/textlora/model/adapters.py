"""LoRA adapters by PEFT: how they are added, counted, written and loaded."""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, TaskType, get_peft_model, get_peft_model_state_dict
from peft.tuners.lora import LoraLayer
from peft.utils import SAFETENSORS_WEIGHTS_NAME
from safetensors.torch import save_file
from torch import Tensor, nn

from textlora.config import LoraSettings, RunConfig
from textlora.errors import ConfigError, ModelError
from textlora.model.architectures import (
    BaseClassifier,
    adapted_modules,
    checked_modules,
    is_inside,
    shortest,
)
from textlora.model.encoders import Backbone
from textlora.model.heads import build_base_classifier, resolve_head
from textlora.model.safety import check_adapter_folder
from textlora.model.tensors import PREFIX, check_fits, first_line, require_finite

# These start from a split of the base weight, which they change; the saved
# adapter is converted so that it fits the untouched base.
_MUTATING_INITS = ("pissa", "olora")
_UNSUPPORTED_INITS = {
    "loftq": "it needs a quantised base model",
    "corda": "it needs a covariance pass with its own configuration",
    "eva": "it needs a pass over the data with its own configuration",
    "lora_ga": "it needs a gradient pass with its own configuration",
}
_ADAPTER = "default"


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
    names = adapted_modules(base, settings)
    in_head = any(is_inside(name, base.trained_head) for name in names)
    to_save = [] if in_head else list(base.trained_head)
    config = LoraConfig(
        # PEFT's task type always trains the head in full; with LoRA on the head it must not.
        task_type=None if in_head else TaskType.SEQ_CLS,
        r=settings.r,
        lora_alpha=settings.lora_alpha,  # type: ignore[arg-type]
        lora_dropout=settings.lora_dropout,
        bias=settings.bias,
        target_modules=shortest(names, base, settings),
        modules_to_save=to_save + checked_modules(settings.modules_to_save, base),
        use_rslora=settings.use_rslora,
        use_dora=settings.use_dora,
        init_lora_weights=_checked_init(settings.init_lora_weights),  # type: ignore[arg-type]
        revision=backbone.revision if backbone else None,
    )
    try:
        with warnings.catch_warnings():
            # PEFT asks transformers by a name that is on its way out.
            warnings.simplefilter("ignore", FutureWarning)
            model = get_peft_model(base.model, config)  # type: ignore[arg-type]
    except (ValueError, TypeError) as error:
        raise ConfigError(
            f"PEFT refuses these LoRA settings: {first_line(error)}", "See section lora."
        ) from error
    added: Any = model.peft_config[_ADAPTER]
    added.modules_to_save = sorted(set(added.modules_to_save or []))
    if backbone is not None:
        added.base_model_name_or_path = backbone.reference()
    return model  # type: ignore[return-value]


def save_adapter(model: PeftModel, folder: Path) -> None:
    """Write the adapter as it is, as a checkpoint to resume from."""
    # "auto" would ask the Hub whether the vocabulary grew.
    model.save_pretrained(str(folder), save_embedding_layers=False)
    # PEFT writes an empty model card; ours is written with the figures.
    (folder / "README.md").unlink(missing_ok=True)


@dataclass(frozen=True)
class UntrainedAdapter:
    """What the finished adapter can only be written with, taken before training.

    Args:
        head: modules of the fresh head that are not trained in full, but by LoRA.
        weights: the adapter's weights where their initialisation changed the base, else None.
    """

    head: tuple[str, ...]
    weights: dict[str, Tensor] | None


def untrained_adapter(
    model: PeftModel, base: BaseClassifier, settings: LoraSettings
) -> UntrainedAdapter:
    """Keep what `export_adapter` will need of an adapter that is not trained yet."""
    in_head = any(is_inside(name, base.trained_head) for name in _lora_layers(model))
    head = tuple(base.trained_head) if in_head else ()
    init = settings.init_lora_weights
    if not isinstance(init, str) or not init.startswith(_MUTATING_INITS):
        return UntrainedAdapter(head, None)
    weights = get_peft_model_state_dict(model, save_embedding_layers=False)
    return UntrainedAdapter(head, {name: weight.clone() for name, weight in weights.items()})


def export_adapter(model: PeftModel, folder: Path, untrained: UntrainedAdapter) -> None:
    """Write the adapter with its head as PEFT files that fit the untouched base.

    Two things differ from the adapter in training. Where the initialisation took
    a part out of the base weights, that part is taken out of the adapter, too,
    which doubles its rank. And a head is written in full where it had a LoRA
    adapter: its base was drawn at random and is nowhere else.
    """
    tensors: dict[str, Tensor] = get_peft_model_state_dict(model, save_embedding_layers=False)
    config: Any = copy.deepcopy(model.peft_config[_ADAPTER])
    config.inference_mode = True
    if untrained.head:
        tensors = _with_full_head(tensors, model, untrained.head)
        config.task_type = TaskType.SEQ_CLS
        config.modules_to_save = sorted({*config.modules_to_save, *untrained.head})
        config.target_modules = [
            name for name in _lora_layers(model) if not is_inside(name, untrained.head)
        ]
    if untrained.weights is not None:
        for name in tensors:
            if ".lora_A." in name:
                tensors[name] = _joined(tensors[name], untrained.weights[name], dim=0)
            elif ".lora_B." in name:
                tensors[name] = _joined(tensors[name], -untrained.weights[name], dim=1)
        config.lora_alpha *= math.sqrt(2) if config.use_rslora else 2
        config.r *= 2
        config.init_lora_weights = True
    config.target_modules = sorted(config.target_modules)
    folder.mkdir(parents=True, exist_ok=True)
    # Cloned: tensors that share memory are refused.
    plain = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in tensors.items()}
    save_file(plain, folder / SAFETENSORS_WEIGHTS_NAME, metadata={"format": "pt"})
    config.save_pretrained(str(folder))


def leaves_base_alone(base: BaseClassifier, folder: Path) -> bool:
    """Return whether an adapter has low-rank updates and a head and nothing else.

    False where it brings other values for weights or biases of the base, or takes a part out
    of them when it is loaded: many adapters can then not share one base.

    Raises:
        ModelError: a file is missing or damaged.
    """
    adapter = check_adapter_folder(folder)
    init = adapter.config.get("init_lora_weights")
    if adapter.config.get("use_dora") or (isinstance(init, str) and init != "gaussian"):
        return False
    return all(
        ".lora_A." in name
        or ".lora_B." in name
        or is_inside(name.removeprefix(PREFIX), base.trained_head)
        for name in adapter.tensors
    )


def load_adapter(base: BaseClassifier, folder: Path, *, trainable: bool = False) -> PeftModel:
    """Put a saved adapter, with its head, on a classifier.

    The one place in which an adapter's weights are read; what they may be is in `safety.py`.

    Raises:
        ModelError: files are missing or not what an adapter may have, or a head weight is missing
            (the model would predict at random), or the adapter is of another base.
    """
    adapter = check_adapter_folder(folder)
    _require_head(base, set(adapter.tensors), folder)
    check_fits(adapter.tensors, adapter.config, base.model, folder)
    require_finite(adapter.weights)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        # PEFT would go on with the missing weights as they are before training.
        warnings.filterwarnings("error", "Found missing adapter keys", UserWarning)
        try:
            return PeftModel.from_pretrained(  # type: ignore[no-any-return]
                base.model,  # type: ignore[arg-type]
                str(folder),
                is_trainable=trainable,
                # Not read again: PEFT gets what was checked.
                config=LoraConfig.from_peft_type(**adapter.config),
            )
        except (RuntimeError, ValueError, TypeError, UserWarning) as error:
            raise ModelError(
                f"{folder}: the adapter does not fit this base model ({first_line(error)}).",
                "Load it on the model it was trained on.",
            ) from error


def _require_head(base: BaseClassifier, saved: set[str], folder: Path) -> None:
    for name in base.trained_head:
        for weight, _ in base.model.get_submodule(name).named_parameters():
            if f"{PREFIX}{name}.{weight}" not in saved:
                raise ModelError(
                    f"{folder}: the adapter has no weights for the head module '{name}' "
                    f"({weight}); it would predict at random.",
                    "Save the adapter again with its head.",
                )


def _with_full_head(
    tensors: dict[str, Tensor], model: PeftModel, head: Iterable[str]
) -> dict[str, Tensor]:
    """Return the adapter's tensors with merged head modules in place of their LoRA matrices."""
    inner: nn.Module = model.base_model.model  # type: ignore[assignment]
    result = dict(tensors)
    for name in head:
        prefix = f"{PREFIX}{name}."
        result = {key: tensor for key, tensor in result.items() if not key.startswith(prefix)}
        merged = _merged(copy.deepcopy(inner.get_submodule(name)))
        result.update({prefix + key: weight for key, weight in merged.named_parameters()})
    return result


def _merged(module: nn.Module) -> nn.Module:
    """Return a module with its LoRA layers merged into plain ones, in place."""
    if isinstance(module, LoraLayer):
        module.merge()  # type: ignore[operator]
        plain: nn.Module = module.get_base_layer()
        return plain
    for name, child in module.named_children():
        setattr(module, name, _merged(child))
    return module


def _joined(trained: Tensor, initial: Tensor, dim: int) -> Tensor:
    return torch.cat([trained, initial.to(trained.device)], dim=dim)


def _lora_layers(model: PeftModel) -> list[str]:
    inner: nn.Module = model.base_model.model  # type: ignore[assignment]
    return [name for name, module in inner.named_modules() if isinstance(module, LoraLayer)]


def _checked_init(init: bool | str) -> bool | str:
    if isinstance(init, str):
        for name, why in _UNSUPPORTED_INITS.items():
            if init.startswith(name):
                raise ConfigError(
                    f"lora.init_lora_weights={init} is not supported: {why}.",
                    "Use true, gaussian, pissa, pissa_niter_16, olora or orthogonal.",
                )
    return init


def count_config(config: RunConfig) -> ParameterCount:
    """Build the real architecture without weights and count.

    Args:
        config: the settings; without class names two classes are assumed.

    Raises:
        ModelError: the encoder is neither well known nor local, and the Hub is out of reach.
    """
    names = config.data.label_names
    multi_label = config.data.label_separator is not None
    head = resolve_head(config.model, len(names) if names else 2, multi_label)
    encoder = Backbone(config.model.name_or_path, config.model.revision).known_config()
    with torch.device("meta"):
        base = build_base_classifier(encoder, head)
        # Initialisations that decompose the weights cannot run without them; the count is the same.
        lora = config.lora.model_copy(update={"init_lora_weights": True})
        return count_parameters(add_adapter(base, lora))
