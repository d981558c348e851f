"""The stand-in Hub satisfies the client code that is installed.

Loading runs in subprocesses, because the libraries read HF_ENDPOINT, HF_HOME and
HF_HUB_OFFLINE when they are imported. One of them loads everything online and another
everything offline: importing torch costs more than all the rest.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from huggingface_hub import HfApi, hf_hub_download
from huggingface_hub.errors import (
    EntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from .hub import StandInHub

MODEL = "distilbert-base-uncased"
DATASET = "shawhin/imdb-truncated"
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "good", "bad", "film", "##s"]
ROWS = {
    "train": [{"label": 1, "text": "a good film"}, {"label": 0, "text": "bad films"}],
    "validation": [{"label": 0, "text": "a bad film"}],
}
CARD = """---
configs:
- config_name: default
  data_files:
  - {split: train, path: data/train-*}
  - {split: validation, path: data/validation-*}
---
"""

LOAD = """
import json, sys
import datasets, torch, transformers
from transformers import AutoModel, AutoTokenizer

asked = json.load(sys.stdin)

def load(revision):
    model = AutoModel.from_pretrained(asked["model"], revision=revision)
    tokenizer = AutoTokenizer.from_pretrained(asked["model"], revision=revision)
    same = []
    for name, folder in asked["folders"].items():
        weights = AutoModel.from_pretrained(folder).state_dict()
        if all(torch.equal(weights[key], value) for key, value in model.state_dict().items()):
            same.append(name)
    return {"same_as": same, "ids": tokenizer("a good films")["input_ids"]}

def failure(call):
    try:
        call()
    except Exception as error:
        return f"{type(error).__name__}: {error}"

def rows(revision):
    return {
        split: datasets.load_dataset(asked["dataset"], split=split, revision=revision).to_list()
        for split in ("train", "validation")
    }

found = {"models": {name: load(name) for name in asked["revisions"]}}
if asked["everything"]:
    # Offline, datasets takes what was prepared last, whatever revision it is asked for.
    found["pinned_rows"] = rows(asked["pinned"])
found["rows"] = rows("main")
if asked["everything"]:
    found["no_model_revision"] = failure(lambda: load("v9"))
    found["no_dataset_revision"] = failure(lambda: rows("v9"))
print(json.dumps(found))
"""


@dataclass
class World:
    """A Hub with a model and a dataset, and what a process loaded from it."""

    hub: StandInHub
    folders: dict[str, Path]
    commits: dict[str, str]
    dataset_commits: dict[str, str]
    home: Path

    def load(self, *revisions: str, everything: bool, **environment: str) -> dict[str, Any]:
        """What a new process finds when it loads the model's revisions and the dataset."""
        asked = {
            "model": MODEL,
            "dataset": DATASET,
            "folders": {name: str(folder) for name, folder in self.folders.items()},
            "revisions": revisions,
            "pinned": self.dataset_commits["v1"],
            "everything": everything,
        }
        done = subprocess.run(
            [sys.executable, "-c", LOAD],
            input=json.dumps(asked),
            env=self.hub.environment(self.home, **environment),
            capture_output=True,
            text=True,
            timeout=180,
        )
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return found


def _build_model(folder: Path, seed: int) -> Path:
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import DistilBertConfig, DistilBertModel, PreTrainedTokenizerFast

    torch.manual_seed(seed)
    config = DistilBertConfig(vocab_size=len(WORDS), dim=32, n_layers=2, n_heads=2, hidden_dim=64)
    DistilBertModel(config).save_pretrained(folder)
    vocabulary = {word: index for index, word in enumerate(WORDS)}
    pieces = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    pieces.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=pieces, unk_token="[UNK]", pad_token="[PAD]"
    )
    tokenizer.save_pretrained(folder)
    return folder


def _build_dataset(folder: Path, rows: dict[str, list[dict[str, Any]]]) -> Path:
    import pyarrow
    from pyarrow import parquet

    (folder / "data").mkdir(parents=True)
    (folder / "README.md").write_text(CARD)
    for split, values in rows.items():
        file = folder / "data" / f"{split}-00000-of-00001.parquet"
        parquet.write_table(pyarrow.Table.from_pylist(values), file)
    return folder


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    root = tmp_path_factory.mktemp("hub")
    folders = {name: _build_model(root / name, seed) for seed, name in enumerate(("main", "v1"))}
    newest = _build_dataset(root / "imdb", ROWS)
    older = _build_dataset(root / "imdb-v1", {**ROWS, "train": ROWS["train"][:1]})
    with StandInHub(root) as hub:
        commits = hub.add_model(MODEL, folders["main"], revisions={"v1": folders["v1"]})
        dataset_commits = hub.add_dataset(DATASET, newest, revisions={"v1": older})
        yield World(hub, folders, commits, dataset_commits, root / "home")


@pytest.fixture(scope="module")
def online(world: World) -> dict[str, Any]:
    return world.load("main", "v1", world.commits["v1"], everything=True)


def test_a_model_loads_by_id_at_every_kind_of_revision(
    world: World, online: dict[str, Any]
) -> None:
    ids = [WORDS.index(word) for word in ("a", "good", "film", "##s")]
    assert online["models"] == {
        "main": {"same_as": ["main"], "ids": ids},
        "v1": {"same_as": ["v1"], "ids": ids},
        world.commits["v1"]: {"same_as": ["v1"], "ids": ids},
    }
    # Weights that were fetched once per commit, and not per name, were cached by their commit.
    fetched = [call for call in world.hub.requests if call[1].endswith("/model.safetensors")]
    assert [method for method, _ in fetched].count("GET") == len(world.folders)


def test_a_dataset_loads_by_id_split_by_split(online: dict[str, Any]) -> None:
    assert online["rows"] == ROWS
    assert online["pinned_rows"] == {**ROWS, "train": ROWS["train"][:1]}


def test_an_unknown_revision_fails_and_is_named(online: dict[str, Any]) -> None:
    assert online["no_model_revision"].startswith("OSError: v9 is not a valid git identifier")
    assert online["no_dataset_revision"] == (
        f"DatasetNotFoundError: Revision 'v9' doesn't exist for dataset '{DATASET}' on the Hub."
    )


@pytest.mark.usefixtures("online")
def test_what_was_loaded_once_loads_offline(world: World) -> None:
    before = len(world.hub.requests)
    offline = world.load("main", world.commits["v1"], everything=False, HF_HUB_OFFLINE="1")
    assert offline["models"]["main"]["same_as"] == ["main"]
    assert offline["models"][world.commits["v1"]]["same_as"] == ["v1"]
    assert offline["rows"] == ROWS
    assert world.hub.requests[before:] == []


@pytest.fixture
def small(tmp_path: Path) -> Iterator[tuple[StandInHub, dict[str, str]]]:
    folder = tmp_path / "model"
    for index in range(5):
        file = folder / "deep" / "er" / f"{index}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"file {index}")
    (folder / "config.json").write_text("{}")
    with StandInHub(tmp_path, page_size=2) as hub:
        yield hub, hub.add_model("owner/name", folder)


def test_listings_come_in_pages_and_tell_folders_from_files(
    small: tuple[StandInHub, dict[str, str]],
) -> None:
    hub, _ = small
    api = HfApi(endpoint=hub.url)
    top = {entry.path for entry in api.list_repo_tree("owner/name")}
    assert top == {"config.json", "deep"}
    inside = [f"deep/er/{index}.txt" for index in range(5)]
    assert sorted(api.list_repo_files("owner/name")) == ["config.json", *inside]
    assert [entry.path for entry in api.list_repo_tree("owner/name", "deep/er")] == inside
    known = api.get_paths_info("owner/name", ["deep", "config.json", "nothing"])
    assert [entry.path for entry in known] == ["deep", "config.json"]
    with pytest.raises(EntryNotFoundError):
        list(api.list_repo_tree("owner/name", "nothing"))


def test_missing_things_raise_what_the_true_hub_makes_clients_raise(
    small: tuple[StandInHub, dict[str, str]], tmp_path: Path
) -> None:
    hub, commits = small
    api = HfApi(endpoint=hub.url)
    with pytest.raises(RepositoryNotFoundError):
        api.model_info("owner/nothing")
    with pytest.raises(RepositoryNotFoundError):
        api.dataset_info("owner/name")
    with pytest.raises(RevisionNotFoundError):
        api.model_info("owner/name", revision="v9")
    with pytest.raises(EntryNotFoundError):
        hf_hub_download("owner/name", "nothing", endpoint=hub.url, cache_dir=tmp_path / "cache")
    assert list((tmp_path / "cache").glob(f"*/.no_exist/{commits['main']}/nothing"))


def test_old_ids_are_redirected_and_old_commits_stay(
    small: tuple[StandInHub, dict[str, str]], tmp_path: Path
) -> None:
    hub, commits = small
    hub.move("name", "owner/name")
    (tmp_path / "model" / "config.json").write_text('{"new": true}')
    renewed = hub.add_model("owner/name", tmp_path / "model")
    assert HfApi(endpoint=hub.url).model_info("name").sha == renewed["main"] != commits["main"]
    for revision, text in {"main": '{"new": true}', commits["main"]: "{}"}.items():
        cached = hf_hub_download(
            "name",
            "config.json",
            revision=revision,
            endpoint=hub.url,
            cache_dir=tmp_path / "cache",
        )
        assert Path(cached).read_text() == text


def test_part_of_a_file_can_be_asked_for(small: tuple[StandInHub, dict[str, str]]) -> None:
    hub, commits = small
    url = f"{hub.url}/owner/name/resolve/main/deep/er/3.txt"
    for wanted, body in {"0-3": b"file", "5-": b"3", "2-99": b"le 3"}.items():
        with urlopen(Request(url, headers={"Range": f"bytes={wanted}"})) as reply:
            assert (reply.status, reply.read()) == (206, body)
            assert reply.headers["X-Repo-Commit"] == commits["main"]
    assert hub.requests == [("GET", "/owner/name/resolve/main/deep/er/3.txt")] * 3
    with pytest.raises(HTTPError, match="416"):
        urlopen(Request(url, headers={"Range": "bytes=6-"}))
