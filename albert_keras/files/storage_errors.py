"""Explains why a file cannot be written: a full or read-only disk, a quota."""

import contextlib
import dataclasses
import errno
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

_FULL = "Make room, or pass a path on another disk."
_REFUSED = "Pass a path that this process may write to."
_REASONS = {
    errno.ENOSPC: ("the disk is full", _FULL),
    errno.EDQUOT: ("the quota of disk space is used up", _FULL),
    errno.EFBIG: ("the file is larger than this disk allows", _FULL),
    errno.EROFS: ("the file system is read-only", _REFUSED),
}
# Reading raises these as well: they count only if they name the target.
_REFUSALS = {
    errno.EACCES: "permission is denied",
    errno.EPERM: "permission is denied",
    errno.ENOTDIR: "a part of its path is not a directory",
    errno.EEXIST: "a part of its path is not a directory",
    errno.ENAMETOOLONG: "its name is too long",
}
_RUST_CODE = re.compile(r"os error (\d+)")  # in the errors of safetensors


class StorageError(OSError, ValueError):
    """A file cannot be written; the message names it and the remedy.

    An `OSError` with its `errno`, and a `ValueError`: recipes print its
    message and no traceback.

    Args:
        problem: A sentence that names the file and the reason.
        code: The `errno`.
        remedy: What to do; None for the usual remedy, which a caller that
            knows better may replace.
    """

    def __init__(
        self, problem: str, code: int, remedy: str | None = None
    ) -> None:
        usual = _REASONS[code][1] if code in _REASONS else _REFUSED
        super().__init__(f"{problem} {remedy or usual}")
        self.problem, self.code, self.remedy = problem, code, remedy
        self.errno = code


@dataclasses.dataclass
class Space:
    """Space that a file or directory needs on the disk.

    Attributes:
        needed: Bytes of the whole; None if unknown.
        written: Bytes written before the error.
    """

    needed: int | None = None
    written: int = 0


@contextlib.contextmanager
def storage_errors_explained(
    target: str | Path, needed: int | None = None, remedy: str | None = None
) -> Iterator[Space]:
    """Turns errors of writing a file or directory into a `StorageError`.

    Also those that libraries raise with a type of their own, such as
    safetensors, HDF5 and TensorFlow.

    Args:
        target: What is written.
        needed: Bytes that it needs, if known.
        remedy: What to do if the disk is full; also for a `StorageError`
            from within that has only the usual remedy.
    """
    space = Space(needed)
    try:
        yield space
    except StorageError as error:
        if not (remedy and _is_full(error.code)) or error.remedy:
            raise
        raise StorageError(error.problem, error.code, remedy) from error
    except Exception as error:
        code = storage_errno(error, target)
        if code is None:
            raise
        problem = _describe(Path(target), code, error, space)
        if not _is_full(code):
            remedy = None
        raise StorageError(problem, code, remedy) from error


def storage_errno(error: BaseException, target: str | Path) -> int | None:
    """Returns the `errno` of an error of writing; None for other errors.

    Args:
        error: The error.
        target: What was written.
    """
    code = getattr(error, "errno", None)
    if code in _REASONS:
        return code
    if isinstance(error, OSError) and code in _REFUSALS:
        return code if _names(error, Path(target)) else None
    text = str(error)
    found = _RUST_CODE.search(text)
    if found and int(found[1]) in _REASONS:
        return int(found[1])
    if code is None:
        return next((c for c in _REASONS if os.strerror(c) in text), None)
    return None


def _names(error, target):
    """Whether an error is about a target, a part of its path, or its parts."""
    if not isinstance(error.filename, str):
        return False
    path = Path(error.filename)
    return (
        path == target
        or path in target.parents
        or (
            target.parent in path.parents
            and (target in path.parents or target.name in str(path))
        )
    )


def _describe(target, code, error, space):
    reason = _REASONS[code][0] if code in _REASONS else _REFUSALS[code]
    text = f"{target} cannot be written: {reason} ({str(error)[:200]})."
    if not _is_full(code):
        return text
    if space.needed is not None:
        text += f" It needs {_show(space.needed)}."
    elif space.written:
        text += f" It needs more than {_show(space.written)}."
    free = _free(target)
    return text if free is None else f"{text} {_show(free)} are free."


def _is_full(code):
    return code in _REASONS and code != errno.EROFS


def _show(size):
    return f"{size / 1e6:,.1f} MB" if size >= 1e5 else f"{size:,} bytes"


def _free(target):
    """Free bytes where the target would be; None if that is unknown."""
    for directory in target.parents:
        try:
            return shutil.disk_usage(directory).free
        except FileNotFoundError:
            continue
        except OSError:
            break
    return None
