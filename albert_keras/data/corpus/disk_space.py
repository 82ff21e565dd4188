"""Explains the error of a full disk."""

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextlib.contextmanager
def full_disk_explained(directory: str | Path) -> Iterator[None]:
    """Turns a full-disk error into a `ValueError` with the remedy.

    Args:
        directory: Where the finished work is kept.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise ValueError(
            f"The disk is full ({error}). Finished work is kept in "
            f"{directory}: make room, about 4.5 bytes per token in total, and "
            "run the same command again."
        ) from error
