"""Serves an exported model over HTTP: texts in, predictions out.

    python recipes/serve.py --model exports/reviews --port 8080

    curl localhost:8080/predict -d '{"texts": ["A masterpiece."]}'
    {"predictions": [{"label": "positive", "probability": 0.98, ...}]}

The predictions are in the order of the texts. Texts of requests that come at
the same time share batches. `/healthz`, `/metrics` (Prometheus), `/docs`
(OpenAPI); `/ping` and `/invocations` for Amazon SageMaker. The process imports
no Keras, and for ONNX, OpenVINO and LiteRT no TensorFlow. SIGTERM finishes the
requests that are in flight.
"""

import dataclasses

from albert_keras.serving.batch_queue import BatchLimits
from albert_keras.workflows.settings.parse_settings import run_recipe


@dataclasses.dataclass(frozen=True)
class Settings:
    """Serves an exported model over HTTP: texts in, predictions out."""

    model: str
    """Directory that recipes/export.py wrote."""

    port: int = 8080
    """Port to listen at; 0 takes a free one."""

    host: str = "127.0.0.1"
    """Address to listen at; 0.0.0.0 for all of this machine."""

    threads: int | None = None
    """Threads of the runtime; the default is its own choice."""

    max_batch: int = BatchLimits.max_batch
    """Maximum number of rows in a batch."""

    max_queue: int = BatchLimits.max_queue
    """Maximum number of rows that wait; further requests get status 503."""

    max_delay_ms: float = BatchLimits.max_delay * 1000
    """Time for which an idle model waits for further texts."""

    latency_target_ms: float = BatchLimits.latency_target * 1000
    """Time that a text shall take at most: batches become smaller for it."""

    max_texts: int = 256
    """Maximum number of texts in a request."""

    max_body_bytes: int = 1 << 20
    """Maximum size of a request."""

    timeout: float = 30.0
    """Seconds after which a request is answered with an error."""


def main(argv=None):
    return run_recipe("serve", serve, Settings, argv)


def serve(settings):
    """Loads the model and serves it until the process is stopped."""
    from albert_keras.exporting.needed_packages import needs

    with needs("serve", "The server"):
        from albert_keras.serving.server import run_server
    return run_server(settings)


if __name__ == "__main__":
    main()
