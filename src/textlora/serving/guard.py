"""Around every request: body limit, API key, one log line, metrics, security headers."""

from __future__ import annotations

import hmac
import json
import os
import time
import uuid
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    multiprocess,
)
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from textlora.serving import LOGGER, METRICS_FOLDER
from textlora.serving.batching import BatchReport
from textlora.serving.pages import PAGE_PATHS
from textlora.serving.schemas import RefusedError

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_TOKENS = (16, 64, 256, 512, 1024, 2048, 4096, 8192, 16384)


class Metrics:
    """The figures of one server."""

    def __init__(self) -> None:
        own = self._registry = CollectorRegistry()
        self.requests = Counter(
            "textlora_requests", "Requests answered.", ["route", "status"], registry=own
        )
        self.failures = Counter(
            "textlora_failures", "Requests refused or failed.", ["error_type"], registry=own
        )
        self.request_seconds = Histogram(
            "textlora_request_seconds", "A request.", ["route"], buckets=_SECONDS, registry=own
        )
        self.queue_seconds = Histogram(
            "textlora_queue_seconds", "From arrival to batch.", buckets=_SECONDS, registry=own
        )
        self.inference_seconds = Histogram(
            "textlora_inference_seconds", "A batch.", buckets=_SECONDS, registry=own
        )
        self.batch_tokens = Histogram(
            "textlora_batch_tokens", "Tokens of a batch.", buckets=_TOKENS, registry=own
        )
        self.batch_adapters = Histogram(
            "textlora_batch_adapters",
            "Adapters of a batch.",
            buckets=(1, 2, 4, 8, 16, 32, 64, 128),
            registry=own,
        )
        self.texts = Counter("textlora_texts", "Texts answered.", registry=own)
        self.truncated = Counter("textlora_truncated_texts", "Texts cut short.", registry=own)
        self.queue_size = Gauge(
            "textlora_queue_size", "Sequences waiting.", registry=own, multiprocess_mode="livesum"
        )
        self.adapters = Gauge(
            "textlora_adapters", "Adapters loaded.", registry=own, multiprocess_mode="livemax"
        )

    def batch(self, report: BatchReport) -> None:
        """Count a batch."""
        self.inference_seconds.observe(report.seconds)
        self.batch_tokens.observe(report.tokens)
        self.batch_adapters.observe(report.adapters)

    def text(self) -> bytes:
        """Return all figures in Prometheus' format; where there are several processes, of all."""
        if not os.environ.get(METRICS_FOLDER):
            return generate_latest(self._registry)
        together = CollectorRegistry()
        multiprocess.MultiProcessCollector(together)  # type: ignore[no-untyped-call]
        return generate_latest(together)


# Open without a key: what a load balancer asks, and the pages that a key is typed into.
OPEN_PATHS = (
    *PAGE_PATHS,
    "/health",
    "/health/live",
    "/health/ready",
    "/docs",
    "/openapi.json",
)
_SECURITY = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
]


class Guard:
    """An ASGI application around another.

    Args:
        app: the other.
        metrics: where requests are counted.
        payload_limit: bytes of a body.
        api_key: what requests have to bring as `Authorization: Bearer …`; None: nothing.
    """

    def __init__(
        self, app: ASGIApp, metrics: Metrics, payload_limit: int, api_key: str | None
    ) -> None:
        self._app = app
        self._metrics = metrics
        self._payload_limit = payload_limit
        self._api_key = None if api_key is None else f"Bearer {api_key}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        scope["textlora"] = noted = {"request_id": uuid.uuid4().hex[:16]}
        status = 500

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                _add_headers(message, noted["request_id"])
            await send(message)

        try:
            refusal = self._refusal(scope)
            if refusal is not None:
                noted["error_type"] = refusal.kind
                await _send_refusal(refusal, sending)
            else:
                await self._app(scope, self._limited(receive), sending)
        finally:
            self._note(scope, status, time.perf_counter() - started)

    def _refusal(self, scope: Scope) -> RefusedError | None:
        headers = dict(scope["headers"])
        length = headers.get(b"content-length", b"0")
        if length.isdigit() and int(length) > self._payload_limit:
            return self._too_large()
        is_open = scope["path"] in OPEN_PATHS and scope["method"] in ("GET", "HEAD")
        if self._api_key is None or is_open:
            return None
        given = headers.get(b"authorization", b"")
        if hmac.compare_digest(given, self._api_key):
            return None
        return RefusedError(401, "unauthorized", "An API key is needed: Authorization: Bearer KEY.")

    def _too_large(self) -> RefusedError:
        return RefusedError(413, "payload", f"The body has more than {self._payload_limit} bytes.")

    def _limited(self, receive: Receive) -> Receive:
        """Return a `receive` that stops at the limit, whatever Content-Length said."""
        total = 0

        async def receiving() -> Message:
            nonlocal total
            message = await receive()
            total += len(message.get("body", b""))
            if total > self._payload_limit:
                # Of this class, because FastAPI takes any other error for a damaged body.
                raise HTTPException(413, self._too_large().problem)
            return message

        return receiving

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        noted: dict[str, Any] = scope["textlora"]
        route = getattr(scope.get("route"), "path", "unmatched")
        self._metrics.requests.labels(route, str(status)).inc()
        self._metrics.request_seconds.labels(route).observe(seconds)
        if status >= 400:
            self._metrics.failures.labels(noted.get("error_type", "other")).inc()
        LOGGER.info(
            "request",
            extra={
                "fields": {
                    "method": scope["method"],
                    "route": route,
                    "status": status,
                    "ms": round(seconds * 1000, 2),
                    **noted,
                }
            },
        )


def _add_headers(message: Message, request_id: str) -> None:
    present = {name for name, _ in message["headers"]}
    message["headers"] = [
        *message["headers"],
        *(pair for pair in _SECURITY if pair[0] not in present),
        (b"x-request-id", request_id.encode()),
    ]


async def _send_refusal(refusal: RefusedError, send: Any) -> None:
    body = json.dumps(refusal.body).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    if refusal.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
