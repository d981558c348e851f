"""Where a pretrained encoder comes from: the Hub, a local folder, or the bundled one.

The only module that asks `transformers` to load or build something by name.
Weights are read from safetensors files only, and no code is taken from a repository.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from huggingface_hub import snapshot_download
from huggingface_hub.errors import (
    HFValidationError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DistilBertConfig,
    PretrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    RobertaConfig,
)
from transformers.utils import logging as transformers_logging

from textlora.config import BUNDLED_MODEL, DEFAULT_MODEL
from textlora.errors import ModelError
from textlora.model.architectures import max_positions
from textlora.model.bundled import bundled_config, bundled_folder
from textlora.model.safety import BaseName, Revision, read_settings

PAD_TOKEN = "[PAD]"  # noqa: S105
CONFIG_NAME = "config.json"
TOKENIZER_FILES = ("tokenizer.json", "vocab.txt", "vocab.json", "spiece.model", "tokenizer.model")
MODEL_FILES = ("*.json", "*.txt", "*.model", "*.safetensors")
DEFAULT_MAX_LENGTH = 512
MAX_ADDED_TOKENS = 1000  # beyond the model's own rows: these are random, and are not saved

# The published configurations of the checkpoints that recipes name, so that a
# recipe can be checked without a download.
KNOWN_CONFIGS: dict[str, Callable[[], PretrainedConfig]] = {
    DEFAULT_MODEL: DistilBertConfig,
    BUNDLED_MODEL: bundled_config,
    "roberta-base": lambda: RobertaConfig(
        max_position_embeddings=514, type_vocab_size=1, layer_norm_eps=1e-5
    ),
}


@dataclass(frozen=True)
class Backbone:
    """A pretrained encoder by name.

    Args:
        name_or_path: Hub id, local folder, or "bundled".
        revision: commit, tag or branch on the Hub.
    """

    name_or_path: BaseName
    revision: Revision | None = None

    @property
    def is_local(self) -> bool:
        """Whether the name is the bundled encoder or a folder, and the Hub is not asked."""
        if self.name_or_path == BUNDLED_MODEL or Path(self.name_or_path).expanduser().is_dir():
            return True
        looks_like_path = self.name_or_path.startswith((".", "/", "~"))
        return looks_like_path or self.name_or_path.count("/") > 1

    def absolute(self) -> Backbone:
        """Return the same with the full path of a local folder, to be found from anywhere."""
        if not self.is_local or self.name_or_path == BUNDLED_MODEL:
            return self
        return replace(self, name_or_path=str(Path(self.name_or_path).expanduser().absolute()))

    def reference(self) -> str:
        """Return what an adapter names as its base: the Hub id, or the local folder."""
        return str(self.folder()) if self.is_local else self.name_or_path

    def folder(self) -> Path:
        """Return the local folder of the model, fetching it from the Hub where it comes from there.

        Raises:
            ModelError: there is no model of this name, or the Hub is out of reach.
        """
        if self.name_or_path == BUNDLED_MODEL:
            return bundled_folder()
        if not self.is_local:
            return _snapshot(self.name_or_path, self.revision)
        path = Path(self.name_or_path).expanduser().absolute()
        if not path.is_dir():
            raise ModelError(f"{path}: there is no such folder.", "Check --model.")
        if not (path / CONFIG_NAME).is_file():
            raise ModelError(
                f"{path}: there is no model in this folder ({CONFIG_NAME} is missing).",
                "Give a folder written by save_pretrained.",
            )
        return path

    def load_tokenizer(self) -> PreTrainedTokenizerBase:
        """Return the tokenizer, with a pad token (added where it has none)."""
        # Without these files transformers makes up a tokenizer that knows no word.
        if not any((self.folder() / name).is_file() for name in TOKENIZER_FILES):
            raise ModelError(
                f"{self.name_or_path}: there is no tokenizer beside the model.",
                f"One of these files is needed: {', '.join(TOKENIZER_FILES)}.",
            )
        tokenizer = self._load(AutoTokenizer.from_pretrained, "tokenizer")
        if tokenizer.pad_token is None:
            tokenizer.add_special_tokens({"pad_token": PAD_TOKEN})
        return tokenizer  # type: ignore[no-any-return]

    def load_config(self) -> PretrainedConfig:
        """Return the encoder's configuration."""
        return self._load(AutoConfig.from_pretrained, "configuration")  # type: ignore[no-any-return]

    def load_encoder(self) -> PreTrainedModel:
        """Return the encoder without a head, in fp32."""
        return self._load(  # type: ignore[no-any-return]
            AutoModel.from_pretrained, "model", use_safetensors=True, dtype="float32"
        )

    def load_classifier(self, **config: Any) -> tuple[PreTrainedModel, list[str]]:
        """Return the architecture's own classifier, in fp32, and its newly initialised weights.

        Args:
            config: values for the model's configuration (`num_labels`, `id2label` …).
        """
        model, info = self._load(
            AutoModelForSequenceClassification.from_pretrained,
            "model",
            use_safetensors=True,
            dtype="float32",
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # a checkpoint may carry another task's head
            **config,
        )
        new = set(info["missing_keys"]) | {entry[0] for entry in info["mismatched_keys"]}
        return model, sorted(new)

    def known_config(self) -> PretrainedConfig:
        """Return the configuration without a download where the name is a well-known one."""
        known = KNOWN_CONFIGS.get(self.name_or_path)
        return known() if known is not None else self.load_config()

    def _load(self, loader: Callable[..., Any], what: str, **kwargs: Any) -> Any:
        folder = self.folder()
        _require_own_kernels(folder)
        # transformers' own load report lists the new head's weights as a warning at every start.
        verbosity = transformers_logging.get_verbosity()
        bars = transformers_logging.is_progress_bar_enabled()
        transformers_logging.set_verbosity_error()
        transformers_logging.disable_progress_bar()
        try:
            return loader(folder, trust_remote_code=False, local_files_only=True, **kwargs)
        except (OSError, ValueError, KeyError) as error:
            first = str(error).strip().splitlines()[0]
            raise ModelError(
                f"{self.name_or_path}: the {what} cannot be loaded ({first}).",
                "The model needs config.json, a tokenizer and weights as model.safetensors.",
            ) from error
        finally:
            transformers_logging.set_verbosity(verbosity)
            if bars:
                transformers_logging.enable_progress_bar()


def _require_own_kernels(folder: Path) -> None:
    # Transformers would fetch a kernel, which is a program, from the Hub by these.
    settings = read_settings(folder / CONFIG_NAME)
    for key in ("attn_implementation", "_attn_implementation", "experts_implementation"):
        value = settings.get(key)
        if value is not None and not (isinstance(value, str) and value.isidentifier()):
            raise ModelError(
                f"{folder / CONFIG_NAME}: '{key}' asks for code from elsewhere to be run.",
                "Remove it from the file: Transformers' own is used.",
            )


def resize_embeddings(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> bool:
    """Add embedding rows where the tokenizer has more tokens than the model.

    The rows of added pad tokens are never attended to, so they need not be saved.

    Returns:
        Whether rows were added.

    Raises:
        ModelError: so many are missing that the tokenizer is not the model's.
    """
    model.config.pad_token_id = tokenizer.pad_token_id
    rows = model.get_input_embeddings().weight.shape[0]
    if len(tokenizer) <= rows:
        return False
    if len(tokenizer) > rows + MAX_ADDED_TOKENS:
        raise ModelError(
            f"The tokenizer has {len(tokenizer):,} tokens, and the model knows {rows:,}: "
            "they do not belong together.",
            "Use the model's own tokenizer.",
        )
    model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    return True


def resolve_max_length(asked: int | None, config: PretrainedConfig, tokenizer: Any = None) -> int:
    """Return how many tokens a text may have.

    Args:
        asked: the user's setting, or None for as many as the model takes, at most 512.
        config: the encoder's configuration.
        tokenizer: its tokenizer, which may set a lower limit.

    Raises:
        ModelError: more was asked for than the model takes.
    """
    limits = [max_positions(config), getattr(tokenizer, "model_max_length", None)]
    limit = min((int(value) for value in limits if value), default=DEFAULT_MAX_LENGTH)
    if asked is None:
        return min(limit, DEFAULT_MAX_LENGTH)
    if asked > limit:
        raise ModelError(
            f"data.max_length={asked}: this model takes at most {limit} tokens.",
            f"Set data.max_length to {limit} or less.",
        )
    return asked


@cache
def _snapshot(name: str, revision: str | None) -> Path:
    # Cached: one start asks for the same model several times, and each time the Hub.
    # from_pretrained waits up to 46 s before it gives up on a Hub that is out of
    # reach; a snapshot fails at once, and falls back to the cache by revision.
    try:
        return Path(snapshot_download(name, revision=revision, allow_patterns=list(MODEL_FILES)))
    except RevisionNotFoundError as error:
        raise ModelError(
            f"{name}: there is no revision '{revision}' on the Hub.",
            "Check model.revision.",
        ) from error
    except RepositoryNotFoundError as error:
        raise ModelError(
            f"{name}: there is no such model on the Hub, and no such folder.",
            "Check the spelling of --model; private models need HF_TOKEN.",
        ) from error
    except HFValidationError as error:
        raise ModelError(
            f"{name}: this is neither a folder nor a Hub id.", "Check --model."
        ) from error
    except OSError as error:
        raise ModelError(
            f"{name}: the Hugging Face Hub is out of reach, "
            "and the model is not in the local cache.",
            "Three ways out: --model bundled works offline; --model FOLDER takes a local copy; "
            "HF_HOME names a filled cache and HF_ENDPOINT a mirror.",
        ) from error
