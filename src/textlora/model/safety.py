"""What an adapter folder may hold: checked before PEFT, Transformers or torch read any of it.

An adapter is a folder that somebody else may have made. Nothing in it is code to be run, nothing
leads out of it, and no number in it decides on memory before it is held against the weights' own
sizes. What is not checked: docs/safety.md.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Annotated, Any, Literal, NoReturn, TypeVar

import transformers
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationError,
)
from pydantic_core import ErrorDetails, PydanticCustomError

from textlora.errors import ModelError
from textlora.model.tensors import (
    TensorHeader,
    check_headers,
    first_line,
    read_headers,
    refuse,
    short,
)

T = TypeVar("T")
STRICT = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)
MAX_CLASSES = 100_000
MAX_LENGTH = 1_000_000
_MAX_RANK = 4096
_MAX_ENTRIES = 10_000
_MAX_NAME = 256
_HUB_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,95}(/[A-Za-z0-9_][A-Za-z0-9._-]{0,95})?")
_REVISION = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._/+-]{0,254}")
# Without the characters of a regular expression, as which PEFT reads some names.
_MODULE = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")
_PISSA_STEPS = re.compile(r"pissa_niter_[0-9]{1,2}")
_UNSET: tuple[Any, ...] = (None, False, {}, [], "")


def is_base_name(value: Any) -> bool:
    """Return whether a value names a base: "bundled", a Hub id, or a folder by its full path.

    A relative path would mean another folder wherever the adapter is used, and a network path
    would ask a foreign machine.
    """
    if not isinstance(value, str) or "\0" in value or len(value) > _MAX_NAME * 16:
        return False
    if value.startswith(("//", "\\\\")):
        return False
    if PurePosixPath(value).is_absolute() or PureWindowsPath(value).is_absolute():
        return True
    return bool(_HUB_ID.fullmatch(value)) and ".." not in value


def _base_name(value: str) -> str:
    wanted = "it should be 'bundled', an id of the Hub or the full path of a folder"
    return _required(value, is_base_name(value), wanted)


def _revision(value: str) -> str:
    known = bool(_REVISION.fullmatch(value)) and ".." not in value
    return _required(value, known, "it should be a commit, tag or branch")


def _module(value: str) -> str:
    known = len(value) <= _MAX_NAME and bool(_MODULE.fullmatch(value))
    return _required(value, known, "it should be the name of a module")


def _initialisation(value: Any) -> Any:
    names = (True, False, "gaussian", "orthogonal", "olora", "pissa")
    known = any(type(value) is type(name) and value == name for name in names)
    steps = isinstance(value, str) and bool(_PISSA_STEPS.fullmatch(value))
    wanted = "it should be true, false, gaussian, orthogonal, olora, pissa or pissa_niter_N"
    return _required(value, known or steps, wanted)


def _required(value: T, known: bool, wanted: str) -> T:
    if not known:
        raise PydanticCustomError("not_wanted", wanted)  # type: ignore[arg-type]
    return value


BaseName = Annotated[str, AfterValidator(_base_name)]
Revision = Annotated[str, AfterValidator(_revision)]
_Module = Annotated[str, AfterValidator(_module)]
_Modules = Annotated[list[_Module], Field(max_length=_MAX_ENTRIES)]
_Layer = Annotated[int, Field(ge=0, le=1000)]
_Layers = Annotated[list[_Layer], Field(max_length=_MAX_ENTRIES)]
_Rank = Annotated[int, Field(ge=1, le=_MAX_RANK)]
_Alpha = Annotated[float, Field(ge=0, le=1e6)]


class _AutoMapping(BaseModel):
    # PEFT writes it where it knows no task type: with LoRA on the head, in a checkpoint.
    model_config = STRICT

    base_model_class: Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,99}$")]
    parent_library: Annotated[
        str, StringConstraints(pattern=r"^(transformers|textlora)(\.[a-z0-9_]+)*$")
    ]


class PeftSettings(BaseModel):
    """What `adapter_config.json` may say: PEFT's `LoraConfig`, versions 0.19 to 0.21.

    All that PEFT can do beyond this (quantisation, mixtures, replicated layers …) has to be unset.
    """

    model_config = ConfigDict({**STRICT, "extra": "ignore"})

    peft_type: Literal["LORA"]
    r: _Rank
    target_modules: _Modules
    task_type: Literal["SEQ_CLS"] | None = None
    auto_mapping: _AutoMapping | None = None
    peft_version: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.+@_-]{1,80}$")] | None = (
        None
    )
    base_model_name_or_path: BaseName | None = None
    revision: Revision | None = None
    inference_mode: bool = False
    lora_alpha: _Alpha = 8
    lora_dropout: Annotated[float, Field(ge=0, le=1)] = 0
    rank_pattern: Annotated[dict[_Module, _Rank], Field(max_length=_MAX_ENTRIES)] | None = None
    alpha_pattern: Annotated[dict[_Module, _Alpha], Field(max_length=_MAX_ENTRIES)] | None = None
    exclude_modules: _Modules | None = None
    modules_to_save: _Modules | None = None
    layers_to_transform: _Layer | _Layers | None = None
    layers_pattern: _Module | _Modules | None = None
    bias: Literal["none", "all", "lora_only"] = "none"
    use_rslora: bool = False
    use_dora: bool = False
    init_lora_weights: Annotated[Any, AfterValidator(_initialisation)] = True
    fan_in_fan_out: bool = False
    ensure_weight_tying: bool = False
    qalora_group_size: _Rank = 16  # without use_qalora it has no effect
    megatron_core: Literal["megatron.core"] | None = None  # nor has this without its settings


_PEFT_SETTINGS = TypeAdapter(PeftSettings)

CONFIG_FILE = "adapter_config.json"
WEIGHTS_FILE = "adapter_model.safetensors"

MIB = 2**20
_MAX_SETTINGS = 8 * MIB  # JSON that Python reads: it takes some twenty times that in memory
_MAX_TEXT_FILE = 64 * MIB  # the largest vocabularies in use take about 35 MiB
_MAX_FILES = 1000

# Formats that run code when they are loaded, or may; and programs.
_PICKLES = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib", ".dill", ".npy", ".npz")
_PROGRAMS = (".py", ".pyc", ".pyd", ".so", ".dll", ".dylib", ".h5", ".msgpack")
_TEXT_FILES = (".json", ".txt", ".model", ".jinja")
# Read by Transformers beside the tokenizer, where they are there.
_TOKENIZER_SETTINGS = (
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "config.json",
    "processor_config.json",
)
_CODE_KEYS = ("auto_map", "trust_remote_code", "custom_pipelines", "init_inputs")
_PATH_KEY = re.compile(r"_(file|files|path|dir|folder)$")
_NAME_KEYS = ("name_or_path", "_name_or_path")


@dataclass(frozen=True)
class CheckedAdapter:
    """An adapter folder that was looked at, and what it holds; no tensor is read yet.

    Args:
        folder: the folder.
        config: the values of its `adapter_config.json`.
        tensors: its tensors by PEFT's names.
    """

    folder: Path
    config: Mapping[str, Any]
    tensors: Mapping[str, TensorHeader]

    @property
    def weights(self) -> Path:
        """Its file of tensors."""
        return self.folder / WEIGHTS_FILE


def check_adapter_folder(folder: Path) -> CheckedAdapter:
    """Look at everything in an adapter folder that can be judged without its base.

    Raises:
        ModelError: a file is missing, damaged, or not what an adapter may have.
    """
    check_files(folder)
    for name in (WEIGHTS_FILE, CONFIG_FILE):
        if not (folder / name).is_file():
            raise ModelError(f"{folder}: {name} is missing.", "Give a complete adapter folder.")
    config = read_peft_settings(folder / CONFIG_FILE)
    check_tokenizer(folder)
    tensors = read_headers(folder / WEIGHTS_FILE)
    check_headers(tensors, config, folder / WEIGHTS_FILE)
    return CheckedAdapter(folder, config, tensors)


def check_files(folder: Path) -> None:
    """Refuse pickles, programs, links out of the folder, special files and oversized text files.

    Raises:
        ModelError: there is one.
    """
    root = folder.resolve()
    for number, path in enumerate(folder.rglob("*")):
        if number == _MAX_FILES:
            refuse(folder, f"it has more than {_MAX_FILES:,} files")
        if not _leads_to(path).is_relative_to(root):
            raise ModelError(
                f"{path}: this link leads out of the adapter folder.",
                "Put the file itself there (cp -L copies what links lead to).",
            )
        if path.is_dir():
            continue
        if not path.is_file():
            refuse(path, "this is not a plain file")
        suffix = path.suffix.lower()
        if suffix in _PICKLES:
            raise ModelError(
                f"{path}: a file of this kind can run code when it is loaded, and is never read.",
                f"Weights are read from {WEIGHTS_FILE} alone; remove it if you trust the rest.",
            )
        if suffix in _PROGRAMS:
            refuse(path, "an adapter has no code of its own")
        if suffix in _TEXT_FILES and path.stat().st_size > _MAX_TEXT_FILE:
            refuse(path, f"the file is larger than {_MAX_TEXT_FILE // MIB} MiB")


def check_tokenizer(folder: Path) -> None:
    """Refuse tokenizer settings that name code, a class of no tokenizer, or files elsewhere.

    Raises:
        ModelError: there are some.
    """
    for name in _TOKENIZER_SETTINGS:
        path = folder / name
        if not path.is_file():
            continue
        settings = read_settings(path)
        for key, value in _entries(settings):
            if key in _CODE_KEYS and value not in _UNSET:
                refuse(path, f"'{key}' asks for code to be run, which is never done")
            if _PATH_KEY.search(key) and not _is_plain_name(value):
                refuse(path, f"'{key}' names a file elsewhere")
            if key in _NAME_KEYS and value and not is_base_name(value):
                refuse(path, f"'{key}' is no name of a model")
        kind = settings.get("tokenizer_class")
        if kind is not None and not _is_tokenizer_class(kind):
            refuse(path, f"'tokenizer_class' is {short(kind)}, no tokenizer of Transformers")


def read_peft_settings(path: Path) -> dict[str, Any]:
    """Return what an `adapter_config.json` sets, without what it leaves unset and nobody knows.

    Raises:
        ModelError: a value is not what it may be, or a setting is unknown and set.
    """
    values = read_settings(path)
    known = {name: value for name, value in values.items() if name in PeftSettings.model_fields}
    validated(_PEFT_SETTINGS, known, path)
    for name, value in values.items():
        if name not in known and value not in _UNSET:
            refuse(path, f"the setting {short(name)} is not supported: textlora never writes it")
    return known


def validated(kind: TypeAdapter[T], values: Mapping[str, Any], path: Path) -> T:
    """Return the values of a JSON file as what they should be, nothing converted.

    Raises:
        ModelError: they are not; it names the file, the key and what is wrong.
    """
    try:
        found = kind.validate_json(json.dumps(values), strict=True)
    except ValidationError as error:
        first, *others = error.errors(include_url=False, include_input=False)
        # Of the branches of a union, none of which fits, the one that went the farthest.
        same = [first, *(other for other in others if other["loc"][:1] == first["loc"][:1])]
        _refuse_value(path, values, max(same, key=lambda each: len(each["loc"])))
    return found


def _refuse_value(path: Path, values: Mapping[str, Any], error: ErrorDetails) -> NoReturn:
    if not error["loc"]:
        refuse(path, f"the file is damaged ({error['msg']})")
    key, *inside = error["loc"]
    words = {"missing": "is missing", "unexpected_keyword_argument": "is unknown"}
    why = words.get(error["type"]) or error["msg"].replace("Input should", "it should")
    if error["type"] in words and not inside:
        refuse(path, f"'{key}' {why}, so the file is damaged or newer")
    # Without the branches of a union, which are no places in the file.
    named = [str(part) for part in inside if isinstance(part, int) or part.isidentifier()]
    place = f"{short('.'.join(named))} " if named else ""
    refuse(path, f"'{key}' is {short(values.get(str(key)))}; {place}{why}")


def read_settings(path: Path) -> dict[str, Any]:
    """Read a JSON file of a few settings.

    Raises:
        ModelError: it is missing, too large, or not JSON with an object at the top.
    """
    try:
        if path.stat().st_size > _MAX_SETTINGS:
            refuse(path, f"the file is larger than {_MAX_SETTINGS // MIB} MiB")
        values = json.loads(path.read_text(encoding="utf-8"), parse_constant=_no_constant)
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(
            f"{path}: the file cannot be read ({first_line(error)}).", "Restore it."
        ) from None
    if not isinstance(values, dict):
        refuse(path, "the file has no object at the top")
    return values


def _entries(values: Any) -> Iterator[tuple[str, Any]]:
    """Yield every key with its value, at any depth."""
    waiting = [values]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            yield from value.items()
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)


def _leads_to(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError):  # links in a circle
        return Path(path.anchor)


def _is_plain_name(value: Any) -> bool:
    if isinstance(value, list):
        return all(map(_is_plain_name, value))
    if value is None:
        return True
    return isinstance(value, str) and not re.search(r"[/\\\0]|^\.\.?$|^[A-Za-z]:", value)


def _is_tokenizer_class(name: Any) -> bool:
    # Transformers would take any class of its own by this name, models and pipelines too.
    if not isinstance(name, str) or not name.isidentifier():
        return False
    # Since version 5 a name that ends in Fast means the same class as without it.
    for known in (name, name.removesuffix("Fast")):
        kind = getattr(transformers, known, None)
        if isinstance(kind, type) and issubclass(kind, transformers.PreTrainedTokenizerBase):
            return True
    return False


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")
