"""Datasets of the Hub: the real code path against a stand-in, and without any Hub.

HF_ENDPOINT and HF_HOME are read when huggingface_hub is imported, so every
situation has a process of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from textlora.config import DataConfig
from textlora.data import ReadOptions, load_parts, read_table
from textlora.errors import DataError, StorageError

from .hub_standin import NAME, standin_hub

_SCRIPT = """
import json, sys
from textlora.data import ReadOptions, read_table
from textlora.errors import DataError

for name, options in json.loads(sys.argv[1]):
    try:
        table = read_table(name, ReadOptions(**options))
        answer = [table.source, table.texts, table.labels]
    except DataError as error:
        answer = str(error)
    print("ANSWER", json.dumps(answer))
"""


def read_in_process(requests: list[tuple[str, dict[str, str]]], **environment: str) -> list[Any]:
    """Read tables in a new process; return source, texts and labels, or the message."""
    source = str(Path(__file__).parents[2] / "src")
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, json.dumps(requests)],
        env={**os.environ, "PYTHONPATH": source, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("ANSWER ")]
    return [json.loads(line.removeprefix("ANSWER ")) for line in lines]


@pytest.fixture(scope="module")
def hub_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hf")


@pytest.fixture(scope="module")
def online(hub_home: Path) -> dict[str, Any]:
    """Return what each request got from the stand-in."""
    requests = {
        "train": (NAME, {}),
        "test": (NAME, {"split": "test"}),
        "pinned": (NAME, {"dataset_revision": "v1"}),
        "revision": (NAME, {"dataset_revision": "v9"}),
        "split": (NAME, {"split": "dev"}),
        "config": (NAME, {"dataset_config": "small"}),
        "name": ("owner/revuews", {}),
    }
    with standin_hub() as endpoint:
        got = read_in_process(list(requests.values()), HF_ENDPOINT=endpoint, HF_HOME=str(hub_home))
    return dict(zip(requests, got, strict=True))


def test_splits_of_a_hub_dataset(online: dict[str, Any]) -> None:
    assert online["train"][0] == f"{NAME} (train)"
    assert online["train"][2] == [0, 1]
    assert online["test"] == [f"{NAME} (test)", ["bad"], [0]]


def test_pinned_revision(online: dict[str, Any]) -> None:
    assert online["pinned"][1] == ["old", "older"]


@pytest.mark.parametrize(
    ("request_", "told"),
    [
        ("revision", "v9"),
        ("split", "Unknown split"),
        ("config", "'small' not found"),
        ("name", "no such dataset on the Hub"),
    ],
)
def test_what_the_hub_does_not_have(online: dict[str, Any], request_: str, told: str) -> None:
    message = online[request_]
    assert isinstance(message, str)
    assert told in message
    assert "Check" in message


def test_without_a_hub(online: dict[str, Any], hub_home: Path) -> None:
    requests: list[tuple[str, dict[str, str]]] = [
        (NAME, {"dataset_revision": "v1"}),
        (NAME, {"dataset_revision": "main"}),
        (NAME, {"dataset_revision": "b" * 40}),
        (NAME, {"dataset_revision": "v7"}),
        ("shawhin/imdb-truncated", {}),
    ]
    cached, *others, missing = read_in_process(requests, HF_HUB_OFFLINE="1", HF_HOME=str(hub_home))
    assert cached == online["pinned"]
    for other in others:
        assert "is not in the cache (there is aaaa" in other
        assert "HF_ENDPOINT" in other
    for way_out in ("local file", "save_to_disk", "HF_HOME", "HF_ENDPOINT"):
        assert way_out in missing
    assert "shawhin/imdb-truncated: " in missing


def test_full_disk_under_the_cache() -> None:
    full = OSError(28, "No space left on device")
    with (
        mock.patch("datasets.load_dataset", side_effect=full),
        pytest.raises(StorageError, match="No space left on the device while downloading o/n"),
    ):
        read_table("o/n", ReadOptions())


def test_a_bug_is_not_taken_for_the_network() -> None:
    with (
        mock.patch("datasets.load_dataset", side_effect=AttributeError("bug")),
        pytest.raises(AttributeError),
    ):
        read_table("o/n", ReadOptions())


def test_settings_reach_the_hub() -> None:
    with (
        mock.patch("datasets.load_dataset", side_effect=ConnectionError("down")) as load,
        pytest.raises(DataError, match="Hub cannot be reached"),
    ):
        load_parts(DataConfig(train="o/n", dataset_config="small", dataset_revision="v1"))
    load.assert_called_once_with("o/n", name="small", split=None, revision="v1")


def test_a_dataset_is_opened_once() -> None:
    import datasets

    rows = datasets.Dataset.from_dict({"text": list("abcdefgh"), "label": [0, 1] * 4})
    splits = datasets.DatasetDict(train=rows, validation=rows.select([0, 1]), test=rows)
    with mock.patch("datasets.load_dataset", return_value=splits) as load:
        parts = load_parts(DataConfig(train="o/n"))
    load.assert_called_once_with("o/n", name=None, split=None, revision=None)
    assert parts.test is not None
    assert parts.test.table.source == "o/n (test)"


def test_a_slice_of_a_split_is_left_to_datasets() -> None:
    import datasets

    rows = datasets.Dataset.from_dict({"text": ["a", "b"], "label": [0, 1]})
    splits = [datasets.DatasetDict(train=rows), rows.select([1])]
    with mock.patch("datasets.load_dataset", side_effect=splits) as load:
        table = read_table("o/n", ReadOptions(split="train[1:]"))
    assert (table.source, table.texts) == ("o/n (train[1:])", ["b"])
    assert load.call_args.kwargs["split"] == "train[1:]"
