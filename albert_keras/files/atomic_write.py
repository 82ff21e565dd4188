"""Writes files and directories atomically: complete, or not at all.

An error of the disk, such as a full one, becomes a `StorageError` that names
the file; what was half written is removed.
"""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from albert_keras.files.storage_errors import storage_errors_explained


@contextlib.contextmanager
def atomic_directory(
    target: str | Path, needed: int | None = None
) -> Iterator[Path]:
    """Yields a new directory that becomes `target` if the block succeeds.

    It is written next to the target under a temporary name, synced to disk
    and renamed; an existing target is replaced. If the block raises, the
    temporary directory is removed and the target is unchanged. A process that
    is killed leaves `target` intact and a `.tmp-` directory behind.

    Args:
        target: Path of the directory.
        needed: Bytes that it needs, for the message if the disk is full.

    Raises:
        StorageError: If the disk is full or not writable.
    """
    target = Path(target)
    with storage_errors_explained(target, needed) as space:
        prefix = f".tmp-{target.name}-"
        with _temporary_directory(target.parent, prefix, space) as temporary:
            yield temporary
            os.chmod(temporary, 0o777 & ~_umask())
            _sync_tree(temporary)
            _replace_directory(temporary, target)


@contextlib.contextmanager
def atomic_files(directory: str | Path) -> Iterator[Path]:
    """Yields a new directory whose files are added to `directory`.

    For a directory that cannot be replaced as a whole, such as the root of a
    disk. If the block raises, no file is added.

    Args:
        directory: Path of the directory; created if it does not exist.

    Raises:
        StorageError: If the disk is full or not writable.
    """
    directory = Path(directory)
    with storage_errors_explained(directory) as space:
        with _temporary_directory(directory, ".tmp-", space) as temporary:
            yield temporary
            _sync_tree(temporary)
            for path in sorted(temporary.iterdir()):
                os.replace(path, directory / path.name)
            _sync(directory)


@contextlib.contextmanager
def _temporary_directory(parent, prefix, space):
    """Yields a new directory in `parent`, and removes it at the end.

    If the block raises, `space` learns how many bytes it had written.
    """
    parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
    try:
        yield temporary
    except Exception:
        space.written = _size(temporary)
        raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextlib.contextmanager
def atomic_file(
    target: str | Path, mode: str = "w", **kwargs: Any
) -> Iterator[IO]:
    """Yields a new file that replaces `target` if the block succeeds.

    Raises:
        StorageError: If the disk is full or not writable.
    """
    target = Path(target)
    with storage_errors_explained(target) as space:
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
            space.written = os.path.getsize(temporary)
            os.unlink(temporary)
            raise


def append_text(path: str | Path, text: str) -> None:
    """Appends text to a file: all of it, or nothing.

    Args:
        path: An existing file, in UTF-8.
        text: A string.

    Raises:
        StorageError: If the disk is full or not writable.
    """
    data = text.encode()
    with (
        storage_errors_explained(path, needed=len(data)),
        open(path, "ab", buffering=0) as file,
    ):
        size = file.seek(0, os.SEEK_END)
        try:
            while data:  # a disk that is almost full takes a part of it
                data = data[file.write(data) :]
        except OSError:
            file.truncate(size)
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


def _size(directory):
    """Bytes of all files in a directory."""
    return sum(
        path.stat().st_size for path in directory.rglob("*") if path.is_file()
    )


def _umask():
    value = os.umask(0)
    os.umask(value)
    return value
