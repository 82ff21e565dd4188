"""Dynamic batching: rows of many requests in one call of the model."""

import asyncio
import dataclasses
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from albert_keras.text_tasks.text_task import TextTask

# Weight of the last batch in the moving mean of the time of a token.
_NEWEST = 0.2


class QueueFull(Exception):
    """The queue has no room for the rows of a request."""


@dataclasses.dataclass(frozen=True)
class BatchLimits:
    """Limits of the queue and its batches.

    Attributes:
        max_batch: Maximum number of rows in a batch.
        max_queue: Maximum number of rows that wait.
        max_delay: Seconds for which an idle model waits for further rows.
        latency_target: Seconds that a row shall take at most, its wait
            included: batches have no more rows than fit, but at least one.
    """

    max_batch: int = 32
    max_queue: int = 512
    max_delay: float = 0.002
    latency_target: float = 0.2


@dataclasses.dataclass(eq=False)
class _Job:
    """A request in the queue: its task and the rows that are not done."""

    task: TextTask
    future: asyncio.Future
    remaining: int
    outputs: list[tuple[int, dict]] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(eq=False)
class _Row:
    job: _Job
    index: int
    inputs: dict[str, np.ndarray]
    length: int
    arrived: float


class BatchQueue:
    """A bounded queue of rows, which a thread runs in batches.

    A batch has the row that has waited longest, and of the others those of the
    most similar lengths, since padding costs time. All methods belong to the
    thread of the event loop.

    Args:
        run: Runs the model: a list of rows' inputs to outputs `(B, ...)`.
        limits: The `BatchLimits`.
        on_batch: Called with number of rows and seconds of each batch.
    """

    def __init__(
        self,
        run: Callable[[list[dict]], dict],
        limits: BatchLimits,
        on_batch: Callable[[int, float], Any] = lambda rows, seconds: None,
    ) -> None:
        self._run = run
        self._limits = limits
        self._on_batch = on_batch
        self._rows: list[_Row] = []
        self._arrival = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, "model")
        self._token_seconds = 0.0
        self._loop: asyncio.Task | None = None

    def __len__(self):
        """Number of rows that wait."""
        return len(self._rows)

    def start(self) -> None:
        """Starts to take batches from the queue."""
        self._loop = asyncio.create_task(self._run_batches())

    async def stop(self) -> None:
        """Finishes what is in the queue, and ends the thread."""
        while self._rows and self._loop and not self._loop.done():
            await asyncio.sleep(0.01)
        if self._loop:
            self._loop.cancel()
        self._thread.shutdown()

    async def outputs(self, task: TextTask) -> list[tuple[int, dict]]:
        """Runs the model on the rows of a task.

        A caller that is cancelled takes its rows out of the queue.

        Returns:
            (index, outputs `(1, ...)`) of each row.

        Raises:
            QueueFull: If its rows do not fit into the queue.
        """
        count = len(task.examples)
        if len(self._rows) + count > self._limits.max_queue:
            raise QueueFull
        future = asyncio.get_running_loop().create_future()
        job = _Job(task, future, count)
        now = time.monotonic()
        lengths = task.examples.lengths.tolist()
        self._rows += [
            _Row(
                job,
                index,
                task.examples.batch(np.array([index]), length)[0],
                length,
                now,
            )
            for index, length in enumerate(lengths)
        ]
        self._arrival.set()
        try:
            return await future
        finally:
            if job.remaining:
                self._rows = [row for row in self._rows if row.job is not job]

    async def _run_batches(self):
        while True:
            await self._wait_for_rows()
            batch = self._take()
            if not batch:  # the request was cancelled
                continue
            try:
                await self._run_batch(batch)
            except Exception as error:
                await self._run_apart(batch, error)

    async def _wait_for_rows(self):
        """Waits for a row, and for as long as further ones may come."""
        limits = self._limits
        while not self._rows:
            self._arrival.clear()
            await self._arrival.wait()
        while self._rows and len(self._rows) < limits.max_batch:
            waited = time.monotonic() - self._rows[0].arrived
            self._arrival.clear()
            try:
                await asyncio.wait_for(
                    self._arrival.wait(), max(0.0, limits.max_delay - waited)
                )
            except asyncio.TimeoutError:
                return

    def _take(self):
        """Takes the rows of the next batch out of the queue."""
        if not self._rows:
            return []
        first = self._rows[0]
        others = sorted(
            self._rows[1:], key=lambda row: abs(row.length - first.length)
        )
        left = self._limits.latency_target - (time.monotonic() - first.arrived)
        batch, width = [first], first.length
        for row in others[: self._limits.max_batch - 1]:
            wider = max(width, row.length)
            seconds = (len(batch) + 1) * wider * self._token_seconds
            if seconds > max(left, self._limits.latency_target / 2):
                break
            batch.append(row)
            width = wider
        taken = set(map(id, batch))
        self._rows = [row for row in self._rows if id(row) not in taken]
        return batch

    async def _run_batch(self, batch):
        start = time.monotonic()
        outputs = await asyncio.get_running_loop().run_in_executor(
            self._thread, self._run, [row.inputs for row in batch]
        )
        seconds = time.monotonic() - start
        tokens = len(batch) * max(row.length for row in batch)
        share = _NEWEST if self._token_seconds else 1.0
        self._token_seconds += share * (seconds / tokens - self._token_seconds)
        self._on_batch(len(batch), seconds)
        for number, row in enumerate(batch):
            job = row.job
            job.outputs.append(
                (
                    row.index,
                    {
                        name: outputs[name][number : number + 1]
                        for name in job.task.outputs
                    },
                )
            )
            job.remaining -= 1
            if not job.remaining and not job.future.done():
                job.future.set_result(job.outputs)

    async def _run_apart(self, batch, error):
        """After an error, each request of a batch by itself."""
        jobs = {id(row.job): row.job for row in batch}
        if len(jobs) == 1:
            (job,) = jobs.values()
            if not job.future.done():
                job.future.set_exception(error)
            return
        for job in jobs.values():
            rows = [row for row in batch if row.job is job]
            try:
                await self._run_batch(rows)
            except Exception as own:
                if not job.future.done():
                    job.future.set_exception(own)
