"""Starts jobs of several ranks on this machine."""

import contextlib
import importlib.util
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.processes import Job

ROOT = Path(__file__).parents[2]
HAS_HOROVOD = importlib.util.find_spec("horovod") is not None
# `make test` sets this, so that a missing Horovod is a failure.
REQUIRED = "ALBERT_KERAS_REQUIRE_HOROVOD"

needs_horovod = pytest.mark.skipif(
    not HAS_HOROVOD and not os.environ.get(REQUIRED),
    reason="Horovod is not installed; make setup builds it",
)


@contextlib.contextmanager
def forked(num_ranks, *arguments):
    """A `Job` of ranks in forked processes.

    `horovodrun` takes three times as long to start two ranks, since it and
    each of them import TensorFlow. Unlike `horovodrun`, this does not end the
    other ranks when one ends.
    """
    if num_ranks == 1:
        with Job(arguments, [{}]) as job:
            yield job
        return
    from horovod.runner.common.util.hosts import (
        get_host_assignments,
        parse_hosts,
    )
    from horovod.runner.gloo_run import (
        create_run_env_vars,
        create_slot_env_vars,
    )
    from horovod.runner.http.http_server import RendezvousServer

    hosts = parse_hosts(f"localhost:{num_ranks}")
    ranks = get_host_assignments(hosts, num_ranks)
    server = RendezvousServer()
    network = create_run_env_vars("127.0.0.1", ["lo"], server.start())
    network = {name: str(value) for name, value in network.items()}
    server.init(ranks)
    try:
        environments = [
            {**network, **create_slot_env_vars(rank)} for rank in ranks
        ]
        with Job(arguments, environments) as job:
            yield job
    finally:
        server.stop()
        server._httpd.server_close()  # stop() leaves its socket open


def run_forked(num_ranks, *arguments, timeout=180):
    """Runs forked ranks to their end and returns their output."""
    with forked(num_ranks, *arguments) as job:
        code, output = job.wait(timeout)
    assert code == 0, output
    return output


def command(num_ranks, *arguments):
    """The command line that runs Python on `num_ranks` ranks."""
    python = [sys.executable, *map(str, arguments)]
    if num_ranks == 1:
        return python
    launcher = Path(sys.executable).parent / "horovodrun"
    return [str(launcher), "--gloo", "-np", str(num_ranks), *python]


def start(num_ranks, *arguments, **environment):
    """Starts a job with stdout and stderr in one pipe."""
    return subprocess.Popen(
        command(num_ranks, *arguments),
        cwd=ROOT,
        env={
            **os.environ,
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "PYTHONUNBUFFERED": "1",
            **environment,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def run(num_ranks, *arguments, timeout=180, **environment):
    """Runs a job to its end and returns its output; it must succeed."""
    job = start(num_ranks, *arguments, **environment)
    try:
        output, _ = job.communicate(timeout=timeout)
    finally:
        end(job)
    assert job.returncode == 0, output
    return output


def end(job):
    """Kills whatever is left of a job."""
    try:
        os.killpg(job.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    job.wait()
    job.stdout.close()


def worker_pids(job, script):
    """Process ids of the job's ranks that are running, by rank."""
    pids = {}
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            arguments = (directory / "cmdline").read_bytes().split(b"\0")
            environment = (directory / "environ").read_bytes().split(b"\0")
            session = int((directory / "stat").read_text().split()[5])
        except (OSError, IndexError):
            continue
        is_python = b"python" in arguments[0]
        if not is_python or script.encode() not in b" ".join(arguments[:2]):
            continue
        values = dict(e.split(b"=", 1) for e in environment if b"=" in e)
        if b"HOROVOD_RANK" in values and _belongs(job, session, directory):
            pids[int(values[b"HOROVOD_RANK"])] = int(directory.name)
    return pids


def wait_for(condition, timeout=90, interval=0.05):
    """Waits until a function returns a true value, and returns it."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        result = condition()
        if result:
            return result
        time.sleep(interval)
    raise AssertionError(f"The condition did not hold within {timeout} s.")


def _belongs(job, session, directory):
    """Whether a process is a descendant of the job's launcher."""
    pid = int(directory.name)
    while pid > 1:
        if pid == job.pid:
            return True
        try:
            stat = Path(f"/proc/{pid}/stat").read_text()
        except OSError:
            return False
        pid = int(stat.rsplit(")", 1)[1].split()[1])
    return session == job.pid
