"""Runs contestants in separate processes that take turns."""

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

WORKER = Path(__file__).parent / "contestants" / "worker.py"
REMAT = "albert_keras, remat"


class Contestant:
    """A process that runs a task on request.

    Args:
        name: Name in the tables.
        python: Interpreter of an environment with the contestant's library.
        module: Its module in `contestants`.
        task: `pretraining`, `inference` or `products`.
        options: Options of the task.
    """

    def __init__(self, name, python, module, task, options):
        self.name = name
        self.seconds = []
        self.process = subprocess.Popen(
            [python, WORKER, module, task, json.dumps(options)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        ready = self._read()
        self.first_seconds = ready["first_seconds"]
        self.versions = ready["versions"]

    def run(self, times):
        self.process.stdin.write(f"{times}\n")
        self.process.stdin.flush()
        result = self._read()
        self.seconds += result["seconds"]
        self.peak_bytes = result["peak_bytes"]

    def _read(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(
                f"{self.name} exited with status {self.process.wait()}. To "
                "see why, run it by hand: "
                + " ".join(map(str, self.process.args))
            )
        return json.loads(line)

    def result(self):
        return {
            "contestant": self.name,
            "median_seconds": statistics.median(self.seconds),
            "seconds": self.seconds,
            "first_seconds": self.first_seconds,
            "peak_gigabytes": self.peak_bytes / 1e9,
            "versions": self.versions,
        }

    def stop(self):
        self.process.communicate()  # closes its input, which ends it


def start(task, options, peer_python, only=None):
    """Starts this package, KerasHub and Hugging Face in separate processes.

    Args:
        task: `pretraining` or `inference`.
        options: Options of the task.
        peer_python: Interpreter with PyTorch; without it Hugging Face is
            left out.
        only: Names of the contestants to start; None starts all but the one
            with rematerialization.
    """
    python = sys.executable
    known = [
        ("albert_keras", python, "ours", {}),
        (REMAT, python, "ours", {"remat": True}),
        ("KerasHub", python, "kerashub", {}),
        ("Hugging Face", peer_python, "huggingface", {}),
        (
            "Hugging Face, torch.compile",
            peer_python,
            "huggingface",
            {"compile": True},
        ),
    ]
    return [
        Contestant(name, python, module, task, {**options, **extra})
        for name, python, module, extra in known
        if python and (name in only if only else name != REMAT)
    ]


def run_light(program, *arguments):
    """Runs `main()` of a program in a process like those that prepare text.

    Args:
        program: Source of a module whose `main` prints JSON.
        *arguments: Its `sys.argv[1:]`.

    Returns:
        What it printed.
    """
    from albert_keras.data.corpus.workers import (
        WORKER_ENVIRONMENT,
        light_command,
    )

    with tempfile.TemporaryDirectory() as directory:
        Path(directory, "light_program.py").write_text(program)
        sys.path.insert(0, directory)  # which the process gets
        command = light_command("light_program", *map(str, arguments))
        del sys.path[0]
        result = subprocess.run(
            command,
            capture_output=True,
            text=True,
            env={**os.environ, **WORKER_ENVIRONMENT},
        )
    if result.returncode:
        raise SystemExit(result.stderr)
    return json.loads(result.stdout)


def by_turns(contestants, rounds, times):
    """Runs each contestant `times` per round and returns the results."""
    try:
        for _ in range(rounds):
            for contestant in contestants:
                contestant.run(times)
        return [contestant.result() for contestant in contestants]
    finally:
        for contestant in contestants:
            contestant.stop()


def record_of(results, path, **fields):
    """Adds machine and fields to results; writes them if a path is given."""
    record = {"machine": machine(), **fields, "results": results}
    if path:
        path.write_text(json.dumps(record, indent=2) + "\n")
    return record


def machine():
    return {"processor": processor(), "system": platform.platform()}


def processor():
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [
        line.split(":")[1].strip() for line in lines if "model name" in line
    ]
    return f"{len(names)} x {names[0]}" if names else platform.processor()
