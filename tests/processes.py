"""Python programs in forked processes, which need not import TensorFlow again.

A server, started with the first program, has imported TensorFlow and Keras
and forks a process for each program. This saves about four seconds of a core
a process. The server has not imported albert_keras, so that a program shows
what importing it does.
"""

import atexit
import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
import time
from multiprocessing import connection
from pathlib import Path

ROOT = Path(__file__).parents[1]
_PROGRAMS = Path(sys.prefix, "bin")
FORK_SERVER = multiprocessing.get_context("forkserver")
FORK_SERVER.set_forkserver_preload(["tensorflow", "keras"])


_refused = False


def refuse_processes(refused):
    """Whether starting a Python process is an error from now on.

    It is during tests without the mark `process`: `make quick` leaves out the
    tests that have it.
    """
    global _refused
    _refused = refused


def _check_start(event, arguments):
    if _refused and event == "subprocess.Popen":
        program = Path(os.fsdecode(arguments[0]))
        if program.parent == _PROGRAMS or program.name.startswith("python"):
            raise RuntimeError(
                f"This test starts {program}. Mark it @pytest.mark.process."
            )


sys.addaudithook(_check_start)


class Job:
    """A program in one process or, as ranks, in several.

    Attributes:
        processes: Its processes, by rank.
    """

    def __init__(self, arguments, environments):
        """Starts the program.

        Args:
            arguments: Those of Python: `-m MODULE`, `-c TEXT` or a script,
                and the arguments of the program.
            environments: For each process, what it has in its environment
                in addition to this process's.
        """
        _check_start("subprocess.Popen", [sys.executable])
        file, self._path = tempfile.mkstemp()
        os.close(file)
        self.processes = [
            FORK_SERVER.Process(
                target=_execute,
                args=(
                    list(map(str, arguments)),
                    {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **variables},
                    self._path,
                ),
                daemon=True,
            )
            for variables in environments
        ]
        for process in self.processes:
            process.start()

    def poll(self):
        """The exit code; None while a process runs.

        Of several processes, it is the first that is not 0.
        """
        codes = [process.exitcode for process in self.processes]
        return None if None in codes else next(filter(None, codes), 0)

    def wait(self, timeout):
        """Waits for all processes, and returns exit code and output."""
        deadline = time.monotonic() + timeout
        while self.poll() is None:
            remaining = deadline - time.monotonic()
            if remaining < 0:
                raise AssertionError(f"runs after {timeout} s: {self.output}")
            running = [p.sentinel for p in self.processes if p.is_alive()]
            connection.wait(running, remaining)
        return self.poll(), self.output

    @property
    def output(self):
        """What the processes have written to stdout and stderr so far."""
        return Path(self._path).read_text(encoding="utf-8")

    def kill(self):
        """Ends all processes with SIGKILL."""
        for process in self.processes:
            process.kill()
        for process in self.processes:
            process.join()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()
        os.unlink(self._path)


def run_python(*arguments, timeout=180, **environment):
    """Runs a program in a forked process and returns its output.

    Args:
        *arguments: See `Job`.
        timeout: Seconds after which it is killed.
        **environment: Variables of its environment.

    Raises:
        subprocess.CalledProcessError: It ended with another code than 0.
    """
    with Job(arguments, [environment]) as job:
        code, output = job.wait(timeout)
    if code:
        raise subprocess.CalledProcessError(code, arguments, output)
    return output


def _execute(arguments, environment, output):
    """Runs a program in this process as `python ARGUMENTS` would."""
    os.chdir(ROOT)
    os.environ.clear()
    os.environ.update(environment)
    with open(output, "ab") as file:
        for descriptor in (1, 2):
            os.dup2(file.fileno(), descriptor)
    sys.stdout.reconfigure(line_buffering=True)
    first, *rest = arguments
    try:
        if first == "-m":
            sys.argv = rest
            runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
        elif first == "-c":
            sys.argv = [first, *rest[1:]]
            exec(compile(rest[0], first, "exec"), {"__name__": "__main__"})
        else:
            sys.argv = arguments
            sys.path.insert(0, str(Path(first).parent))
            runpy.run_path(first, run_name="__main__")
    finally:
        atexit._run_exitfuncs()  # as Horovod's: a forked process skips them
