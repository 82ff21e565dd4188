"""A disk that takes no large files, for this process alone."""

import contextlib
import resource


@contextlib.contextmanager
def only_small_files(limit):
    """Writing more than `limit` bytes to a file fails as on a full disk.

    The operating system writes what fits and then raises "File too large"
    (EFBIG), with every library that writes.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
