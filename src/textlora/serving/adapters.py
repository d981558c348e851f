"""The adapters by name, and what runs their batches: a base that many share, or its own model."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from textlora.config import Precision
from textlora.data.rows import readable_texts
from textlora.data.tokenizing import Tokenization, TokenizedTexts
from textlora.data.truncation import Truncation
from textlora.errors import ConfigError, ModelError, TextloraError
from textlora.inference.logits import Logits, score
from textlora.inference.predictor import Predictor, adapter_folder, load_tokenizer, trained_with
from textlora.model.backends import UnsupportedError, shared_base
from textlora.model.backends.plain import TokenIds
from textlora.model.encoders import Backbone
from textlora.model.spec import ClassifierSpec
from textlora.serving.schemas import RefusedError

if TYPE_CHECKING:
    from textlora.model.backends.multi_lora import BoundAdapter, SharedBase

Work = Sequence[tuple[Any, Sequence[TokenIds]]]
"""Adapters as the engine knows them, each with its sequences."""


class Engine(Protocol):
    """Computes logits; its adapters may be mixed in a batch."""

    @property
    def description(self) -> str:
        """How it computes."""
        ...

    def logits(self, work: Work) -> list[Logits]:
        """Return the logits of every adapter's sequences, [its sequences, units] in fp32."""
        ...


class SharedEngine:
    """A base on the fast path, with the updates and heads of its adapters.

    Args:
        base: the base.
    """

    def __init__(self, base: SharedBase) -> None:
        self.base = base

    @property
    def description(self) -> str:
        """How it computes."""
        return self.base.forward.description

    def logits(self, work: Sequence[tuple[BoundAdapter, Sequence[TokenIds]]]) -> list[Logits]:
        """Return logits; see `Engine.logits`."""
        return [logits.numpy() for logits in self.base.logits(work)]


class OwnEngine:
    """A whole model for one adapter: where the fast path, or sharing, does not have it.

    Args:
        predictor: the model.
    """

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor

    @property
    def description(self) -> str:
        """How it computes."""
        return f"{self._predictor.forward.name}, a model of its own"

    def logits(self, work: Work) -> list[Logits]:
        """Return logits; see `Engine.logits`."""
        predictor = self._predictor
        return [score(predictor.model, predictor.forward, sequences) for _, sequences in work]


# No slash, no dot in front, nothing that a path, a URL or a log line could misread.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json")
Side = Literal["left", "right"]


@dataclass(frozen=True, eq=False)
class ServedAdapter:
    """An adapter that answers.

    Args:
        name: what requests call it.
        spec: its description.
        tokenization: its tokenizer, shared with others that have the same.
        engine: what runs it.
        weights: itself, as the engine knows it.
        size: bytes of its own tensors; None where it has a whole model of its own.
        fixed: whether it was named at the start.
    """

    name: str
    spec: ClassifierSpec
    tokenization: Tokenization
    engine: Engine
    weights: Any
    size: int | None
    fixed: bool

    def sequences(self, texts: Sequence[str], side: Side | None = None) -> TokenizedTexts:
        """Return the token ids of texts, prepared as in training.

        Args:
            texts: the texts.
            side: the end at which a long text is to lose tokens; None: as in training.

        Raises:
            DataError: a text has nothing in it.
        """
        texts = readable_texts(texts, self.spec.strip_html)
        cut = self.spec.cut
        if side is not None:
            cut = Truncation(self.spec.max_length, side, self.spec.head_share)
        return self.tokenization(texts, cut)


@dataclass(frozen=True)
class _BaseKey:
    """What adapters must have in common to share a base."""

    backbone: Backbone
    tokenizer: str
    precision: Precision


class Registry:
    """The adapters that are served, and the bases under them.

    Reading is free for every thread; adapters are loaded and removed one at a time.

    Args:
        precision: of the frozen products; None: as each run was trained.
        folder: from where adapters may be loaded at run time; None: from nowhere.
    """

    def __init__(self, precision: Precision | None, folder: Path | None) -> None:
        self._precision = precision
        self._folder = folder
        self._adapters: dict[str, ServedAdapter] = {}
        self._named: dict[str, Path] = {}
        self._engines: dict[_BaseKey, SharedEngine] = {}
        self._tokenizations: dict[str, Tokenization] = {}
        self._changing = threading.Lock()

    @property
    def adapters(self) -> dict[str, ServedAdapter]:
        """All adapters by name; the first is the default."""
        return dict(self._adapters)

    def get(self, name: str | None) -> ServedAdapter:
        """Return an adapter; None: the default.

        Raises:
            RefusedError: there is none of that name.
        """
        if name is None:
            return next(iter(self._adapters.values()))
        found = self._adapters.get(name)
        if found is None:
            raise RefusedError(404, "not_found", "There is no such adapter; see GET /adapters.")
        return found

    def add(self, name: str, path: Path) -> ServedAdapter:
        """Load a run or adapter folder that was named at the start, on a base of its own choice.

        Raises:
            TextloraError: the name is taken or no name, or the adapter cannot be loaded.
        """
        if not NAME.fullmatch(name):
            raise ConfigError(
                f"'{name}' is no name for an adapter: letters, digits, '.', '_' and '-' make one.",
                "Give it one: textlora serve NAME=RUN",
            )
        with self._changing:
            if name in self._adapters:
                raise ConfigError(
                    f"Two adapters are called '{name}'.", "Give one a name: textlora serve NAME=RUN"
                )
            adapter = self._put(name, self._load(name, path, fixed=True))
            self._named[name] = path
            return adapter

    def load(self, name: str) -> ServedAdapter:
        """Load the adapter of that name from the allowed folder; where it is loaded, again.

        Raises:
            RefusedError: there is none, it may not be loaded, or its base is not served.
        """
        folder = self._allowed(name)
        with self._changing:
            known = self._adapters.get(name)
            if known is not None and known.fixed:
                raise RefusedError(
                    409, "conflict", "This adapter was named at the start and stays."
                )
            try:
                return self._put(name, self._load(name, folder, fixed=False))
            except TextloraError as error:
                # Paths of this machine are for the log, not for the network.
                problem = error.problem.replace(str(folder), name)
                raise RefusedError(409, "adapter", problem) from error

    def remove(self, name: str) -> None:
        """Let go of an adapter; requests that have it already are answered.

        Raises:
            RefusedError: there is none, or it was named at the start.
        """
        with self._changing:
            if self.get(name).fixed:
                raise RefusedError(
                    409, "conflict", "This adapter was named at the start and stays."
                )
            self._adapters = {k: v for k, v in self._adapters.items() if k != name}

    @contextmanager
    def reading(self, name: str) -> Iterator[Path]:
        """Hand out the folder of an adapter; while it is read, no other is.

        Raises:
            RefusedError: there is no such adapter, or its folder is gone.
        """
        with self._changing:
            yield self._named[name] if self.get(name).fixed else self._allowed(name)

    def available(self) -> list[str]:
        """Return the names in the allowed folder that could be loaded."""
        if self._folder is None or not self._folder.is_dir():
            return []
        return sorted(
            entry.name
            for entry in self._folder.iterdir()
            if NAME.fullmatch(entry.name) and entry.is_dir()
        )

    def _put(self, name: str, adapter: ServedAdapter) -> ServedAdapter:
        self._adapters = {**self._adapters, name: adapter}
        return adapter

    def _allowed(self, name: str) -> Path:
        if self._folder is None:
            raise RefusedError(403, "forbidden", "There is no --adapters folder to load from.")
        root = self._folder.resolve()
        if NAME.fullmatch(name) and (root / name).is_dir():
            folder = (root / name).resolve()
            files = [folder, *folder.rglob("*")]
            if all(file.resolve().is_relative_to(root / name) for file in files):
                return folder
        raise RefusedError(404, "not_found", "There is no such adapter in the folder of adapters.")

    def _load(self, name: str, path: Path, *, fixed: bool) -> ServedAdapter:
        folder = adapter_folder(path)
        spec = ClassifierSpec.load(folder)
        tokenization = self._tokenization(folder)
        tokenization.check(spec.cut)
        compute = trained_with(path)
        precision = self._precision or compute.precision
        key = _BaseKey(spec.backbone, _digest(folder), precision)
        try:
            if compute.path == "plain":
                raise UnsupportedError("its run was trained with compute.path=plain")
            engine = self._engine(key, folder, may_be_new=fixed)
            spec.require_positions(engine.base.max_positions)
            weights = engine.base.load(folder, spec.head)
        except UnsupportedError as error:
            if not fixed:
                raise ModelError(
                    f"{folder}: {error}, so it needs a model of its own.",
                    "Name it at the start: textlora serve RUN",
                ) from None
            own = OwnEngine(
                Predictor.load(path, compute.model_copy(update={"precision": precision}))
            )
            return ServedAdapter(name, spec, tokenization, own, None, None, fixed)
        size = engine.base.size(weights)
        return ServedAdapter(name, spec, tokenization, engine, weights, size, fixed)

    def _engine(self, key: _BaseKey, folder: Path, *, may_be_new: bool) -> SharedEngine:
        if key not in self._engines:
            same = [k for k in self._engines if replace(k, precision=key.precision) == key]
            if not may_be_new and same:
                return self._engines[same[0]]
            if not may_be_new:
                raise ModelError(
                    f"{folder}: its base, with its tokenizer, is none that is served.",
                    "Name it at the start: textlora serve RUN",
                )
            base = shared_base(key.backbone, load_tokenizer(folder), key.precision)
            self._engines[key] = SharedEngine(base)
        return self._engines[key]

    def _tokenization(self, folder: Path) -> Tokenization:
        digest = _digest(folder)
        if digest not in self._tokenizations:
            self._tokenizations[digest] = Tokenization(load_tokenizer(folder))
        return self._tokenizations[digest]


def _digest(folder: Path) -> str:
    """Return the SHA-256 of a folder's tokenizer files."""
    digest = hashlib.sha256()
    for name in _TOKENIZER_FILES:
        file = folder / name
        content = file.read_bytes() if file.is_file() else b""
        digest.update(len(content).to_bytes(8, "little") + content)
    return digest.hexdigest()
