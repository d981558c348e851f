"""Adapters that come and go, and those that must not."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from serving.conftest import Serve
from serving.test_app import TEXT, TEXTS, by_label, expected
from support.adapters import Recipe, save_served
from textlora.errors import ConfigError
from textlora.serving.adapters import Registry
from textlora.serving.schemas import RefusedError


def test_adapters_unlike_each_other_answer_as_each_alone(serve: Serve, adapters: Path) -> None:
    names = [f"a{number}" for number in range(5)]
    client = serve(*names)
    for name in names:
        right = np.sort(expected(adapters, name, TEXTS), axis=1)[:, ::-1]
        for path, body in (
            (f"/adapters/{name}/predict", {"inputs": TEXTS}),
            ("/predict", {"inputs": TEXTS, "model": name}),
        ):
            response = client.post(path, json=body)
            assert response.headers["x-adapter"] == name
            got = [[entry["score"] for entry in scores] for scores in response.json()]
            np.testing.assert_allclose(got, right, atol=1e-5)


def test_adapters_share_the_base_and_the_tokenizer(serve: Serve) -> None:
    registry = serve("a0", "a1", "a2").app.state.service.registry  # type: ignore[attr-defined]
    loaded = registry.adapters.values()
    assert len({id(adapter.engine) for adapter in loaded}) == 1
    assert len({id(adapter.tokenization) for adapter in loaded}) == 1


def test_loading_and_removing_at_run_time(serve: Serve, adapters: Path) -> None:
    client = serve("a0", adapters=adapters)
    assert "a1" in client.get("/adapters").json()["available"]
    assert client.post("/adapters/a1/predict", json={"inputs": TEXT}).status_code == 404
    loaded = client.put("/adapters/a1")
    assert (loaded.status_code, loaded.json()["labels"]) == (200, ["bad", "good"])
    scores = client.post("/adapters/a1/predict", json={"inputs": TEXT}).json()
    assert by_label(scores) == pytest.approx(expected(adapters, "a1", [TEXT])[0], abs=1e-5)
    assert client.put("/adapters/a1").status_code == 200  # again
    assert [a["name"] for a in client.get("/adapters").json()["adapters"]] == ["a0", "a1"]
    assert client.delete("/adapters/a1").status_code == 204
    assert client.delete("/adapters/a1").status_code == 404
    assert client.post("/adapters/a1/predict", json={"inputs": TEXT}).status_code == 404


def test_what_was_named_at_the_start_stays(serve: Serve, adapters: Path) -> None:
    client = serve("a0", "a1", adapters=adapters)
    for name in ("a0", "a1"):
        assert client.delete(f"/adapters/{name}").status_code == 409
        assert client.put(f"/adapters/{name}").status_code == 409


def test_without_a_folder_nothing_is_loaded(serve: Serve) -> None:
    client = serve()
    assert client.put("/adapters/a1").status_code == 403
    assert client.get("/adapters").json()["available"] == []


@pytest.fixture
def allowed(adapters: Path, tmp_path: Path) -> Path:
    """Return a folder with one adapter, one beside it, and links in every direction."""
    folder = tmp_path / "allowed"
    shutil.copytree(adapters / "a0", folder / "inside")
    shutil.copytree(adapters / "a1", tmp_path / "outside")
    (folder / "link").symlink_to(tmp_path / "outside")
    shutil.copytree(adapters / "a1", folder / "partly")
    weights = folder / "partly" / "adapter_model.safetensors"
    weights.unlink()
    weights.symlink_to(tmp_path / "outside" / weights.name)
    shutil.copytree(adapters / "a0", folder / ".hidden")
    (folder / "file").write_text("no folder")
    return folder


@pytest.mark.parametrize(
    "name",
    [
        "..", ".", "", "../outside", "..%2foutside", "%2e%2e%2foutside", "inside/../../outside",
        "link", "partly", ".hidden", "file", "none", "inside%00", "a" * 200, "/etc", "in side",
    ],
)  # fmt: skip
def test_nothing_but_the_folder_is_read(name: str, allowed: Path, adapters: Path) -> None:
    registry = Registry("fp32", allowed)
    registry.add("a0", adapters / "a0")
    with pytest.raises(RefusedError) as refused:
        registry.load(name)
    assert refused.value.status == 404
    assert str(allowed) not in refused.value.problem
    assert list(registry.adapters) == ["a0"]


@pytest.mark.parametrize("path", ["..", "..%2foutside", "%2e%2e%2foutside", "link", "partly"])
def test_nor_over_http(path: str, serve: Serve, allowed: Path) -> None:
    client = serve("a0", adapters=allowed)
    assert client.put(f"/adapters/{path}").status_code in (404, 405, 422)
    assert client.put("/adapters/inside").status_code == 200
    assert [a["name"] for a in client.get("/adapters").json()["adapters"]] == ["a0", "inside"]


def test_an_adapter_of_another_base_needs_to_be_named_at_the_start(
    serve: Serve, adapters: Path, tiny: Callable[[str], Path], tmp_path: Path
) -> None:
    save_served(tmp_path / "other", tiny("bert"))
    client = serve("a0", adapters=tmp_path)
    refused = client.put("/adapters/other")
    assert refused.status_code == 409
    assert "none that is served" in refused.json()["error"]
    assert str(tmp_path) not in refused.text
    both = Registry("fp32", None)
    both.add("a0", adapters / "a0")
    both.add("other", tmp_path / "other")
    first, second = both.adapters.values()
    assert first.engine is not second.engine


@pytest.mark.parametrize("kind", ["mpnet", "dora"])
def test_what_cannot_share_a_base_has_a_model_of_its_own(
    kind: str, serve: Serve, adapters: Path, tiny: Callable[[str], Path], tmp_path: Path
) -> None:
    recipe = Recipe(more=(("use_dora", True),)) if kind == "dora" else None
    save_served(tmp_path / kind, tiny("mpnet" if kind == "mpnet" else "distilbert"), recipe)
    registry = Registry("fp32", tmp_path)
    registry.add("a0", adapters / "a0")
    alone = registry.add("named", tmp_path / kind)
    assert alone.size is None
    assert "a model of its own" in alone.engine.description
    tokens = alone.sequences(TEXTS)
    logits = alone.engine.logits([(alone.weights, list(tokens))])[0]
    from textlora.inference.predictor import probabilities_of

    np.testing.assert_allclose(
        probabilities_of(logits, alone.spec), expected(tmp_path, kind, TEXTS), atol=1e-5
    )
    with pytest.raises(RefusedError) as refused:
        registry.load(kind)
    assert refused.value.status == 409


def test_names(adapters: Path) -> None:
    registry = Registry("fp32", None)
    registry.add("one", adapters / "a0")
    with pytest.raises(ConfigError, match="Two adapters are called 'one'"):
        registry.add("one", adapters / "a1")
    for name in ("", "a b", "../x", "-x", "ä", "x" * 65, "<script>"):
        with pytest.raises(ConfigError, match="no name for an adapter"):
            registry.add(name, adapters / "a1")


def test_a_damaged_adapter_leaves_what_there_is(
    serve: Serve, adapters: Path, tmp_path: Path
) -> None:
    shutil.copytree(adapters / "a1", tmp_path / "bad")
    (tmp_path / "bad" / "adapter_model.safetensors").write_bytes(b"no tensors")
    client = serve("a0", adapters=tmp_path)
    refused = client.put("/adapters/bad")
    assert refused.status_code == 409
    assert "damaged" in refused.json()["error"]
    assert client.post("/predict", json={"inputs": TEXT}).status_code == 200


def test_requests_that_came_before_a_removal_are_answered(serve: Serve, adapters: Path) -> None:
    client = serve("a0", adapters=adapters)
    client.put("/adapters/a1")
    registry: Any = client.app.state.service.registry  # type: ignore[attr-defined]
    adapter = registry.get("a1")
    client.delete("/adapters/a1")
    tokens = adapter.sequences([TEXT])
    assert adapter.engine.logits([(adapter.weights, list(tokens))])[0].shape == (1, 2)


def test_an_adapter_of_longer_texts_than_the_base_takes_is_refused(
    serve: Serve, tiny: Callable[[str], Path], tmp_path: Path
) -> None:
    save_served(tmp_path / "long", tiny("distilbert"), max_length=5000)
    client = serve("a0", adapters=tmp_path)
    refused = client.put("/adapters/long")
    assert refused.status_code == 409
    assert "up to 5000" in refused.json()["error"]
