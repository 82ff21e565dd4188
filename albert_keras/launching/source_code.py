"""The code that is uploaded with a training job."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

# Hidden files, keys and generated files, in every folder.
IGNORED = (".*", "*.key", "*.pem", "__pycache__", "*.egg-info")
# Results and code that a job does not run, in the top folder.
IGNORED_AT_THE_TOP = ("build", "dist", "demo", "runs", "tests", "docs")
MAX_BYTES = 200_000_000
JOB_SECRET = "job_secret"


@contextlib.contextmanager
def staged_source(
    source_dir: str | Path, entry_point: str, secret: str
) -> Iterator[Path]:
    """Yields a directory to upload: the code and the job's secret.

    The hosts of a job derive from the secret the key with which they reach
    each other (see docker/). So neither the image nor the job's description
    contains a key.

    Args:
        source_dir: Directory of the code.
        entry_point: Script to run, relative to `source_dir`.
        secret: String of hexadecimal digits, generated for this job.

    Raises:
        ValueError: If the directory or script does not exist, or the
            directory holds more than code.
    """
    source = Path(source_dir)
    if not (source / entry_point).is_file():
        raise ValueError(
            f"`source_dir` {source_dir} holds no `entry_point` {entry_point}. "
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
                "`source_dir` must hold only code. Received: more than "
                f"{MAX_BYTES // 1_000_000} MB, among them {source}. Move data "
                "to the volume."
            )
        return shutil.copy2(source, target)

    everywhere = shutil.ignore_patterns(*IGNORED)

    def ignore(folder, names):
        ignored = everywhere(folder, names)
        if Path(folder) == source:
            ignored |= set(names) & set(IGNORED_AT_THE_TOP)
        return ignored

    shutil.copytree(source, target, copy_function=copy, ignore=ignore)
