"""Runs the server of an export until the process is stopped."""

import signal
import socket
from typing import Any

import uvicorn

from albert_keras.serving.app import RequestLimits, make_app
from albert_keras.serving.batch_queue import BatchLimits
from albert_keras.serving.text_predictor import TextPredictor


def run_server(settings: Any) -> None:
    """Loads the model and serves it; SIGTERM and SIGINT end it.

    What is in flight is finished first.

    Args:
        settings: Those of `recipes/serve.py`.

    Raises:
        ValueError: If the model is no export, a limit is not positive, or the
            port is taken.
    """
    for name in (
        *("max_batch", "max_queue", "latency_target_ms", "max_texts"),
        *("max_body_bytes", "timeout"),
    ):
        if not getattr(settings, name) > 0:
            raise ValueError(
                f"`{name}` must be positive. Received: "
                f"{getattr(settings, name)}."
            )
    predictor = TextPredictor(settings.model, settings.threads)
    app = make_app(
        predictor,
        BatchLimits(
            settings.max_batch,
            settings.max_queue,
            settings.max_delay_ms / 1000,
            settings.latency_target_ms / 1000,
        ),
        RequestLimits(
            settings.max_body_bytes, settings.max_texts, settings.timeout
        ),
    )
    listener = _listen(settings.host, settings.port)
    manifest = predictor.manifest
    host, port = listener.getsockname()[:2]
    print(
        f"Serving {settings.model}, {manifest.facts.model_class} in "
        f"{manifest.format} {manifest.precision}, at http://{host}:{port}",
        flush=True,
    )
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=int(settings.timeout) + 1,
    )
    # uvicorn stops at SIGTERM, and at last raises it again for this handler:
    # a server that has finished ends with status 0.
    signal.signal(signal.SIGTERM, lambda *_: None)
    uvicorn.Server(config).run(sockets=[listener])


def _listen(host, port):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(2048)  # clients that come before uvicorn accepts wait
    except (OSError, OverflowError) as error:
        listener.close()
        raise ValueError(
            f"{host}:{port} cannot be listened at: {error}. Pass another "
            "`port` or `host`."
        ) from error
    return listener
