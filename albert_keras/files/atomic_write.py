"""Writes files and directories atomically: complete, or not at all."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any


@contextlib.contextmanager
def atomic_directory(target: str | Path) -> Iterator[Path]:
    """Yields a new directory that becomes `target` if the block succeeds.

    It is written next to the target under a temporary name, synced to disk
    and renamed; an existing target is replaced. If the block raises, the
    temporary directory is removed and the target is unchanged. A process that
    is killed leaves `target` intact and a `.tmp-` directory behind.

    Args:
        target: Path of the directory.
    """
    target = Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(
        tempfile.mkdtemp(prefix=f".tmp-{target.name}-", dir=target.parent)
    )
    try:
        yield temporary
        os.chmod(temporary, 0o777 & ~_umask())
        _sync_tree(temporary)
        _replace_directory(temporary, target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextlib.contextmanager
def atomic_file(
    target: str | Path, mode: str = "w", **kwargs: Any
) -> Iterator[IO]:
    """Yields a new file that replaces `target` if the block succeeds."""
    target = Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(
        prefix=f".tmp-{target.name}-", dir=target.parent
    )
    try:
        with os.fdopen(handle, mode, **kwargs) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise


def _replace_directory(new, target):
    if not target.exists():
        os.rename(new, target)
    else:
        old = Path(f"{new}-old")
        os.rename(target, old)
        os.rename(new, target)
        shutil.rmtree(old)
    _sync(target.parent)


def _sync_tree(directory):
    for path in directory.rglob("*"):
        _sync(path)
    _sync(directory)


def _sync(path):
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _umask():
    value = os.umask(0)
    os.umask(value)
    return value
