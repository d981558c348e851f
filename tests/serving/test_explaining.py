"""Slow questions over HTTP, and the classifier before training."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch

from serving.conftest import Serve
from serving.test_app import TEXT
from textlora.config import ComputeConfig
from textlora.errors import MissingExtraError
from textlora.inference.explaining import explain
from textlora.inference.predictor import Predictor
from textlora.inference.untrained import load_untrained
from textlora.serving import explaining


def test_explanation_is_that_of_the_predictor(serve: Serve, adapters: Path) -> None:
    client = serve("a0", "a2")
    body = client.post("/explain", json={"inputs": TEXT, "model": "a2", "target": "fair"}).json()
    right = explain(Predictor.load(adapters / "a2", ComputeConfig(precision="fp32")), TEXT, "fair")
    assert (body["model"], body["target"]) == ("a2", "fair")
    assert body["probability"] == pytest.approx(right.probability, abs=1e-5)
    assert "".join(piece["text"] for piece in body["pieces"]) == TEXT
    scores = [piece["score"] for piece in body["pieces"] if piece["score"] is not None]
    assert scores == pytest.approx([word.score for word in right.words], abs=1e-3)


def test_what_cannot_be_explained_is_refused(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    client = serve()

    def status(route: str, **body: Any) -> int:
        return client.post(route, json={"inputs": TEXT, **body}).status_code

    assert status("/explain", target="worse") == 422
    assert status("/explain", model="a4") == 404
    assert status("/untrained", model="a4") == 404
    assert status("/untrained", inputs=" ") == 422

    def missing() -> None:
        raise MissingExtraError("Explaining an answer", "explain")

    monkeypatch.setattr(explaining, "require_captum", missing)
    refused = client.post("/explain", json={"inputs": TEXT})
    assert refused.status_code == 501
    assert "pip install '.[explain]'" in refused.json()["error"]
    assert client.get("/info").json()["explains"] is False


def test_slow_questions_are_few_and_hold_up_nobody(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = serve()
    explainer: Any = client.app.state.explainer  # type: ignore[attr-defined]
    go = threading.Event()

    def slow(path: Path, seed: int) -> Predictor:
        go.wait(60)
        return load_untrained(path, seed)

    monkeypatch.setattr(explaining, "load_untrained", slow)
    with ThreadPoolExecutor(explaining.MOST_WAITING) as pool:
        asked = [
            pool.submit(client.post, "/untrained", json={"inputs": TEXT})
            for _ in range(explaining.MOST_WAITING)
        ]
        while explainer.waiting < explaining.MOST_WAITING:
            time.sleep(0.01)
        full = client.post("/explain", json={"inputs": TEXT})
        assert client.post("/classify", json={"inputs": TEXT}).status_code == 200
        go.set()
        assert {question.result().status_code for question in asked} == {200}
    assert full.status_code == 429
    assert int(full.headers["retry-after"]) >= 1
    assert client.post("/explain", json={"inputs": TEXT}).status_code == 200


def test_an_adapter_of_the_folder_is_explained(serve: Serve, adapters: Path) -> None:
    client = serve("a0", adapters=adapters)
    client.put("/adapters/a4")
    assert client.post("/untrained", json={"inputs": TEXT, "model": "a4"}).status_code == 200


def test_untrained_is_the_encoder_with_a_head_of_the_seed(adapters: Path) -> None:
    first, again, other = (load_untrained(adapters / "a0", seed) for seed in (1, 1, 2))
    tuned = Predictor.load(adapters / "a0", ComputeConfig(path="plain", precision="fp32"))
    assert (first.spec.temperature, tuned.spec.temperature) == (1.0, 1.5)
    weights = first.model.state_dict()
    for name, weight in again.model.state_dict().items():
        assert torch.equal(weight, weights[name])
    base = {name.replace(".base_layer", ""): w for name, w in tuned.model.state_dict().items()}
    encoder = {name: w for name, w in weights.items() if name.startswith("distilbert.")}
    assert encoder
    for name, weight in encoder.items():
        assert torch.equal(weight, base[f"base_model.model.{name}"])
    assert not torch.equal(
        other.model.state_dict()["classifier.weight"], weights["classifier.weight"]
    )
