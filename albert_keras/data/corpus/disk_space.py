"""Explains the error of a full disk during the preparation of a corpus."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from albert_keras.files.storage_errors import storage_errors_explained


@contextlib.contextmanager
def full_disk_explained(directory: str | Path) -> Iterator[None]:
    """Turns errors of writing into a `StorageError` with the remedy.

    Args:
        directory: Where the finished work is kept.
    """
    remedy = (
        f"Finished work is kept in {directory}: make room, about 4.5 bytes "
        "per token in total, and run the same command again."
    )
    with storage_errors_explained(directory, remedy=remedy):
        yield
