"""Push against a local stand-in of the Hub that records what it is sent."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
from huggingface_hub import ModelCard

from support.hub_uploads import WritableHub
from textlora.errors import ConfigError, RunError
from textlora.export.push import prepare, send
from textlora.inference.predictor import Predictor

TOKEN = "hf_mine"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WritableHub]:
    with WritableHub(tmp_path / "hub", {TOKEN: ["me"]}) as served:
        point_at(monkeypatch, served.url)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        monkeypatch.setenv("no_proxy", "*")
        huggingface_hub.close_session()
        yield served
    huggingface_hub.close_session()


def point_at(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", url)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)


def test_what_is_sent_is_the_adapter_and_a_full_card(
    hub: WritableHub, finished: Any, reviews: Any, tmp_path: Path, cli: Callable[..., Any]
) -> None:
    run = shutil.copytree(finished.folder.path, tmp_path / "run")
    (run / "adapter" / "predictions.csv").write_text("the texts")
    done = cli("push", run, "me/reviews")
    assert done.code == 0, done.err
    assert f"{hub.url}/me/reviews (private)" in done.out
    assert "Stays here  predictions.csv" in done.out
    assert hub.repositories == {"me/reviews": "private"}
    ((repo, _, files),) = hub.commits
    assert repo == "me/reviews"
    assert set(files) == {
        *("adapter_config.json", "adapter_model.safetensors", "textlora.json", "README.md"),
        *("tokenizer.json", "tokenizer_config.json"),
    }
    weights = run / "adapter" / "adapter_model.safetensors"
    assert files["adapter_model.safetensors"] == weights.read_bytes()

    everything = b"".join(files.values()).decode(errors="replace")
    assert str(tmp_path.parent.parent) not in everything
    assert not any(text in everything for text in reviews.texts)
    card = ModelCard(files["README.md"].decode())
    assert card.data.eval_results[0].metric_type == "accuracy"
    accuracy = finished.results["test"].metrics.accuracy
    assert card.data.eval_results[0].metric_value == pytest.approx(accuracy, abs=1e-4)
    for said in ("16 test texts", "| train | 24 | 24 |", "## Limits", "## How texts"):
        assert said in card.text
    assert 'snapshot_download("me/reviews", local_dir="adapter")' in card.text
    assert "tiny-distilbert" in done.out  # nobody else has this base


def test_a_dry_run_shows_everything_and_sends_nothing(
    hub: WritableHub, finished: Any, cli: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_TOKEN")
    done = cli("push", finished.folder.path, "me/reviews", "--dry-run")
    assert done.code == 0, done.err
    for said in ("adapter_model.safetensors", "kB", "# reviews", "## Data", "Nothing was sent."):
        assert said in done.out
    listed = json.loads(cli("push", finished.folder.path, "me/x", "--dry-run", "--json").out)
    assert listed["sent"] is None
    assert listed["files"]["adapter_model.safetensors"] > 1000
    assert hub.requests == []


def test_what_was_pushed_can_be_loaded(hub: WritableHub, finished: Any, tmp_path: Path) -> None:
    pushed = send(prepare(finished.folder.path, "me/reviews"), private=False)
    assert pushed.private is False
    assert hub.repositories == {"me/reviews": "public"}
    # Fetched as the card says, into a folder of its own: the cache has links, which are refused.
    fetch = "h.snapshot_download(sys.argv[1], local_dir='adapter')"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys, huggingface_hub as h; print({fetch})", "me/reviews"],
        env=hub.environment(tmp_path / "home"),
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "adapter"
    assert Path(done.stdout.splitlines()[-1]) == folder
    # The base is a folder of this machine: put its name back, as its owner would.
    spec = json.loads((folder / "textlora.json").read_text())
    assert spec["backbone"]["name_or_path"] == "tiny-distilbert"
    spec["backbone"] = {"name_or_path": finished.config.model.name_or_path, "revision": None}
    (folder / "textlora.json").write_text(json.dumps(spec))
    texts = ["it was good", "a dull film"]
    expected = finished.predictor.predict_proba(texts)
    assert Predictor.load(folder).predict_proba(texts) == pytest.approx(expected, abs=0.02)

    again = send(prepare(finished.folder.path, "me/reviews"), private=True)
    assert again.private is None
    assert hub.repositories == {"me/reviews": "public"}
    assert len(hub.commits) == 2


def test_refusals_are_one_message(
    hub: WritableHub,
    finished: Any,
    cli: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    run = finished.folder.path

    def refused(repo: str = "me/reviews") -> str:
        done = cli("push", run, repo)
        assert done.code == 2
        assert "Traceback" not in done.err
        return str(done.err)

    assert "the token may not write there" in refused("others/reviews")
    assert "no name of a model" in refused("reviews")
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    assert "does not accept the token" in refused()
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "none"))
    assert "hf auth login" in refused()
    assert hub.commits == []
    assert hub.repositories == {}


def test_a_hub_out_of_reach(
    hub: WritableHub, finished: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = prepare(finished.folder.path, "me/reviews")
    point_at(monkeypatch, "http://127.0.0.1:9")
    with pytest.raises(RunError, match="out of reach"):
        send(package, private=True)


def test_an_unfinished_run_is_not_pushed(tmp_path: Path) -> None:
    with pytest.raises(RunError):
        prepare(tmp_path, "me/reviews")
    with pytest.raises(ConfigError):
        prepare(tmp_path, "me/../reviews")
