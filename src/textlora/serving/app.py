"""The routes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Annotated, Any

from fastapi import FastAPI, Path, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.exceptions import HTTPException

from textlora.serving import LOGGER, ServingSettings
from textlora.serving.adapters import NAME, ServedAdapter
from textlora.serving.explaining import Explainer, explained, explains
from textlora.serving.guard import Guard
from textlora.serving.pages import add_page, docs_page
from textlora.serving.schemas import (
    AdapterInfo,
    AdapterList,
    ClassifyRequest,
    ClassifyResponse,
    ErrorBody,
    ExplainRequest,
    ExplainResponse,
    Health,
    Info,
    PredictRequest,
    RefusedError,
    Score,
    UntrainedRequest,
    UntrainedResponse,
)
from textlora.serving.service import Scores, Service, ranked

Name = Annotated[str, Path(pattern=f"^{NAME.pattern}$", description="An adapter.")]
_ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorBody, "description": description}
    for status, description in {
        400: "The body is no JSON.",
        401: "The API key is missing or wrong.",
        404: "There is no such adapter.",
        413: "The body is too large.",
        422: "The request does not fit the schema or the limits.",
        429: "The queue is full; Retry-After says when to come back.",
        500: "A mistake of the server.",
        503: "The server is starting or shutting down.",
        504: "There was no answer in time.",
    }.items()
}
_CHANGES = {
    **_ERRORS,
    403: {"model": ErrorBody, "description": "This server loads no adapters."},
    409: {"model": ErrorBody, "description": "The adapter cannot be loaded, or has to stay."},
}

_EXPLAINING = {
    **_ERRORS,
    409: {"model": ErrorBody, "description": "This adapter cannot be explained."},
    501: {"model": ErrorBody, "description": "captum is not installed."},
}


def create_app(settings: ServingSettings) -> FastAPI:
    """Return the application; its adapters are loaded here, not at the first request.

    Raises:
        TextloraError: an adapter that was named cannot be loaded.
    """
    service = Service(settings)
    explainer = Explainer(service.registry, settings.precision, settings.limits.timeout)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        explainer.close()
        service.close()

    app = FastAPI(
        title="textlora",
        version=version("textlora"),
        description="Texts in, classes out.",
        lifespan=lifespan,
        docs_url=None,  # FastAPI's page loads scripts from elsewhere
        redoc_url=None,
        responses=_ERRORS,
    )
    app.state.service = service
    app.state.explainer = explainer
    _add_errors(app)
    _add_predictions(app, service)
    _add_explanations(app, service, explainer)
    _add_adapters(app, service)
    _add_state(app, service)
    add_page(app)
    app.add_middleware(
        Guard,
        metrics=service.metrics,
        payload_limit=settings.limits.payload_limit,
        api_key=settings.api_key,
    )
    return app


def _add_predictions(app: FastAPI, service: Service) -> None:
    async def score(request: Request, body: PredictRequest, name: str | None) -> Scores:
        side: Any = body.truncation_direction and body.truncation_direction.lower()
        scores = await service.score(
            body.texts, name or body.model, refuse_long=body.truncate is False, side=side
        )
        _note(request, scores)
        return scores

    def rank(body: PredictRequest, scores: Scores) -> list[list[dict[str, Any]]]:
        parameters = body.parameters
        function = parameters.function_to_apply if parameters else None
        if body.raw_scores:
            function = "none"
        return ranked(scores, parameters.top_k if parameters else None, function)

    @app.post("/predict", response_model=list[Score] | list[list[Score]])
    @app.post("/adapters/{name}/predict", response_model=list[Score] | list[list[Score]])
    async def predict(request: Request, body: PredictRequest, name: Name | None = None) -> Response:
        """Scores of every class: a list for one text, a list of lists for many."""
        scores = await score(request, body, name)
        rows = rank(body, scores)
        single = isinstance(body.inputs, str)
        return JSONResponse(rows[0] if single else rows, headers=_timings(scores))

    @app.post("/", response_model=list[list[Score]])
    @app.post("/adapters/{name}", response_model=list[list[Score]])
    async def predict_as_hub(
        request: Request, body: PredictRequest, name: Name | None = None
    ) -> Response:
        """The same as a list of lists for one text, too: what `InferenceClient` reads."""
        scores = await score(request, body, name)
        return JSONResponse(rank(body, scores), headers=_timings(scores))

    @app.post("/classify", response_model=ClassifyResponse)
    async def classify(request: Request, body: ClassifyRequest) -> Response:
        """Answers by the adapter's rule, with all probabilities and what was cut off."""
        texts = [body.inputs] if isinstance(body.inputs, str) else body.inputs
        scores = await service.score(texts, body.model)
        _note(request, scores)
        answers = [
            {**vars(prediction), "tokens": tokens, "truncated": truncated}
            for prediction, tokens, truncated in zip(
                scores.predictions(), scores.tokens, scores.truncated, strict=True
            )
        ]
        seconds = (scores.tokenizing + scores.queued + scores.computed, scores.queued)
        latency, queue, inference = (_ms(value) for value in (*seconds, scores.computed))
        return JSONResponse(
            {
                "model": scores.adapter.name,
                "answers": answers,
                "latency_ms": latency,
                "queue_ms": queue,
                "inference_ms": inference,
            }
        )


def _add_explanations(app: FastAPI, service: Service, explainer: Explainer) -> None:
    async def adapter_of(request: Request, name: str | None) -> ServedAdapter:
        await service.follow()
        adapter = service.registry.get(name)
        request.scope["textlora"].update(adapter=adapter.name)
        return adapter

    @app.post("/explain", responses=_EXPLAINING)
    async def explain(request: Request, body: ExplainRequest) -> ExplainResponse:
        """What every word of a text did for a class, by integrated gradients; takes seconds."""
        adapter = await adapter_of(request, body.model)
        return explained(adapter, await explainer.explain(adapter, body.inputs, body.target))

    @app.post("/untrained", responses=_EXPLAINING)
    async def untrained(request: Request, body: UntrainedRequest) -> UntrainedResponse:
        """What the same encoder answers with a head of random weights."""
        adapter = await adapter_of(request, body.model)
        return await explainer.untrained(adapter, body.inputs)


def _add_adapters(app: FastAPI, service: Service) -> None:
    @app.get("/adapters")
    async def adapters() -> AdapterList:
        """The adapters that are loaded, and those that could be."""
        await service.follow()
        return AdapterList(adapters=_infos(service), available=service.registry.available())

    @app.put("/adapters/{name}", responses=_CHANGES)
    async def load_adapter(name: Name) -> AdapterInfo:
        """Load an adapter from the server's folder; loaded already: read it again."""
        return _info(await service.load(name), default=False)

    @app.delete("/adapters/{name}", status_code=204, responses=_CHANGES)
    async def remove_adapter(name: Name) -> Response:
        """Let go of an adapter; requests that came before are answered."""
        await service.remove(name)
        return Response(status_code=204)


def _add_state(app: FastAPI, service: Service) -> None:
    @app.get("/health/live")
    async def live() -> Health:
        """Whether the process answers."""
        return Health(status="ok")

    @app.get("/health")
    @app.get("/health/ready")
    async def ready() -> Health:
        """Whether texts would be answered."""
        if not service.batcher.alive:
            raise RefusedError(503, "unhealthy", "The server is shutting down.", retry_after=5)
        return Health(status="ok")

    @app.get("/info")
    async def info() -> Info:
        """Model, adapters, classes, limits and version."""
        await service.follow()
        infos = _infos(service)
        first = infos[0]
        labels = {str(number): label for number, label in enumerate(first.labels)}
        ids = {label: number for number, label in labels.items()}
        return Info(
            model_id=first.base,
            model_type={"classifier": {"id2label": labels, "label2id": ids}},
            default=first.name,
            adapters=infos,
            limits=service.settings.limits,
            explains=explains(),
            version=version("textlora"),
        )

    @app.get("/metrics", response_class=Response)
    async def metrics() -> Response:
        """Figures for Prometheus."""
        service.metrics.queue_size.set(service.batcher.queue_size)
        return Response(service.metrics.text(), media_type=CONTENT_TYPE_LATEST)

    @app.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        policy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
        return HTMLResponse(docs_page(app.openapi()), headers={"Content-Security-Policy": policy})


def _add_errors(app: FastAPI) -> None:
    def answered(request: Request, refusal: RefusedError) -> JSONResponse:
        request.scope["textlora"]["error_type"] = refusal.kind
        return JSONResponse(refusal.body, refusal.status, refusal.headers)

    @app.exception_handler(RefusedError)
    async def refused(request: Request, error: RefusedError) -> JSONResponse:
        if error.__cause__ is not None:
            LOGGER.warning("refused", extra={"fields": {"cause": str(error.__cause__)}})
        return answered(request, error)

    @app.exception_handler(RequestValidationError)
    async def not_valid(request: Request, error: RequestValidationError) -> JSONResponse:
        # Without the input that the library's own answer repeats.
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        status = 400 if first["type"] == "json_invalid" else 422
        return answered(request, RefusedError(status, "validation", f"{place}: {first['msg']}"))

    @app.exception_handler(HTTPException)
    async def http_error(request: Request, error: HTTPException) -> JSONResponse:
        kinds = {413: "payload", 404: "not_found", 405: "method"}
        refusal = RefusedError(
            error.status_code, kinds.get(error.status_code, "validation"), str(error.detail)
        )
        response = answered(request, refusal)
        response.headers.update(error.headers or {})
        return response

    @app.exception_handler(Exception)
    async def failed(request: Request, error: Exception) -> JSONResponse:
        LOGGER.error("failed", exc_info=error)
        return answered(request, RefusedError(500, "backend", "A mistake; see the server's log."))


def _note(request: Request, scores: Scores) -> None:
    """Add what the log line says of a request."""
    request.scope["textlora"].update(
        adapter=scores.adapter.name,
        texts=len(scores.tokens),
        tokens=sum(scores.tokens),
        truncated=sum(scores.truncated),
        queue_ms=_ms(scores.queued),
        inference_ms=_ms(scores.computed),
    )


def _timings(scores: Scores) -> dict[str, str]:
    """Return text-embeddings-inference's headers, and how many texts were cut short."""
    return {
        "x-compute-tokens": str(sum(scores.tokens)),
        "x-tokenization-time": f"{_ms(scores.tokenizing):.0f}",
        "x-queue-time": f"{_ms(scores.queued):.0f}",
        "x-inference-time": f"{_ms(scores.computed):.0f}",
        "x-truncated-texts": str(sum(scores.truncated)),
        "x-adapter": scores.adapter.name,
    }


def _infos(service: Service) -> list[AdapterInfo]:
    adapters = service.registry.adapters.values()
    return [_info(adapter, default=not place) for place, adapter in enumerate(adapters)]


def _info(adapter: ServedAdapter, *, default: bool) -> AdapterInfo:
    spec = adapter.spec
    return AdapterInfo(
        name=adapter.name,
        default=default,
        # A local base is told by its last part: the folders of this machine are nobody's business.
        base=spec.backbone.name_or_path.rsplit("/", 1)[-1]
        if spec.backbone.is_local
        else spec.backbone.name_or_path,
        revision=spec.backbone.revision,
        labels=list(spec.label_names),
        multi_label=spec.head.multi_label,
        max_length=spec.max_length,
        long_texts=spec.long_texts,
        temperature=spec.temperature,
        min_confidence=spec.decision.min_confidence,
        bytes=adapter.size,
        path=adapter.engine.description,
    )


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 2)
