"""What the values of an adapter's JSON files may be: one table a file.

`adapter_config.json` is PEFT's (its `LoraConfig`, versions 0.19 to 0.21): every key that PEFT
writes is listed, with what this package's own settings can make of it. All that PEFT can do beyond
them (other initialisations, quantisation, mixtures, replicated layers …) stays at its default.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, NoReturn

from textlora.data.tables import shortened
from textlora.errors import ModelError

MAX_RANK = 4096
MAX_CLASSES = 100_000
MAX_LENGTH = 1_000_000

_MAX_ENTRIES = 10_000
_MAX_NAME = 256
# Without the characters of a regular expression, as which PEFT reads some names.
_MODULE = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")
_HUB_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,95}(/[A-Za-z0-9_][A-Za-z0-9._-]{0,95})?")
_REVISION = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._/+-]{0,254}")
_VERSION = re.compile(r"[A-Za-z0-9.+@_-]{1,80}")
_PISSA_STEPS = re.compile(r"pissa_niter_[0-9]{1,2}")
_LIBRARY = re.compile(r"(transformers|textlora)(\.[a-z0-9_]+)*")
_CLASS = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")


@dataclass(frozen=True)
class Rule:
    """What one value may be.

    Args:
        accepts: whether a value is one of these.
        wanted: the same in words, after "must be".
    """

    accepts: Callable[[Any], bool]
    wanted: str


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


def one_of(*values: Any) -> Rule:
    """Return the rule that a value is one of these, with its very type."""
    return Rule(
        lambda value: any(type(value) is type(v) and value == v for v in values),
        " or ".join("null" if v is None else str(v).lower() for v in values),
    )


def refuse(path: Path, why: str) -> NoReturn:
    """Raise the error for a file that is not what an adapter may have."""
    raise ModelError(f"{path}: {why}.", "Use an adapter from a source that you trust.")


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, or its kind where it has none."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def short(value: Any) -> str:
    """Return a value as it stands in a message."""
    return shortened(repr(value), 80)


def _whole(low: int, high: int) -> Rule:
    return Rule(lambda value: _is_whole(value, low, high), f"a whole number from {low} to {high}")


def _number(low: float, high: float) -> Rule:
    return Rule(lambda value: _is_number(value, low, high), f"a number from {low:g} to {high:g}")


def _or_null(rule: Rule) -> Rule:
    return Rule(lambda value: value is None or rule.accepts(value), f"{rule.wanted} or null")


def _list_of(rule: Rule, what: str, entries: int = _MAX_ENTRIES) -> Rule:
    def accepts(value: Any) -> bool:
        return isinstance(value, list) and len(value) <= entries and all(map(rule.accepts, value))

    return Rule(accepts, f"a list of {what}")


def _by_module(rule: Rule) -> Rule:
    def accepts(value: Any) -> bool:
        return (
            isinstance(value, dict)
            and len(value) <= _MAX_ENTRIES
            and all(_is_module(name) and rule.accepts(entry) for name, entry in value.items())
        )

    return Rule(accepts, f"names of modules, each with {rule.wanted}")


def _fields(rules: Mapping[str, Rule], what: str) -> Rule:
    def accepts(value: Any) -> bool:
        return isinstance(value, dict) and all(
            name in rules and rules[name].accepts(entry) for name, entry in value.items()
        )

    return Rule(accepts, what)


def _is_whole(value: Any, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _is_number(value: Any, low: float, high: float) -> bool:
    known = isinstance(value, int | float) and not isinstance(value, bool)
    return known and math.isfinite(value) and low <= value <= high


def _is_module(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= _MAX_NAME and bool(_MODULE.fullmatch(value))


def _matches(pattern: re.Pattern[str], value: Any) -> bool:
    return isinstance(value, str) and bool(pattern.fullmatch(value))


def _is_init(value: Any) -> bool:
    if isinstance(value, bool):
        return True
    names = ("gaussian", "orthogonal", "olora", "pissa")
    return value in names or _matches(_PISSA_STEPS, value)


def _is_auto_mapping(value: Any) -> bool:
    # PEFT writes it where it knows no task type: with LoRA on the head, in a checkpoint.
    if value is None:
        return True
    return (
        isinstance(value, dict)
        and set(value) == {"base_model_class", "parent_library"}
        and _matches(_CLASS, value["base_model_class"])
        and _matches(_LIBRARY, value["parent_library"])
    )


_FLAG = one_of(True, False)
_OFF = one_of(False)
_UNSET = one_of(None)
_TEXT = Rule(lambda value: isinstance(value, str), "a text")
_BASE = Rule(is_base_name, "'bundled', an id of the Hub or the full path of a folder")
_VERSION_OF_BASE = Rule(
    lambda value: _matches(_REVISION, value) and ".." not in value, "a commit, tag or branch"
)
_MODULES = _list_of(Rule(_is_module, "a name"), "names of modules")
_LAYERS = _list_of(_whole(0, 1000), "layer numbers")
_RANK = _whole(1, MAX_RANK)
_ALPHA = _number(0, 1e6)

ADAPTER_CONFIG: Mapping[str, Rule] = {
    "peft_type": one_of("LORA"),
    "task_type": one_of("SEQ_CLS", None),
    "auto_mapping": Rule(_is_auto_mapping, "null, or a class of transformers"),
    "peft_version": _or_null(Rule(lambda value: _matches(_VERSION, value), "a version")),
    "base_model_name_or_path": _or_null(_BASE),
    "revision": _or_null(_VERSION_OF_BASE),
    "inference_mode": _FLAG,
    "r": _RANK,
    "lora_alpha": _ALPHA,
    "lora_dropout": _number(0, 1),
    "rank_pattern": _or_null(_by_module(_RANK)),
    "alpha_pattern": _or_null(_by_module(_ALPHA)),
    "target_modules": _MODULES,
    "exclude_modules": _or_null(_MODULES),
    "modules_to_save": _or_null(_MODULES),
    "layers_to_transform": Rule(
        lambda value: value is None or _is_whole(value, 0, 1000) or _LAYERS.accepts(value),
        "layer numbers or null",
    ),
    "layers_pattern": Rule(
        lambda value: value is None or _is_module(value) or _MODULES.accepts(value),
        "names of modules or null",
    ),
    "bias": one_of("none", "all", "lora_only"),
    "use_rslora": _FLAG,
    "use_dora": _FLAG,
    "init_lora_weights": Rule(
        _is_init, "true, false, gaussian, orthogonal, olora, pissa or pissa_niter_N"
    ),
    "fan_in_fan_out": _FLAG,
    "ensure_weight_tying": _FLAG,
    "lora_bias": _OFF,
    "use_qalora": _OFF,
    "qalora_group_size": _whole(1, MAX_RANK),  # without use_qalora it has no effect
    "megatron_core": one_of("megatron.core", None),
    "megatron_config": _UNSET,
    "loftq_config": one_of({}, None),
    "eva_config": _UNSET,
    "corda_config": _UNSET,
    "lora_ga_config": _UNSET,
    "velora_config": _UNSET,
    "monteclora_config": _UNSET,
    "kasa_config": _UNSET,
    "arrow_config": _UNSET,
    "use_bdlora": one_of(None, False),
    "alora_invocation_tokens": _UNSET,
    "trainable_token_indices": _UNSET,
    "target_parameters": _UNSET,
    "layer_replication": _UNSET,
}

_NUMBERS = _list_of(_number(-1e12, 1e12), "numbers", MAX_CLASSES)

_LABELS = _list_of(
    Rule(lambda value: isinstance(value, str | int), "a text or number"),
    "texts and whole numbers",
    MAX_CLASSES,
)
CLASSIFIER: Mapping[str, Rule] = {
    "format": _whole(0, 1000),
    "backbone": _fields(
        {"name_or_path": _BASE, "revision": _or_null(_VERSION_OF_BASE)},
        f"name_or_path ({_BASE.wanted}) and revision ({_VERSION_OF_BASE.wanted}, or null)",
    ),
    "head": _fields(
        {
            "kind": one_of("auto", "mlp", "linear"),
            "pooling": one_of("cls", "mean"),
            "loss": one_of("cross_entropy", "bce"),
            "num_labels": _whole(1, MAX_CLASSES),
            "multi_label": _FLAG,
        },
        "a head: kind, pooling, loss, num_labels and multi_label",
    ),
    "label_names": _list_of(_TEXT, "texts", MAX_CLASSES),
    "label_values": _LABELS,
    "merged_labels": _LABELS,
    "max_length": _whole(1, MAX_LENGTH),
    "truncation_side": one_of("left", "right", "head+tail"),
    "strip_html": _FLAG,
    "temperature": _number(1e-6, 1e6),
    "decision": _fields(
        {
            "thresholds": _or_null(_NUMBERS),
            "costs": _or_null(_list_of(_NUMBERS, "lists of numbers", MAX_CLASSES)),
            "min_confidence": _or_null(_number(0, 1)),
        },
        "a rule: thresholds, costs and min_confidence",
    ),
    "head_share": _number(0, 1),
    "long_texts": one_of("truncate", "windows"),
    "window_stride": _whole(0, MAX_LENGTH),
    "window_pooling": one_of("mean", "max"),
    "max_windows": _whole(1, MAX_LENGTH),
}
