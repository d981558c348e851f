"""An adapter's tensors, judged by names, types and shapes before any of them is read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from safetensors import SafetensorError, safe_open
from torch import nn
from transformers.pytorch_utils import Conv1D

from textlora.errors import ModelError
from textlora.model.architectures import ends_in

PREFIX = "base_model.model."
TENSOR_TYPES = ("F32", "F16", "BF16")
MIB = 2**20
_MAX_HEADER = 16 * MIB
_MAX_TENSORS = 100_000
_MAX_GIB = 8
# What PEFT puts between a module and its weights.
_WRAPPERS = re.compile(r"\.(base_layer|original_module|modules_to_save)(?=\.)")
_LOW_RANK = re.compile(r"(.+)\.lora_(embedding_A|embedding_B|A|B|magnitude_vector)(\.weight)?")


def refuse(path: Path, why: str) -> NoReturn:
    """Raise the error for a file that is not what an adapter may have."""
    raise ModelError(f"{path}: {why}.", "Use an adapter from a source that you trust.")


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, or its kind where it has none."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def short(value: Any) -> str:
    """Return a value as it stands in a message."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:79]}…"


@dataclass(frozen=True)
class TensorHeader:
    """What a safetensors file says of one tensor before it is read."""

    shape: tuple[int, ...]
    dtype: str


def read_headers(path: Path) -> dict[str, TensorHeader]:
    """Return what a safetensors file says of its tensors, without reading them.

    Raises:
        ModelError: the file is damaged or too large.
    """
    try:
        size = path.stat().st_size
        if size > _MAX_GIB * 1024 * MIB:
            refuse(path, f"the file is larger than {_MAX_GIB} GiB")
        with path.open("rb") as file:
            header = int.from_bytes(file.read(8), "little")
        if _MAX_HEADER < header < size:
            refuse(path, f"its header is larger than {_MAX_HEADER // MIB} MiB")
        with safe_open(path, framework="pt") as tensors:
            slices = {name: tensors.get_slice(name) for name in tensors.keys()}  # noqa: SIM118
            return {
                name: TensorHeader(tuple(part.get_shape()), part.get_dtype())
                for name, part in slices.items()
            }
    except (SafetensorError, OSError, RuntimeError) as error:
        raise ModelError(
            f"{path}: the file is damaged ({first_line(error)}).", "Restore it, or train again."
        ) from None


def require_finite(path: Path) -> None:
    """Refuse NaN and infinity in a file of tensors, which is read one tensor at a time.

    Raises:
        ModelError: there is one; every answer would be NaN.
    """
    with safe_open(path, framework="pt") as tensors:
        for name in tensors.keys():  # noqa: SIM118
            if not bool(tensors.get_tensor(name).isfinite().all()):
                refuse(path, f"{short(name)} has values that are not finite")


def check_fits(
    tensors: Mapping[str, TensorHeader],
    config: Mapping[str, Any],
    model: nn.Module,
    folder: Path,
) -> None:
    """Hold an adapter against a base: every name is one of its modules, every shape is theirs.

    After this an adapter takes no more memory than the base itself and its own tensors.

    Args:
        tensors: the adapter's tensors by PEFT's names.
        config: its `adapter_config.json`.
        model: the base, with the head that the adapter brings weights for.
        folder: the adapter's, for the message.

    Raises:
        ModelError: the adapter is of another base.
    """
    modules = [name for name, _ in model.named_modules()]
    for target in config["target_modules"]:
        if not any(ends_in(name, [target]) for name in modules):
            _unfit(folder, f"target module {short(target)} is none of its modules")
    shapes = {name: tuple(weight.shape) for name, weight in model.state_dict().items()}
    for name, module in model.named_modules():
        if isinstance(module, Conv1D):  # GPT-2's linear layer has its weight the other way round
            shapes[f"{name}.weight"] = tuple(reversed(module.weight.shape))
    for name, header in tensors.items():
        expected = _expected(name, header, shapes)
        if expected is None:
            _unfit(folder, f"{short(name)} is for none of its modules")
        if expected != header.shape:
            _unfit(folder, f"{short(name)} has shape {header.shape}, its module takes {expected}")
    # PEFT would make matrices of the rank that the settings name for these.
    adapted = {name.removeprefix(PREFIX).partition(".lora_")[0] for name in tensors}
    for name in _targeted(modules, config):
        if name not in adapted:
            _unfit(folder, f"there are no weights for its module {short(name)}")


def check_headers(
    tensors: Mapping[str, TensorHeader], config: Mapping[str, Any], path: Path
) -> None:
    """Refuse types of tensors that no adapter has, and ranks that its settings do not name.

    Raises:
        ModelError: there are some.
    """
    if len(tensors) > _MAX_TENSORS:
        refuse(path, f"it has more than {_MAX_TENSORS:,} tensors")
    for name, header in tensors.items():
        if header.dtype not in TENSOR_TYPES:
            refuse(path, f"{short(name)} is of type {header.dtype}, not {', '.join(TENSOR_TYPES)}")
        rank, expected = lora_rank(name, header.shape), _rank_of(name, config)
        if rank is not None and rank != expected:
            refuse(path, f"{short(name)} has rank {rank}, and adapter_config.json says {expected}")


def lora_rank(name: str, shape: tuple[int, ...]) -> int | None:
    """Return the rank that a low-rank matrix has by its shape; None for other tensors."""
    if len(shape) != 2:
        return None
    if ".lora_A." in name or name.endswith(".lora_embedding_A"):
        return shape[0]
    if ".lora_B." in name or name.endswith(".lora_embedding_B"):
        return shape[1]
    return None


def _rank_of(name: str, config: Mapping[str, Any]) -> int:
    """Return the rank that an adapter's settings give to the module of a tensor."""
    module = name.removeprefix(PREFIX).partition(".lora_")[0]
    for key, rank in (config.get("rank_pattern") or {}).items():
        # PEFT reads the key as an expression; rules.py has let nothing but names through.
        if re.fullmatch(rf"(.*\.)?({key})", module):
            return int(rank)
    return int(config["r"])


def _targeted(modules: Iterable[str], config: Mapping[str, Any]) -> list[str]:
    """Return the modules that get an adapter, where endings of names alone decide on it."""
    if config.get("layers_to_transform") is not None or config.get("exclude_modules"):
        return []
    saved = config.get("modules_to_save") or []
    parts = ((name, name.split(".")) for name in modules)
    return [
        name
        for name, path in parts
        if ends_in(name, config["target_modules"])
        and not any(ends_in(".".join(path[:end]), saved) for end in range(1, len(path) + 1))
    ]


def _expected(
    name: str, header: TensorHeader, shapes: Mapping[str, tuple[int, ...]]
) -> tuple[int, ...] | None:
    """Return the shape that a tensor of that name has; None where there is no such module."""
    plain = _WRAPPERS.sub("", name.removeprefix(PREFIX)) if name.startswith(PREFIX) else ""
    low_rank = _LOW_RANK.fullmatch(plain)
    if low_rank is None:
        return shapes.get(plain)
    weight = shapes.get(f"{low_rank[1]}.weight")
    if weight is None or len(weight) != 2:
        return None
    rank = lora_rank(name, header.shape) or 0
    rows, columns = weight
    return {
        "A": (rank, columns),
        "B": (rows, rank),
        # An embedding's weight is [entries, width], the transpose of a linear layer's.
        "embedding_A": (rank, rows),
        "embedding_B": (columns, rank),
        "magnitude_vector": (rows,),
    }[low_rank[2]]


def _unfit(folder: Path, why: str) -> NoReturn:
    raise ModelError(
        f"{folder}: the adapter does not fit this base model ({why}).",
        "Load it on the model it was trained on.",
    )
