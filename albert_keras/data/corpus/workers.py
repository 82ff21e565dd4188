"""Worker processes that share the jobs of a corpus out.

They import no Keras: with TensorFlow it would take half a gigabyte and four
seconds in each. Results are on disk, whole or not at all; only jobs and
progress go through pipes, so that a worker ends when its parent does.
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

# A worker finds modules where this process does, as `multiprocessing` has it.
_START = """
import importlib, json, sys
sys.path[:] = json.loads(sys.argv.pop(1))
importlib.import_module(sys.argv.pop(1)).main()
"""
# A process has a core; NumPy's threads would only be in the way.
_ENVIRONMENT = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def light_command(module: str, *arguments: str) -> list[str]:
    """Returns the command of a process that runs `main()` of a module.

    Args:
        module: Name of the module, which should not import Keras.
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
    """Runs jobs in processes; in this one where there is one job or worker.

    Args:
        plan: The `CorpusPlan`.
        jobs: See `run_job`.
        workers: Number of processes.
        on_bytes: Called with numbers of bytes read.

    Raises:
        ValueError: The first that a job raised; the others are ended, what
            they have finished stays.
    """
    if min(workers, len(jobs)) <= 1:
        for job in jobs:
            run_job(plan, job, on_bytes)
        return
    team = _Team(plan, jobs, on_bytes)
    team.run(min(workers, len(jobs)))


class _Team:
    """Processes, a thread of this one for each, and the jobs left to do."""

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
                    env={**os.environ, **_ENVIRONMENT},
                    # They hold the lock until the last of them has ended.
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
        """Hands a process one job after another."""
        try:
            while not self.errors:
                self._do(process, self.jobs.get_nowait())
        except queue.Empty:
            pass
        except Exception as error:
            self.errors.append(error)
            self._terminate()

    def _do(self, process, job):
        try:
            process.stdin.write(json.dumps(job) + "\n")
            process.stdin.flush()
        except OSError:
            pass  # it has ended: so does what it says
        for line in process.stdout:
            answer = json.loads(line)
            if "error" in answer:
                raise ValueError(answer["error"])
            if "done" in answer:
                return
            with self.lock:
                self.on_bytes(answer["bytes"])
        raise RuntimeError(
            f"A worker process ended with code {process.wait()} while it did "
            f"{job}. If it was killed for want of memory, use fewer "
            "`--workers`. The same command goes on with what is left."
        )

    def _terminate(self):
        for process in self.processes:
            process.terminate()
