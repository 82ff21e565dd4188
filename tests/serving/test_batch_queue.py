"""Batches of many requests: bounded, of like lengths, no answer swapped."""

import asyncio
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest

from albert_keras.data.tasks.examples import Examples
from albert_keras.serving.batch_queue import (
    BatchLimits,
    BatchQueue,
    QueueFull,
)


class Numbers(Examples):
    """Rows whose ids are their numbers, repeated to their lengths."""

    def __init__(self, numbers, lengths):
        self.numbers, self.lengths = numbers, np.array(lengths)

    def batch(self, indices, width):
        ids = [[self.numbers[i]] * width for i in indices]
        return {"token_ids": np.array(ids)}, None


def task(*numbers, lengths=None):
    lengths = lengths or [3] * len(numbers)
    return SimpleNamespace(
        examples=Numbers(numbers, lengths), outputs=("twice",)
    )


class Model:
    """Doubles the first id of each row, and remembers the batches."""

    def __init__(self, seconds=0.0, poison=None):
        self.seconds, self.poison = seconds, poison
        self.batches = []
        self.may_run = threading.Event()
        self.may_run.set()

    def __call__(self, rows):
        self.may_run.wait(5)
        time.sleep(self.seconds)
        numbers = [int(row["token_ids"][0, 0]) for row in rows]
        self.batches.append(numbers)
        if self.poison in numbers:
            raise RuntimeError("poison")
        return {"twice": 2 * np.array(numbers), "other": None}


def values(outputs):
    return [int(row["twice"][0]) for _, row in sorted(outputs)]


def run(model, scenario, **limits):
    """Runs `scenario(queue)` with a started queue."""

    async def main():
        queue = BatchQueue(model, BatchLimits(**limits))
        queue.start()
        try:
            return await asyncio.wait_for(scenario(queue), 20)
        finally:
            model.may_run.set()
            await queue.stop()

    return asyncio.run(main())


def test_requests_share_batches_and_each_gets_its_own_rows():
    model = Model(seconds=0.005)

    async def scenario(queue):
        tasks = [task(i, i + 1000, i + 2000) for i in range(50)]
        return await asyncio.gather(*map(queue.outputs, tasks))

    results = run(model, scenario, max_batch=16)
    assert [values(r) for r in results] == [
        [2 * i, 2 * i + 2000, 2 * i + 4000] for i in range(50)
    ]
    sizes = [len(batch) for batch in model.batches]
    assert sum(sizes) == 150 and max(sizes) == 16
    assert len(sizes) <= 150 / 16 + 2


def test_a_batch_has_the_oldest_row_and_those_of_like_length():
    model = Model()

    async def scenario(queue):
        model.may_run.clear()
        first = asyncio.create_task(queue.outputs(task(0)))
        await asyncio.sleep(0.05)  # the model is busy with it
        lengths = [9, 50, 8, 51, 10]
        later = queue.outputs(task(1, 2, 3, 4, 5, lengths=lengths))
        later = asyncio.create_task(later)
        await asyncio.sleep(0.05)
        model.may_run.set()
        await asyncio.gather(first, later)

    run(model, scenario, max_batch=3, latency_target=1e6)
    assert [sorted(batch) for batch in model.batches] == [
        [0],
        [1, 3, 5],
        [2, 4],
    ]


def test_a_full_queue_refuses_and_goes_on():
    model = Model()

    async def scenario(queue):
        model.may_run.clear()
        busy = asyncio.create_task(queue.outputs(task(1)))
        await asyncio.sleep(0.05)
        waiting = asyncio.create_task(queue.outputs(task(2, 3, 4)))
        await asyncio.sleep(0.02)
        with pytest.raises(QueueFull):
            await queue.outputs(task(5, 6))
        model.may_run.set()
        return [values(await job) for job in (busy, waiting)]

    assert run(model, scenario, max_queue=4) == [[2], [4, 6, 8]]


def test_a_cancelled_request_leaves_the_queue():
    model = Model()

    async def scenario(queue):
        model.may_run.clear()
        busy = asyncio.create_task(queue.outputs(task(1)))
        await asyncio.sleep(0.05)
        gone = asyncio.create_task(queue.outputs(task(2, 3)))
        other = asyncio.create_task(queue.outputs(task(4)))
        await asyncio.sleep(0.02)
        gone.cancel()
        await asyncio.sleep(0.02)
        assert len(queue) == 1
        model.may_run.set()
        return [values(await job) for job in (busy, other)]

    assert run(model, scenario) == [[2], [8]]
    assert model.batches == [[1], [4]]


def test_a_request_that_fails_fails_alone():
    model = Model(poison=13)

    async def scenario(queue):
        jobs = [queue.outputs(task(i)) for i in range(10, 16)]
        return await asyncio.gather(*jobs, return_exceptions=True)

    results = run(model, scenario)
    assert isinstance(results.pop(3), RuntimeError)
    assert [values(r) for r in results] == [[20], [22], [24], [28], [30]]


def test_batches_become_smaller_for_the_latency_target():
    model = Model(seconds=0.0)
    run_rows = model.__call__

    def slow(rows):
        time.sleep(0.01 * len(rows))
        return run_rows(rows)

    slow.may_run = model.may_run

    async def scenario(queue):
        await queue.outputs(task(0))  # measures the time of a row
        await queue.outputs(task(*range(1, 60)))

    run(slow, scenario, max_batch=64, latency_target=0.1)
    assert max(len(batch) for batch in model.batches) <= 12
