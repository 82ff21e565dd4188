"""One process at a time writes to a directory, and no stale lock remains."""

import errno
import fcntl
import json
import os
import socket
import subprocess
import sys
import threading
import time

import pytest

from albert_keras.files import directory_lock
from albert_keras.files.directory_lock import LOCK_FILE, DirectoryLock

HOLD = """
import sys, time
from albert_keras.files.directory_lock import DirectoryLock
lock = DirectoryLock(sys.argv[1], "A training run")
lock.acquire()
print("held", flush=True)
time.sleep(60)
"""


@pytest.fixture(autouse=True)
def short_wait(monkeypatch):
    monkeypatch.setattr(directory_lock, "_TIMEOUT", 0.1)


def lock_on(directory, **kwargs):
    return DirectoryLock(directory, "A training run", **kwargs)


def test_the_second_is_refused_and_told_who_and_since_when(tmp_path):
    with lock_on(tmp_path):
        message = (
            rf"{tmp_path} is in use. A training run is writing to it: process "
            rf"{os.getpid()} on {socket.gethostname()}, since \d+-.* UTC. "
            "Wait .* or pass another `output_dir`"
        )
        with pytest.raises(ValueError, match=message):
            lock_on(tmp_path).acquire()
        with pytest.raises(ValueError, match=message):
            lock_on(tmp_path).check()
    lock_on(tmp_path).check()
    with lock_on(tmp_path):
        pass
    assert not list(tmp_path.iterdir())


def test_directories_made_for_the_lock_alone_go_with_it(tmp_path):
    with lock_on(tmp_path / "a" / "b"):
        assert (tmp_path / "a" / "b" / LOCK_FILE).is_file()
    assert not (tmp_path / "a").exists()
    with lock_on(tmp_path / "a" / "b"):
        (tmp_path / "a" / "result").touch()
    assert [path.name for path in tmp_path.rglob("*")] == ["a", "result"]


def test_tasks_share_a_lock_that_excludes_others(tmp_path):
    with lock_on(tmp_path, shared=True), lock_on(tmp_path, shared=True):
        with pytest.raises(ValueError, match="is in use"):
            lock_on(tmp_path).acquire()
    with lock_on(tmp_path):
        with pytest.raises(ValueError, match="is in use"):
            lock_on(tmp_path, shared=True).acquire()


def test_a_process_may_take_its_own_lock_over(tmp_path):
    first = lock_on(tmp_path, take_over=True)
    first.acquire()
    with lock_on(tmp_path, take_over=True) as second:
        second.check()
        assert first.fileno() is None
        first.release()  # has no effect on the other
        with pytest.raises(ValueError, match="is in use"):
            lock_on(tmp_path).acquire()
    with lock_on(tmp_path):
        with pytest.raises(ValueError, match="is in use"):
            lock_on(tmp_path, take_over=True).acquire()


def test_who_waits_gets_the_lock_of_a_directory_that_is_made_anew(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(directory_lock, "_TIMEOUT", 10)
    directory = tmp_path / "work"
    first, second = lock_on(directory), lock_on(directory)
    first.acquire()
    thread = threading.Thread(target=second.acquire)
    thread.start()
    time.sleep(0.2)
    first.release()
    thread.join()
    assert os.path.samestat(
        os.fstat(second.fileno()), os.stat(directory / LOCK_FILE)
    )
    second.release()


@pytest.mark.process
def test_the_lock_of_a_killed_process_is_free(tmp_path, monkeypatch):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "held\n"
    with pytest.raises(ValueError, match=f"process {process.pid} on"):
        lock_on(tmp_path).acquire()
    process.kill()
    process.wait()
    process.stdout.close()
    assert (tmp_path / LOCK_FILE).is_file()
    lock_on(tmp_path).check()
    with lock_on(tmp_path):
        pass


@pytest.mark.parametrize(
    "change, is_free",
    [
        ({}, False),
        ({"host": "elsewhere"}, True),
        ({"boot": "before"}, True),
        ({"started": 1}, True),
        ({"pid": 2**22 + 1}, True),
        ({"pid": "x"}, True),
    ],
)
def test_without_locks_of_the_file_system_a_running_process_excludes_others(
    tmp_path, monkeypatch, change, is_free
):
    def not_supported(file, kind):
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", not_supported)
    parent = os.getppid()
    record = {
        **directory_lock._describe_process(),
        "pid": parent,
        "started": directory_lock._start_of(parent),
        **change,
    }
    (tmp_path / LOCK_FILE).write_text(json.dumps(record))
    if is_free:
        lock_on(tmp_path).check()
        with lock_on(tmp_path):
            pass
    else:
        with pytest.raises(ValueError, match=f"process {parent} on"):
            lock_on(tmp_path).acquire()
    (tmp_path / LOCK_FILE).write_text("[damaged")
    with lock_on(tmp_path):
        pass
