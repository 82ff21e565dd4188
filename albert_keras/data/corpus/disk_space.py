"""A disk that fills up, told in words."""

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextlib.contextmanager
def full_disk_explained(directory: str | Path) -> Iterator[None]:
    """Turns the error of a full disk into a `ValueError` with the remedy.

    Args:
        directory: Where the work so far is kept.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise ValueError(
            f"The disk is full ({error}). What is finished is kept in "
            f"{directory}: make room, about 4.5 bytes for each token in all, "
            "and run the same command again."
        ) from error
