"""Records when a run was started and resumed, and on what machine."""

import datetime
import importlib.metadata
import json
import platform
from pathlib import Path
from typing import Any

import keras

from albert_keras.files.atomic_write import atomic_file
from albert_keras.training import distributed

STARTS_FILE = "starts.json"
# Packages that weights and metrics may depend on.
_DISTRIBUTIONS = (
    "albert-keras",
    "keras",
    "tensorflow",
    "tensorflow-cpu",
    "jax",
    "torch",
    "horovod",
    "numpy",
    "sentencepiece",
)


def add_start(directory: Path, first_step: int) -> None:
    """Appends a start to the run's `starts.json`.

    Args:
        directory: The run's directory.
        first_step: Updates done before this start.
    """
    path = directory / STARTS_FILE
    starts = read_starts(directory)
    with atomic_file(path, encoding="utf-8") as file:
        json.dump([*starts, describe_start(first_step)], file, indent=2)


def read_starts(directory: Path) -> list[dict[str, Any]]:
    """Reads the starts of a run; an empty list if none were recorded.

    Raises:
        ValueError: If the file is damaged.
    """
    path = directory / STARTS_FILE
    if not path.is_file():
        return []
    try:
        starts = json.loads(path.read_text(encoding="utf-8"))
        return [
            {**start, "versions": {**start["versions"]}} for start in starts
        ]
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(
            f"{path} is damaged: {error!r}. Remove it: it only records when "
            "the run was started."
        ) from error


def describe_start(first_step: int) -> dict[str, Any]:
    """Describes a start at this moment: time (UTC), machine and versions."""
    now = datetime.datetime.now(datetime.timezone.utc)
    return {
        "time": now.isoformat(timespec="seconds"),
        "first_step": first_step,
        "ranks": distributed.size(),
        "backend": keras.config.backend(),
        "devices": _devices(),
        "platform": platform.platform(),
        "versions": {"python": platform.python_version(), **_versions()},
    }


def _devices():
    """Keras's names of this process's devices."""
    try:
        return keras.distribution.list_devices()
    except (AttributeError, NotImplementedError):  # on PyTorch
        return []


def _versions():
    versions = {}
    for name in _DISTRIBUTIONS:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions
