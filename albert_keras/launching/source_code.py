"""The code that a training job gets along."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

# Hidden files, keys and what can be made again, in every folder.
IGNORED = (".*", "*.key", "*.pem", "__pycache__", "*.egg-info")
# What a job does not run, and results, at the top.
IGNORED_AT_THE_TOP = ("build", "dist", "demo", "runs", "tests", "docs")
MAX_BYTES = 200_000_000
JOB_SECRET = "job_secret"


@contextlib.contextmanager
def staged_source(
    source_dir: str | Path, entry_point: str, secret: str
) -> Iterator[Path]:
    """Yields a directory with what to upload.

    Beside the code it holds the secret from which the hosts of a job derive
    the key that they reach each other with (see docker/), so that neither the
    image nor the job's description holds one.

    Args:
        source_dir: Directory of the code.
        entry_point: The script to run, relative to it.
        secret: A string of hexadecimal digits, made for this job alone.

    Raises:
        ValueError: If there is no such directory or script, or it holds more
            than code.
    """
    source = Path(source_dir)
    if not (source / entry_point).is_file():
        raise ValueError(
            f"--source_dir {source_dir} holds no --entry_point {entry_point}. "
            "Pass the checkout of this project, or a directory with the same "
            "recipes/."
        )
    with tempfile.TemporaryDirectory() as temporary:
        staged = Path(temporary) / "code"
        _copy(source, staged)
        (staged / JOB_SECRET).write_text(secret)
        yield staged


def _copy(source, target):
    copied = 0

    def copy(source, target):
        nonlocal copied
        copied += Path(source).stat().st_size
        if copied > MAX_BYTES:
            raise ValueError(
                f"--source_dir holds more than {MAX_BYTES // 1_000_000} MB, "
                f"of which {source} is one. Pass a directory of code alone; "
                "data belongs on the volume."
            )
        return shutil.copy2(source, target)

    everywhere = shutil.ignore_patterns(*IGNORED)

    def ignore(folder, names):
        ignored = everywhere(folder, names)
        if Path(folder) == source:
            ignored |= set(names) & set(IGNORED_AT_THE_TOP)
        return ignored

    shutil.copytree(source, target, copy_function=copy, ignore=ignore)
