"""What goes over the wire."""

from __future__ import annotations

import json
import logging
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from serving.conftest import Serve
from textlora.config import ComputeConfig
from textlora.inference.predictor import Predictor
from textlora.serving import Limits

TEXT = "a good film"
TEXTS = [TEXT, "the plot was awful", "it was"]


def expected(adapters: Path, name: str, texts: list[str]) -> np.ndarray[Any, Any]:
    predictor = Predictor.load(adapters / name, ComputeConfig(precision="fp32"))
    return predictor.predict_proba(texts)


def by_label(scores: list[dict[str, Any]]) -> list[float]:
    return [entry["score"] for entry in sorted(scores, key=lambda entry: entry["label"])]


def test_one_text_is_a_list_and_many_are_a_list_of_lists(serve: Serve, adapters: Path) -> None:
    client = serve()
    one = client.post("/predict", json={"inputs": TEXT}).json()
    many = client.post("/predict", json={"inputs": TEXTS}).json()
    wrapped = client.post("/predict", json={"inputs": [[text] for text in TEXTS]}).json()
    right = expected(adapters, "a0", TEXTS)
    np.testing.assert_allclose([by_label(scores) for scores in many], right, atol=1e-5)
    np.testing.assert_allclose(by_label(one), right[0], atol=1e-5)
    assert wrapped == many
    for scores in many:
        assert [entry["score"] for entry in scores] == sorted(
            (entry["score"] for entry in scores), reverse=True
        )


def test_the_base_url_answers_as_the_hub_does(serve: Serve) -> None:
    client = serve()
    one = client.post("/predict", json={"inputs": TEXT}).json()
    assert client.post("/", json={"inputs": TEXT, "parameters": {}}).json() == [one]
    assert client.post("/adapters/a0", json={"inputs": TEXT}).json() == [one]


def test_top_k_and_functions(serve: Serve) -> None:
    client = serve("a2")

    def scores(**parameters: Any) -> list[dict[str, Any]]:
        body = {"inputs": TEXT, "parameters": parameters}
        return client.post("/predict", json=body).json()  # type: ignore[no-any-return]

    assert scores(top_k=2) == scores()[:2]
    assert len(scores(top_k=9)) == 3
    # Both by the adapter's temperature of 1.5
    assert by_label(scores(function_to_apply="softmax")) == pytest.approx(by_label(scores()))
    raw = np.array(by_label(scores(function_to_apply="none")))
    sigmoid = 1 / (1 + np.exp(-raw / 1.5))
    assert by_label(scores(function_to_apply="sigmoid")) == pytest.approx(sigmoid, rel=1e-4)
    tei = client.post("/predict", json={"inputs": TEXT, "raw_scores": True}).json()
    assert by_label(tei) == pytest.approx(raw)


@pytest.mark.parametrize("path", ["/predict", "/", "/classify", "/explain", "/untrained"])
@pytest.mark.parametrize(("text", "why"), [("", "missing"), (" \t", "blank")])
def test_a_text_with_nothing_in_it_is_refused_with_the_words_of_files(
    serve: Serve, path: str, text: str, why: str
) -> None:
    refused = serve().post(path, json={"inputs": text})
    assert refused.status_code == 422
    assert refused.json() == {
        "error": f"inputs: text 1 of 1: the text is {why}.",
        "error_type": "validation",
    }


def test_the_answer_by_the_rule_stands_first(serve: Serve) -> None:
    client = serve("eager", "a0")
    for scores in client.post("/predict", json={"inputs": TEXTS}).json():
        assert scores[0]["label"] == "good"
    plain = client.post("/predict", json={"inputs": TEXTS, "model": "a0"}).json()
    assert any(scores[0]["label"] == "bad" for scores in plain)


def test_classify_gives_the_answers_of_the_predictor(serve: Serve, adapters: Path) -> None:
    client = serve("a0", "shy", "a3")
    for name in ("a0", "shy", "a3"):
        body = client.post("/classify", json={"inputs": TEXTS, "model": name}).json()
        assert body["model"] == name
        predictor = Predictor.load(adapters / name, ComputeConfig(precision="fp32"))
        for got, wanted in zip(body["answers"], predictor.predict(TEXTS), strict=True):
            assert (got["label"], got["unsure"]) == (wanted.label, wanted.unsure)
            assert got["probability"] == pytest.approx(wanted.probability, abs=1e-5)
            assert got["probabilities"] == pytest.approx(wanted.probabilities, abs=1e-5)


def test_truncation_is_told(serve: Serve) -> None:
    client = serve("short")
    long = "good " * 10
    body = client.post("/classify", json={"inputs": [long, "good"]}).json()
    assert [answer["truncated"] for answer in body["answers"]] == [True, False]
    assert body["answers"][0]["tokens"] == 12
    response = client.post("/predict", json={"inputs": [long, "good"]})
    assert response.headers["x-truncated-texts"] == "1"
    refused = client.post("/predict", json={"inputs": long, "truncate": False})
    assert refused.status_code == 422
    assert "more than 6 tokens" in refused.json()["error"]
    assert client.post("/predict", json={"inputs": "good", "truncate": False}).status_code == 200


def test_the_direction_of_truncation(serve: Serve) -> None:
    client = serve("short")

    def scores(text: str, side: str | None = None) -> Any:
        return client.post("/predict", json={"inputs": text, "truncation_direction": side}).json()

    text = "good good good good bad bad bad bad"
    assert scores(text) == scores(text, "Right") == scores("good good good good")
    assert scores(text, "left") == scores("bad bad bad bad")


def test_a_long_text_is_read_in_windows(serve: Serve, adapters: Path) -> None:
    client = serve("windows")
    texts = ["good bad the film was it and very story cast " * 3, "good"]
    body = client.post("/classify", json={"inputs": texts}).json()
    got = [
        [answer["probabilities"][name] for name in ("bad", "good")] for answer in body["answers"]
    ]
    np.testing.assert_allclose(got, expected(adapters, "windows", texts), atol=1e-5)
    assert not body["answers"][0]["truncated"]


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({}, "inputs"),
        ({"inputs": []}, "1 to 32 texts"),
        ({"inputs": ["a"] * 33}, "1 to 32 texts"),
        ({"inputs": ""}, "inputs"),
        ({"inputs": [TEXT, "  "]}, "inputs"),
        ({"inputs": [["a", "b"]]}, "inputs"),
        ({"inputs": 5}, "inputs"),
        ({"inputs": TEXT, "colour": 1}, "colour"),
        ({"inputs": TEXT, "parameters": {"top_k": 0}}, "top_k"),
        ({"inputs": TEXT, "parameters": {"function_to_apply": "tanh"}}, "function_to_apply"),
    ],
)
def test_what_does_not_fit_is_refused_without_repeating_it(
    body: dict[str, Any], word: str, serve: Serve
) -> None:
    response = serve().post("/predict", json=body)
    assert response.status_code == 422
    assert response.json()["error_type"] == "validation"
    assert word in response.json()["error"]
    assert TEXT not in response.text


def test_bodies_that_cannot_be_read(serve: Serve) -> None:
    client = serve(limits=Limits(payload_limit=200))
    json_type = {"content-type": "application/json"}
    assert client.post("/predict", content=b"{", headers=json_type).status_code == 400
    lone = client.post("/predict", content=b'{"inputs": "\\ud800"}', headers=json_type)
    assert lone.status_code == 422
    large = json.dumps({"inputs": "a" * 300}).encode()
    assert client.post("/predict", content=large, headers=json_type).status_code == 413
    # Without Content-Length the bytes are counted.
    pieces = iter([large[:150], large[150:]])
    response = client.post("/predict", content=pieces, headers=json_type)
    assert response.status_code == 413
    assert response.json()["error_type"] == "payload"


def test_an_unknown_adapter_or_route(serve: Serve) -> None:
    client = serve()
    for response in (
        client.post("/predict", json={"inputs": TEXT, "model": "none"}),
        client.post("/adapters/none/predict", json={"inputs": TEXT}),
        client.get("/nothing"),
    ):
        assert response.status_code == 404
        assert set(response.json()) == {"error", "error_type"}
    assert client.get("/predict").status_code == 405


def test_the_api_key(serve: Serve) -> None:
    client = serve(api_key="geheim")
    body = {"inputs": TEXT}
    for headers in ({}, {"authorization": "Bearer falsch"}, {"authorization": "geheim"}):
        for path in ("/predict", "/", "/adapters/a0"):
            response = client.post(path, json=body, headers=headers)
            assert response.status_code == 401
            assert response.headers["www-authenticate"] == "Bearer"
        assert client.get("/metrics", headers=headers).status_code == 401
        assert client.delete("/adapters/a0", headers=headers).status_code == 401
    right = {"authorization": "Bearer geheim"}
    assert client.post("/predict", json=body, headers=right).status_code == 200
    assert client.get("/health/ready").status_code == 200


def test_info_tells_labels_and_limits(serve: Serve) -> None:
    info = serve("a2", "a0", limits=Limits(max_client_batch_size=5)).get("/info").json()
    assert info["default"] == "a2"
    assert [adapter["labels"] for adapter in info["adapters"]] == [
        ["bad", "good", "fair"],
        ["bad", "good"],
    ]
    assert info["model_type"]["classifier"]["id2label"]["2"] == "fair"
    assert info["limits"]["max_client_batch_size"] == 5
    assert "/" not in info["model_id"]  # no paths of this machine


def test_metrics(serve: Serve) -> None:
    client = serve()
    client.post("/predict", json={"inputs": TEXTS})
    client.post("/predict", json={"inputs": ""})
    lines = client.get("/metrics").text.splitlines()
    assert 'textlora_requests_total{route="/predict",status="200"} 1.0' in lines
    assert 'textlora_failures_total{error_type="validation"} 1.0' in lines
    assert "textlora_texts_total 3.0" in lines
    assert "textlora_queue_size 0.0" in lines
    for name in ("queue_seconds", "inference_seconds", "batch_tokens"):
        assert f"textlora_{name}_count 1.0" in lines


def test_the_log_has_a_line_a_request_and_no_texts(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    client = serve()
    with caplog.at_level(logging.INFO, logger="textlora.serving"):
        logging.getLogger("textlora.serving").propagate = True
        response = client.post("/predict", json={"inputs": [TEXT, "good"]})
        client.post(f"/{TEXT}?{TEXT}", json={"inputs": 1})
    first, second = (record.fields for record in caplog.records)  # type: ignore[attr-defined]
    assert first["request_id"] == response.headers["x-request-id"]
    assert (first["status"], first["adapter"], first["texts"], first["tokens"]) == (200, "a0", 2, 8)
    assert second["route"] == "unmatched"
    assert "film" not in str(first) + str(second)


def test_the_docs_page_asks_nobody_else(serve: Serve) -> None:
    response = serve().get("/docs")
    assert "POST /adapters/{name}/predict" in response.text
    assert "//" not in response.text.replace("<!doctype", "")
    assert response.headers["content-security-policy"].startswith("default-src 'none'")
    assert "<script" not in response.text


def test_health(serve: Serve) -> None:
    client = serve()
    assert client.get("/health/live").json() == client.get("/health/ready").json()
    client.app.state.service.batcher.close()  # type: ignore[attr-defined]
    ready = client.get("/health/ready")
    assert (ready.status_code, ready.headers["retry-after"]) == (503, "5")
    refused = client.post("/predict", json={"inputs": TEXT})
    assert (refused.status_code, refused.json()["error_type"]) == (503, "unhealthy")
    assert client.get("/health/live").status_code == 200


def test_no_answer_in_time_and_a_full_queue(serve: Serve) -> None:
    client = serve(limits=Limits(timeout=0.2, max_queue_tokens=10))
    service: Any = client.app.state.service  # type: ignore[attr-defined]
    engine = service.registry.get(None).engine
    go = threading.Event()
    compute = engine.logits
    engine.logits = lambda work: go.wait(10) and compute(work)
    late = client.post("/predict", json={"inputs": TEXT})
    assert (late.status_code, late.json()["error_type"]) == (504, "timeout")
    client.post("/predict", json={"inputs": TEXTS})  # waits behind it, and is given up, too
    full = client.post("/predict", json={"inputs": TEXTS})
    assert (full.status_code, full.json()["error_type"]) == (429, "overloaded")
    assert int(full.headers["retry-after"]) >= 1
    go.set()
    deadline = time.monotonic() + 10
    while client.post("/predict", json={"inputs": TEXT}).status_code != 200:
        assert time.monotonic() < deadline
    assert service.batcher.queue_size == 0


def test_a_mistake_of_the_server_is_told_as_one(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = serve()
    engine = client.app.state.service.registry.get(None).engine  # type: ignore[attr-defined]

    def broken(work: Any) -> Any:
        raise RuntimeError(TEXT)

    with monkeypatch.context() as patched:
        patched.setattr(engine, "logits", broken)
        response = client.post("/predict", json={"inputs": TEXT})
        assert (response.status_code, response.json()["error_type"]) == (500, "backend")
        assert TEXT not in response.text
        patched.setattr(engine, "logits", lambda work: [np.full((1, 2), np.nan, np.float32)])
        not_finite = client.post("/predict", json={"inputs": TEXT})
        assert (not_finite.status_code, not_finite.json()["error_type"]) == (500, "backend")
    assert client.post("/predict", json={"inputs": TEXT}).status_code == 200
