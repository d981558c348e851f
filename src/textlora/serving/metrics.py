"""What Prometheus reads at /metrics."""

from __future__ import annotations

import os

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    multiprocess,
)

from textlora.serving.batching import BatchReport

# With this set, the processes of a server write into one folder, and each tells for all.
SHARED_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
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
        if not os.environ.get(SHARED_FOLDER):
            return generate_latest(self._registry)
        together = CollectorRegistry()
        multiprocess.MultiProcessCollector(together)  # type: ignore[no-untyped-call]
        return generate_latest(together)
