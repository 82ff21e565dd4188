"""The web application that answers with predictions for texts."""

import asyncio
import contextlib
import dataclasses
import json
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from albert_keras.serving.batch_queue import (
    BatchLimits,
    BatchQueue,
    QueueFull,
)
from albert_keras.serving.server_metrics import CONTENT_TYPE, ServerMetrics
from albert_keras.serving.text_predictor import TextPredictor
from albert_keras.version import __version__

_CLOSED = 499  # the client went away, in the logs of nginx
_logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class RequestLimits:
    """Limits of one request.

    Attributes:
        max_bytes: Maximum size of its body.
        max_texts: Maximum number of its texts.
        timeout: Seconds after which it is answered with an error.
    """

    max_bytes: int = 1 << 20
    max_texts: int = 256
    timeout: float = 30.0


class RefusedRequest(Exception):
    """A request that gets an error as its answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def make_app(
    predictor: TextPredictor,
    batches: BatchLimits | None = None,
    limits: RequestLimits | None = None,
) -> FastAPI:
    """Makes the application.

    Args:
        predictor: The model.
        batches: Limits of the queue.
        limits: Limits of a request.
    """
    limits = limits or RequestLimits()
    queue = BatchQueue(
        predictor.run,
        batches or BatchLimits(),
        lambda rows, seconds: metrics.add_batch(rows, seconds),
    )
    metrics = ServerMetrics(lambda: len(queue))
    service = _Service(predictor, queue, metrics, limits)

    @contextlib.asynccontextmanager
    async def lifespan(app):
        queue.start()
        yield
        await queue.stop()
        service.close()

    facts = predictor.manifest
    app = FastAPI(
        title=f"ALBERT: {facts.facts.model_class}",
        version=__version__,
        lifespan=lifespan,
    )

    @app.get("/healthz", summary="Whether the model is loaded")
    @app.get("/ping", summary="The same, for Amazon SageMaker")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/metrics", summary="Counts and times, for Prometheus")
    async def show_metrics() -> Response:
        return Response(metrics.text(), media_type=CONTENT_TYPE)

    @app.post("/predict", openapi_extra=_BODY, summary="Predicts for texts")
    @app.post(
        "/invocations",
        openapi_extra=_BODY,
        summary="The same, for Amazon SageMaker",
    )
    async def predict(request: Request) -> Response:
        return await service.answer(request)

    return app


class _Service:
    """Answers requests for predictions."""

    def __init__(self, predictor, queue, metrics, limits):
        self.predictor, self.queue = predictor, queue
        self.metrics, self.limits = metrics, limits
        # Tokenizing and decoding, next to the thread of the model.
        self.threads = ThreadPoolExecutor(2, "texts")

    def close(self):
        self.threads.shutdown()

    async def answer(self, request):
        start = time.monotonic()
        count = 0
        try:
            predictions = await self._predict(request)
            count, status = len(predictions), 200
            content = {"predictions": predictions}
        except RefusedRequest as error:
            status, content = error.status, {"error": str(error)}
        except Exception:
            _logger.exception("A request failed.")
            status = 500
            content = {"error": "The prediction failed; see the server's log."}
        self.metrics.add_request(status, count, time.monotonic() - start)
        headers = {"Retry-After": "1"} if status == 503 else None
        return JSONResponse(content, status, headers)

    async def _predict(self, request):
        seconds = self.limits.timeout
        deadline = time.monotonic() + seconds
        try:
            body = await asyncio.wait_for(self._body(request), seconds)
        except asyncio.TimeoutError:
            raise RefusedRequest(
                408, f"The body did not arrive within {seconds:g} s."
            ) from None
        work = asyncio.ensure_future(self._predict_body(body))
        gone = asyncio.ensure_future(_disconnected(request))
        try:
            await asyncio.wait(
                (work, gone),
                timeout=max(0.0, deadline - time.monotonic()),
                return_when=asyncio.FIRST_COMPLETED,
            )
            if work.done():
                return work.result()
            if gone.done():
                raise RefusedRequest(_CLOSED, "The client went away.")
            raise RefusedRequest(
                504,
                f"No prediction within {seconds:g} s. Send fewer or shorter "
                "texts, or try again later.",
            )
        finally:
            for task in (work, gone):
                task.cancel()

    async def _body(self, request):
        largest = self.limits.max_bytes
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > largest:
                raise RefusedRequest(
                    413,
                    f"The body must have at most {largest:,} bytes. Send fewer "
                    "texts.",
                )
        return bytes(body)

    async def _predict_body(self, body):
        loop = asyncio.get_running_loop()
        task = await loop.run_in_executor(self.threads, self._encode, body)
        try:
            outputs = await self.queue.outputs(task)
        except QueueFull:
            raise RefusedRequest(
                503,
                f"The server is busy: {len(self.queue)} rows wait. Try again "
                "later.",
            ) from None
        return await loop.run_in_executor(
            self.threads, _predictions, task, outputs
        )

    def _encode(self, body):
        requests = texts_of(body)
        if isinstance(requests, list) and len(requests) > self.limits.max_texts:
            raise RefusedRequest(
                413,
                f"`texts` must have at most {self.limits.max_texts} items. "
                f"Received: {len(requests)}. Send several requests.",
            )
        try:
            return self.predictor.encode(requests)
        except ValueError as error:
            raise RefusedRequest(422, str(error)) from error


def texts_of(body: bytes) -> Any:
    """Reads `texts` of a request's body.

    Raises:
        RefusedRequest: If it is no JSON object in UTF-8 with that one key.
    """
    if not body:
        raise RefusedRequest(400, 'The body is empty. Send {"texts": [...]}.')
    try:
        values = json.loads(body.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise RefusedRequest(400, f"The body is not UTF-8: {error}.") from error
    except (ValueError, RecursionError) as error:
        raise RefusedRequest(
            400, f"The body is no JSON: {str(error)[:200]}."
        ) from error
    if not isinstance(values, dict) or set(values) != {"texts"}:
        shown = sorted(values) if isinstance(values, dict) else values
        raise RefusedRequest(
            422,
            'The body must be {"texts": [...]}. Received: '
            f"{type(values).__name__} {shown!r:.80}.",
        )
    return values["texts"]


def _predictions(task, outputs):
    for index, row in outputs:
        task.add(np.array([index]), row)
    return task.predictions()


async def _disconnected(request):
    """Returns once the client has gone away."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["texts"],
                    "properties": {
                        "texts": {
                            "type": "array",
                            "items": {},
                            "description": "Strings; pairs as [first, second] "
                            'or {"text", "pair"}; for question answering '
                            '{"question", "context"}; for multiple choice '
                            '{"question", "choices", "context"}.',
                        }
                    },
                },
                "example": {"texts": ["A masterpiece.", "Two lost hours."]},
            }
        },
    }
}
