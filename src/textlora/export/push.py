"""A run's adapter on the Hugging Face Hub, with a full model card and without a single text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import CommitOperationAdd, HfApi, get_token
from huggingface_hub.errors import HfHubHTTPError, HFValidationError

from textlora.config import BUNDLED_MODEL
from textlora.errors import ConfigError, ModelError, RunError, TextloraError
from textlora.files import RunFolder, read_json
from textlora.inference.predictor import adapter_folder
from textlora.inspection import Inspection
from textlora.metrics.classification import ClassificationMetrics
from textlora.model.card import Circumstances, model_card, public_name
from textlora.model.spec import FILE_NAME, ClassifierSpec
from textlora.recipes import load_recipe
from textlora.report.verdict import Verdict
from textlora.report.wording import size

CARD = "README.md"
ADAPTER_CONFIG = "adapter_config.json"
# Named one by one: whatever else lies in the folder stays at home.
FILES = (
    *(ADAPTER_CONFIG, "adapter_model.safetensors", FILE_NAME),
    *("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"),
    *("vocab.txt", "vocab.json", "merges.txt", "spiece.model", "tokenizer.model"),
)
_REPO = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_HTTP_CLIENTS = ("httpx", "httpx2")
_LOGIN = "Log in with `hf auth login`, or set HF_TOKEN to a token that may write."


@dataclass(frozen=True)
class Package:
    """What is to be uploaded.

    Args:
        repo: its name on the Hub, "owner/name".
        files: the content of every file, by name.
        left_out: files of the adapter's folder that are not sent.
        warning: what its users will run into; None: nothing.
    """

    repo: str
    files: Mapping[str, bytes]
    left_out: tuple[str, ...]
    warning: str | None

    @property
    def card(self) -> str:
        """The model card."""
        return self.files[CARD].decode()

    def listing(self) -> list[tuple[str, str]]:
        """Return names and sizes in words."""
        return [(name, size(len(content))) for name, content in self.files.items()]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that JSON can hold."""
        sizes = {name: len(content) for name, content in self.files.items()}
        return {
            "repo": self.repo,
            "files": sizes,
            "left_out": list(self.left_out),
            "warning": self.warning,
            "card": self.card,
        }


@dataclass(frozen=True)
class Pushed:
    """A finished upload.

    Args:
        url: the model's page.
        commit: its commit.
        private: what it was made as; None: the repository was there before, and is as it was.
    """

    url: str
    commit: str
    private: bool | None


def prepare(path: Path, repo: str) -> Package:
    """Put together what a run's adapter is uploaded as; nothing is sent.

    Paths of this machine are taken out: a base that is a local folder is named by its last name.

    Args:
        path: the run's folder.
        repo: "owner/name".

    Raises:
        ConfigError: that is no name for a repository.
        RunError: the run is missing, unfinished or damaged.
        ModelError: its adapter is damaged.
    """
    if not _REPO.fullmatch(repo):
        raise ConfigError(f"'{repo}' is no name of a model on the Hub.", "Give owner/name.")
    run = RunFolder(path)
    run.require_finished()
    folder = adapter_folder(path)
    spec = ClassifierSpec.load(folder)
    files = {name: (folder / name).read_bytes() for name in FILES if (folder / name).is_file()}
    for needed in FILES[:3]:
        if needed not in files:
            raise ModelError(f"{folder}: {needed} is missing.", "Restore it, or train again.")
    if spec.backbone.is_local:
        settings = json.loads(files[ADAPTER_CONFIG])
        settings["base_model_name_or_path"] = public_name(spec.backbone)
        files[ADAPTER_CONFIG] = _json(settings)
    if _is_folder_of_this_machine(spec):
        described = json.loads(files[FILE_NAME])
        described["backbone"]["name_or_path"] = public_name(spec.backbone)
        files[FILE_NAME] = _json(described)
    files[CARD] = _card(run, spec, repo).encode()
    left_out = sorted(file.name for file in folder.iterdir() if file.name not in files)
    return Package(repo, files, tuple(left_out), _warning(spec))


def send(package: Package, *, private: bool) -> Pushed:
    """Make the repository where there is none, and upload everything as one commit.

    Args:
        package: what `prepare` put together.
        private: who may see a repository that is made new; one that is there keeps its own.

    Raises:
        ConfigError: there is no token, or it may not write there.
        RunError: the Hub is out of reach, or refuses.
    """
    if get_token() is None:
        raise ConfigError("There is no token for the Hugging Face Hub.", _LOGIN)
    api = HfApi()
    operations = [CommitOperationAdd(name, content) for name, content in package.files.items()]
    with _hub_errors(package.repo, api.endpoint):
        there = api.repo_exists(package.repo)
        url = api.create_repo(package.repo, private=private, exist_ok=True)
        commit = api.create_commit(
            package.repo, operations, commit_message="Upload a textlora adapter"
        )
    return Pushed(str(url), str(commit.oid), None if there else private)


def _is_folder_of_this_machine(spec: ClassifierSpec) -> bool:
    return spec.backbone.is_local and spec.backbone.name_or_path != BUNDLED_MODEL


def _warning(spec: ClassifierSpec) -> str | None:
    if not _is_folder_of_this_machine(spec):
        return None
    return (
        f"The base, {public_name(spec.backbone)}, is a folder of this machine: nobody else can "
        "load this adapter. `textlora export RUN --to merged` has the base in it."
    )


def _card(run: RunFolder, spec: ClassifierSpec, repo: str) -> str:
    config = load_recipe(str(run.config)).config()
    try:
        values = read_json(run.metrics)
        figures = {
            part: ClassificationMetrics.from_dict(each) for part, each in values["parts"].items()
        }
        training = values["training"]
        parameters = (int(training["trainable_parameters"]), int(training["total_parameters"]))
        rows: dict[str, dict[str, int]] = {}
        if run.inspection.is_file():
            rows = Inspection.from_dict(read_json(run.inspection)).class_rows
        verdict = Verdict.from_dict(read_json(run.verdict)) if run.verdict.is_file() else None
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(
            f"{run.path}: the run's figures cannot be read ({error}).", "Train it again."
        ) from error
    known = Circumstances(
        rows=rows,
        verdict=verdict.sentence if verdict else None,
        notes=verdict.notes if verdict else (),
        parameters=parameters,
        repo=repo,
    )
    return model_card(spec, config, figures, known)


def _json(values: Any) -> bytes:
    return (json.dumps(values, indent=2, ensure_ascii=False) + "\n").encode()


@contextmanager
def _hub_errors(repo: str, endpoint: str) -> Iterator[None]:
    """Turn what goes wrong between here and the Hub into one message."""
    try:
        yield
    except TextloraError:
        raise
    except HFValidationError as error:
        raise ConfigError(f"{repo}: the Hub does not take this name.", "Choose another.") from error
    except HfHubHTTPError as error:
        status = error.response.status_code if error.response is not None else None
        if status == 401:
            raise ConfigError(f"{endpoint} does not accept the token.", _LOGIN) from error
        if status in (403, 404):
            raise ConfigError(
                f"{repo}: the token may not write there.",
                "Use a token with the right to write, and an owner that you are or belong to.",
            ) from error
        said = error.server_message or f"status {status}"
        raise RunError(f"{repo}: the Hub refused the upload ({said}).", "Try again.") from error
    except Exception as error:
        # huggingface_hub lets its HTTP client's own errors through, whichever client it has.
        package = type(error).__module__.partition(".")[0]
        if not isinstance(error, OSError) and package not in _HTTP_CLIENTS:
            raise
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise RunError(
            f"{endpoint} is out of reach ({first}).",
            "Check the network, HF_ENDPOINT and HF_HUB_OFFLINE; --dry-run needs none.",
        ) from error
