"""Real clients, and a fuzzer, against the application."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import schemathesis
from huggingface_hub import InferenceClient
from hypothesis import HealthCheck, given
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from serving.conftest import Serve
from support.examples import examples
from support.servers import listening
from textlora.serving import ServingSettings
from textlora.serving.app import create_app

# What is answered is in the description, by status, type and schema.
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


@pytest.fixture(scope="module")
def url(adapters: Path) -> Iterator[str]:
    """Serve two adapters at a free port, in a thread."""
    runs = tuple((name, adapters / name) for name in ("a0", "a2"))
    app = create_app(ServingSettings(runs=runs, precision="fp32", api_key="geheim"))
    with listening(app) as url:
        yield url


def test_the_client_of_the_hub_works_unchanged(url: str) -> None:
    client = InferenceClient(base_url=url, api_key="geheim")
    scores = client.text_classification("a good film")
    assert {score.label for score in scores} == {"bad", "good"}
    assert scores[0].score >= scores[1].score
    assert sum(score.score for score in scores) == pytest.approx(1)
    assert client.text_classification("a good film", top_k=1) == scores[:1]
    raw = client.text_classification("a good film", function_to_apply="none")
    assert raw != scores


def test_the_client_of_the_hub_chooses_an_adapter_by_url(url: str) -> None:
    client = InferenceClient(model=f"{url}/adapters/a2", api_key="geheim")
    assert len(client.text_classification("a good film")) == 3


@pytest.mark.parametrize("mode", list(schemathesis.GenerationMode))
def test_no_request_breaks_the_server(
    mode: schemathesis.GenerationMode, serve: Serve, adapters: Path
) -> None:
    """Every operation of the OpenAPI description, with requests that fit it and that do not."""
    app = serve("a0", "a3", adapters=adapters).app
    schema = schemathesis.openapi.from_asgi("/openapi.json", app)
    seen = set()
    for found in schema.get_all_operations():
        operation = found.ok()

        @examples(20, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy(generation_mode=mode))
        def never_breaks(case: schemathesis.Case) -> None:
            response = case.call()
            assert response.status_code < 500
            case.validate_response(response, checks=CHECKS)
            seen.add(response.status_code)

        try:
            never_breaks()
        except Unsatisfiable:  # a route without arguments has no wrong ones
            assert mode == schemathesis.GenerationMode.NEGATIVE
    assert 422 in seen or mode == schemathesis.GenerationMode.POSITIVE
