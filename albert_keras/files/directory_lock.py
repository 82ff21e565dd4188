"""Lets one process at a time write to a directory."""

import datetime
import fcntl
import json
import os
import socket
import time
from pathlib import Path
from typing import Any

from albert_keras.files.storage_errors import storage_errors_explained
from albert_keras.files.strict_json import parse_json

LOCK_FILE = ".lock"
_TIMEOUT = 5.0  # seconds for the processes of a killed run to exit
_INTERVAL = 0.05
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
# Locks of this process that it may take over, by the path of their file.
_held: dict[Path, "DirectoryLock"] = {}


class DirectoryLock:
    """A lock on a directory, held until `release` or until the process ends.

    A file in the directory, locked by the operating system, names the process
    that holds it. The lock of a killed process is free, on whatever machine
    it ran. On a file system without locks, the file alone excludes a process
    of the same machine that is still running, and nothing else.

    Args:
        directory: The directory; `acquire` creates it.
        use: What the holder is, such as "A training run", for the message that
            others get.
        remedy: The message's alternative to waiting.
        name: Name of the file.
        shared: Whether others that share the lock may hold it, too.
        take_over: Whether this process may acquire the lock although another
            such object holds it: a run that failed in a notebook may.
    """

    def __init__(
        self,
        directory: str | Path,
        use: str,
        remedy: str = "pass another `output_dir`",
        name: str = LOCK_FILE,
        shared: bool = False,
        take_over: bool = False,
    ) -> None:
        self.path = Path(directory) / name
        self.use, self.remedy = use, remedy
        self.shared, self.take_over = shared, take_over
        self._file: int | None = None
        self._created: list[Path] = []

    def fileno(self) -> int | None:
        """Descriptor of the locked file; None if the lock is not held.

        A child process that inherits it holds the lock as well.
        """
        return self._file

    def check(self) -> None:
        """Raises a `ValueError` if another process holds the lock."""
        if self.take_over and self.path.absolute() in _held:
            return
        try:
            file = os.open(self.path, os.O_RDWR)
        except OSError:
            return  # there is no lock, or `acquire` says why not
        try:
            self._wait(file, fcntl.LOCK_EX)
        finally:
            os.close(file)

    def acquire(self) -> None:
        """Acquires the lock; does nothing if this object holds it.

        Raises:
            ValueError: If another process holds it; names the process.
            StorageError: If the directory is not writable.
        """
        if self._file is not None:
            return
        mine = _held.get(self.path.absolute())
        if mine is not None and self.take_over:
            mine.release()
        kind = fcntl.LOCK_SH if self.shared else fcntl.LOCK_EX
        while True:
            file = self._open()
            try:
                self._wait(file, kind)
                if self._is_at_path(file):
                    break
            except BaseException:
                os.close(file)
                self._remove_created()
                raise
            os.close(file)  # its holder has removed it meanwhile
        self._file = file
        if self.take_over:
            _held[self.path.absolute()] = self
        with storage_errors_explained(self.path.parent):
            os.ftruncate(file, 0)
            record = {"use": self.use, **_describe_process()}
            os.pwrite(file, json.dumps(record).encode(), 0)

    def release(self) -> None:
        """Releases the lock, and removes its file."""
        if self._file is None:
            return
        if not self.shared and self._is_at_path(self._file):
            self.path.unlink(missing_ok=True)
        os.close(self._file)
        self._file = None
        if _held.get(self.path.absolute()) is self:
            del _held[self.path.absolute()]
        self._remove_created()

    def __enter__(self) -> "DirectoryLock":
        self.acquire()
        return self

    def __exit__(self, *_: Any) -> None:
        self.release()

    def _open(self):
        directory = self.path.parent
        with storage_errors_explained(directory):
            missing = [
                path
                for path in (directory, *directory.parents)
                if not path.exists()
            ]
            directory.mkdir(parents=True, exist_ok=True)
            self._created += missing
            return os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)

    def _remove_created(self):
        """Removes the directories that `acquire` created, if still empty."""
        try:
            for directory in self._created:
                directory.rmdir()
        except OSError:
            pass  # in use by now
        self._created = []

    def _wait(self, file, kind):
        """Waits until the lock is free, but not for long.

        Raises:
            ValueError: If it is not.
        """
        deadline = time.monotonic() + _TIMEOUT
        while not _try_lock(file, kind):
            if time.monotonic() > deadline:
                raise ValueError(self._in_use(_read(file)))
            time.sleep(_INTERVAL)

    def _in_use(self, holder):
        process = "another process"
        if holder.get("pid"):
            process = f"process {holder['pid']} on {holder.get('host')}"
            if holder.get("since"):
                process += f", since {holder['since']}"
        return (
            f"{self.path.parent} is in use. {holder.get('use') or self.use} is "
            "writing to it: "
            f"{process}. Wait until it ends, stop it, or {self.remedy}."
        )

    def _is_at_path(self, file):
        try:
            return os.path.samestat(os.fstat(file), os.stat(self.path))
        except FileNotFoundError:
            return False


def _try_lock(file, kind):
    """Whether the lock is free; this process holds it then."""
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return kind == fcntl.LOCK_SH or not _runs_here(_read(file))
    return True


def _describe_process():
    now = datetime.datetime.now(datetime.timezone.utc)
    return {
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "since": f"{now:%Y-%m-%d %H:%M:%S} UTC",
        "boot": _boot(),
        "started": _start_of(os.getpid()),
    }


def _read(file):
    """The record in a lock's file; empty if it cannot be read."""
    try:
        record = parse_json(os.pread(file, 1 << 12, 0).decode())
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def _runs_here(record):
    """Whether a record's process is another one of this machine, and runs.

    A number alone does not tell: in containers they repeat.
    """
    pid = record.get("pid")
    return (
        isinstance(pid, int)
        and pid != os.getpid()
        and record.get("host") == socket.gethostname()
        and record.get("boot") == _boot()
        and record.get("started") == _start_of(pid)
    )


def _boot():
    """Identifies the machine since its last start."""
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return None


def _start_of(pid):
    """When a process started, in ticks of its machine; None if it is gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
        return int(stat.rpartition(")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return None
