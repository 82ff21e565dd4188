"""Metrics of the server, in the text format of Prometheus."""

from collections.abc import Callable
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST

CONTENT_TYPE = CONTENT_TYPE_LATEST


class ServerMetrics:
    """Requests, batches and the queue.

    Args:
        queued_rows: Returns the number of rows that wait.
    """

    def __init__(self, queued_rows: Callable[[], int]) -> None:
        self._registry = CollectorRegistry()
        kwargs: Any = {"registry": self._registry}
        self._requests = Counter(
            "albert_requests", "Requests by status.", ["status"], **kwargs
        )
        self._texts = Counter("albert_texts", "Predicted texts.", **kwargs)
        self._seconds = Histogram(
            "albert_request_seconds", "Time of a request.", **kwargs
        )
        self._batch_rows = Histogram(
            "albert_batch_rows",
            "Rows of a batch.",
            buckets=(1, 2, 4, 8, 16, 32, 64, 128),
            **kwargs,
        )
        self._batch_seconds = Histogram(
            "albert_batch_seconds", "Time of a batch.", **kwargs
        )
        queue = Gauge("albert_queued_rows", "Rows that wait.", **kwargs)
        queue.set_function(queued_rows)

    def add_request(self, status: int, texts: int, seconds: float) -> None:
        """Counts a request that has been answered."""
        self._requests.labels(str(status)).inc()
        self._texts.inc(texts)
        self._seconds.observe(seconds)

    def add_batch(self, rows: int, seconds: float) -> None:
        """Counts a batch."""
        self._batch_rows.observe(rows)
        self._batch_seconds.observe(seconds)

    def text(self) -> bytes:
        """All values."""
        return generate_latest(self._registry)
