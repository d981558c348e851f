"""The real Hub code path, against a local stand-in: by id, pinned, offline, out of reach."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from pyarrow import parquet

from support.hub import StandInHub
from support.tiny import Reviews, save_model

MODEL = "distilbert-base-uncased"
DATASET = "shawhin/imdb-truncated"
CARD = """---
configs:
- config_name: default
  data_files:
  - {split: train, path: data/train-*}
  - {split: validation, path: data/validation-*}
---
"""


def build_dataset(folder: Path, reviews: Reviews, train: int) -> Path:
    (folder / "data").mkdir(parents=True)
    (folder / "README.md").write_text(CARD)
    for split, start, end in (("train", 0, train), ("validation", 48, 64)):
        table = {"label": reviews.labels[start:end], "text": reviews.texts[start:end]}
        file = folder / "data" / f"{split}-00000-of-00001.parquet"
        parquet.write_table(pyarrow.table(table), file)
    return folder


@pytest.fixture(scope="module")
def hub(
    tmp_path_factory: pytest.TempPathFactory, reviews: Reviews
) -> Iterator[tuple[StandInHub, dict[str, str], dict[str, str]]]:
    root = tmp_path_factory.mktemp("hub")
    newest, older = (save_model(root / str(n), "distilbert", seed=n) for n in range(2))
    rows = build_dataset(root / "rows", reviews, 48)
    fewer = build_dataset(root / "fewer", reviews, 40)
    with StandInHub(root) as served:
        commits = served.add_model(MODEL, newest, revisions={"v1": older})
        dataset_commits = served.add_dataset(DATASET, rows, revisions={"v1": fewer})
        yield served, commits, dataset_commits


def quick(out: Path, *more: str) -> list[str]:
    return [
        *("train", "--recipe", "distilbert-lora-imdb", "--out", str(out)),
        *("--set", "data.max_length=64", "--set", "training.num_train_epochs=1"),
        *("--set", "compute.precision=fp32", *more),
    ]


def test_model_tokenizer_and_dataset_by_id(
    hub: tuple[StandInHub, dict[str, str], dict[str, str]],
    run_cli: Callable[..., Any],
    tmp_path: Path,
) -> None:
    served, commits, dataset_commits = hub
    env = served.environment(tmp_path / "home", TEXTLORA_CACHE=str(tmp_path / "cache"))
    done = run_cli(*quick(tmp_path / "run"), env=env)
    assert done.code == 0, done.err
    assert "48 train, 16 validation" in done.out
    asked = [path for _, path in served.requests]
    assert f"/{MODEL}/resolve/{commits['main']}/model.safetensors" in asked
    config = json.loads((tmp_path / "run" / "adapter" / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == MODEL

    pins = ("--set", "model.revision=v1", "--set", f"data.dataset_revision={dataset_commits['v1']}")
    pinned = run_cli(*quick(tmp_path / "pinned", *pins), env=env)
    assert pinned.code == 0, pinned.err
    assert "40 train, 16 validation" in pinned.out
    config = json.loads((tmp_path / "pinned" / "adapter" / "adapter_config.json").read_text())
    assert (config["base_model_name_or_path"], config["revision"]) == (MODEL, "v1")

    before = len(served.requests)
    offline = run_cli(
        *("predict", tmp_path / "pinned", "it was good", "--json"),
        env={**env, "HF_HUB_OFFLINE": "1"},
    )
    assert offline.code == 0, offline.err
    assert json.loads(offline.out)["label"] in ("Negative", "Positive")
    assert served.requests[before:] == []


ASK = """
import json, sys, time
from textlora.errors import TextloraError
from textlora.model.encoders import Backbone
for name, revision in json.load(sys.stdin):
    started = time.perf_counter()
    try:
        Backbone(name, revision).load_tokenizer()
    except TextloraError as error:
        print(json.dumps([str(error), time.perf_counter() - started]))
"""


def test_what_the_hub_does_not_have_or_cannot_be_asked_for(
    hub: tuple[StandInHub, dict[str, str], dict[str, str]], tmp_path: Path
) -> None:
    import subprocess
    import sys

    def errors(env: dict[str, str], *asked: tuple[str, str | None]) -> list[tuple[str, float]]:
        done = subprocess.run(
            [sys.executable, "-c", ASK],
            input=json.dumps(asked),
            capture_output=True,
            text=True,
            env=env,
        )
        assert done.returncode == 0, done.stderr
        return [tuple(json.loads(line)) for line in done.stdout.splitlines()]

    env = hub[0].environment(tmp_path / "home")
    found = errors(env, ("owner/none", None), (MODEL, "v9"), ("no name!", None))
    assert "owner/none: there is no such model on the Hub" in found[0][0]
    assert f"{MODEL}: there is no revision 'v9' on the Hub" in found[1][0]
    assert "neither a folder nor a Hub id" in found[2][0]

    ((message, seconds),) = errors({**env, "HF_ENDPOINT": "http://127.0.0.1:9"}, (MODEL, None))
    for way_out in ("--model bundled", "--model FOLDER", "HF_HOME", "HF_ENDPOINT"):
        assert way_out in message
    assert seconds < 10
