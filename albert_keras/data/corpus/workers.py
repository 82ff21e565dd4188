"""Runs the jobs of a corpus in worker processes.

Workers do not import Keras: with TensorFlow it would take half a gigabyte and
four seconds in each. Results are written to disk atomically; only jobs and
progress go through pipes, so that a worker exits when its parent does.
"""

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence

from albert_keras.data.corpus.encode_shard import run_job
from albert_keras.data.corpus.plan import CorpusPlan

# A worker has the `sys.path` of this process, as in `multiprocessing`.
_START = """
import importlib, json, sys
sys.path[:] = json.loads(sys.argv.pop(1))
importlib.import_module(sys.argv.pop(1)).main()
"""
WORKER_ENVIRONMENT = {
    # One core per process: threads of NumPy would only compete for it.
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    # glibc returns large blocks at once: up to a fifth less memory at its peak.
    "MALLOC_MMAP_THRESHOLD_": str(1 << 18),
}


def light_command(module: str, *arguments: str) -> list[str]:
    """Returns a command that runs `main()` of a module in a new process.

    Args:
        module: Name of the module; it should not import Keras.
        *arguments: `sys.argv[1:]` of the process.
    """
    path = json.dumps(sys.path)
    return [sys.executable, "-c", _START, path, module, *arguments]


def run_jobs(
    plan: CorpusPlan,
    jobs: Sequence,
    workers: int,
    on_bytes: Callable[[int], None],
) -> None:
    """Runs jobs in processes; in this process if one job or worker is enough.

    Args:
        plan: The `CorpusPlan`.
        jobs: See `run_job`.
        workers: Number of processes.
        on_bytes: Called with the number of bytes read.

    Raises:
        ValueError: The first error of a job. The other jobs are stopped;
            their finished shards are kept.
    """
    if min(workers, len(jobs)) <= 1:
        for job in jobs:
            run_job(plan, job, on_bytes)
        return
    pool = _WorkerPool(plan, jobs, on_bytes)
    pool.run(min(workers, len(jobs)))


class _WorkerPool:
    """Worker processes, one local thread for each, and a queue of jobs."""

    def __init__(self, plan, jobs, on_bytes):
        self.plan = plan
        self.jobs = queue.SimpleQueue()
        for job in jobs:
            self.jobs.put(job)
        self.on_bytes = on_bytes
        self.lock = threading.Lock()
        self.errors = []
        self.processes = []

    def run(self, workers):
        command = light_command(
            "albert_keras.data.corpus.encode_shard", str(self.plan.directory)
        )
        threads = []
        try:
            for _ in range(workers):
                process = subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                    encoding="utf-8",
                    env={**os.environ, **WORKER_ENVIRONMENT},
                    # The lock is held until the last of them has exited.
                    pass_fds=[] if self.plan.lock is None else [self.plan.lock],
                )
                self.processes.append(process)
                threads.append(
                    threading.Thread(
                        target=self._serve, args=[process], daemon=True
                    )
                )
                threads[-1].start()
            for thread in threads:
                thread.join()
        finally:
            self._terminate()
            for thread in threads:
                thread.join()
            for process in self.processes:
                process.communicate()
        if self.errors:
            raise self.errors[0]

    def _serve(self, process):
        """Sends jobs to a process, one after another."""
        try:
            while not self.errors:
                self._run_job(process, self.jobs.get_nowait())
        except queue.Empty:
            pass
        except Exception as error:
            self.errors.append(error)
            self._terminate()

    def _run_job(self, process, job):
        try:
            process.stdin.write(json.dumps(job) + "\n")
            process.stdin.flush()
        except OSError:
            pass  # the worker has exited; the read below reports it
        for line in process.stdout:
            answer = json.loads(line)
            if "error" in answer:
                raise ValueError(answer["error"])
            if "done" in answer:
                return
            with self.lock:
                self.on_bytes(answer["bytes"])
        raise RuntimeError(
            f"A worker process exited with code {process.wait()} during the "
            f"job {job}. If it ran out of memory, pass a smaller `workers`. "
            "The same command resumes with the remaining jobs."
        )

    def _terminate(self):
        for process in self.processes:
            process.terminate()
