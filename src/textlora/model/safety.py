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
from pathlib import Path
from typing import Any, NoReturn

import transformers

from textlora.errors import ModelError
from textlora.model.rules import ADAPTER_CONFIG, Rule, first_line, is_base_name, refuse, short
from textlora.model.tensors import TensorHeader, check_headers, read_headers

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
    config = read_settings(folder / CONFIG_FILE)
    for required in ("peft_type", "r", "target_modules"):
        if required not in config:
            refuse(folder / CONFIG_FILE, f"'{required}' is missing")
    check_values(config, ADAPTER_CONFIG, folder / CONFIG_FILE)
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
            if key in _CODE_KEYS and value not in (None, False, {}, [], ()):
                refuse(path, f"'{key}' asks for code to be run, which is never done")
            if _PATH_KEY.search(key) and not _is_plain_name(value):
                refuse(path, f"'{key}' names a file elsewhere")
            if key in _NAME_KEYS and value and not is_base_name(value):
                refuse(path, f"'{key}' is no name of a model")
        kind = settings.get("tokenizer_class")
        if kind is not None and not _is_tokenizer_class(kind):
            refuse(path, f"'tokenizer_class' is {short(kind)}, no tokenizer of Transformers")


def check_values(values: Mapping[str, Any], rules: Mapping[str, Rule], path: Path) -> None:
    """Hold values against a table; keys that it does not have must be unset.

    Raises:
        ModelError: a value is not what it must be.
    """
    for key, value in values.items():
        rule = rules.get(key)
        if rule is None and value not in (None, False, {}, [], ""):
            refuse(path, f"the setting {short(key)} is unknown, so the file is damaged or newer")
        if rule is not None and not rule.accepts(value):
            refuse(path, f"'{key}' is {short(value)}; it must be {rule.wanted}")


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
